"""Merge the user's pod overrides into the pod that the operator builds."""

from typing import Any

from lamplighter.api.common import PodTemplate
from lamplighter.core.objects import Obj

_MERGE_KEY = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ports": "containerPort",
}
_APPENDED = frozenset({"tolerations", "envFrom", "args"})


def override(pod: Obj, template: PodTemplate) -> Obj:
    """The pod template with the user's overrides on top.

    Maps merge. Lists of named things merge by name, as kubectl does it for Pods; tolerations are added; any other
    list, and any value, is replaced. Labels of the operator win, since its selectors depend on them.
    """
    meta = pod["metadata"]
    merged_meta = {
        **meta,
        "labels": {**template.metadata.labels, **meta.get("labels", {})},
        "annotations": {**meta.get("annotations", {}), **template.metadata.annotations},
    }
    return {"metadata": {k: v for k, v in merged_meta.items() if v}, "spec": _merge(pod["spec"], template.spec)}


def _merge(base: Any, patch: Any, field: str = "") -> Any:
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: _merge(base.get(key), value, key) for key, value in patch.items()}
    if field == "containers" and patch is None:
        return base  # without them there would be no pod
    if isinstance(base, list) and isinstance(patch, list):
        if field in _APPENDED:
            return base + patch
        if field in _MERGE_KEY:
            return _merge_named(base, patch, _MERGE_KEY[field])
    return patch


def _merge_named(base: list[Obj], patch: list[Obj], key: str) -> list[Obj]:
    merged = {item.get(key): item for item in base}
    strange = []
    for item in patch:
        name = item.get(key) if isinstance(item, dict) else None
        if isinstance(name, str | int):
            merged[name] = _merge(merged[name], item) if name in merged else item
        else:
            strange.append(item)  # the API server reports what is wrong with it
    return [*merged.values(), *strange]
