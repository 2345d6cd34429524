"""Freezes what a run starts with: its spec in a ControllerRevision, its source in an immutable ConfigMap.

Attempt 2 runs the code of attempt 1, whatever was edited in between. Whether the spec changed is decided by comparing
parsed specs, so that a newer operator with new defaults sees no change where the user made none.
"""

from lamplighter.api.training import TrainingSpec
from lamplighter.core.errors import TerminalError
from lamplighter.core.naming import RUN, child, child_labels
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Snapshot
from lamplighter.training.view import TrainingView

_STEERING = ("suspend", "on_change", "ttl_after_finished", "history_limit")
_LIVE = ("failure_policy", "active_deadline", "checkpoint", "progress")
_CONTROLS = (*_STEERING, *_LIVE)
"""Fields that do not change what is trained, so changing them starts no new run. The live ones apply to the run under
way: at once, or from its next attempt on if they are passed to the pods."""
_DEFAULTS = {name: TrainingSpec.model_fields[name].get_default(call_default_factory=True) for name in _CONTROLS}
"""Computed once: when the operator starts, it compares every finished training with its frozen spec."""


def essence(spec: TrainingSpec) -> TrainingSpec:
    """The part of the spec that a run depends on; the rest is reset to its defaults."""
    reset = dict(_DEFAULTS)
    if spec.elastic is not None:
        reset["nodes"] = spec.elastic.max_nodes  # the width may change while the gang runs
    return spec.model_copy(update=reset)


def in_force(view: TrainingView, run: int) -> TrainingSpec:
    """The spec that applies to a run under way: the frozen one with the live fields as they are now."""
    return live(view, frozen_spec(view.snapshot, run) or essence(view.spec))


def live(view: TrainingView, spec: TrainingSpec) -> TrainingSpec:
    """A frozen spec with the live fields as they are now."""
    fields = {name: getattr(view.spec, name) for name in _LIVE}
    if spec.elastic is not None:
        fields["nodes"] = min(max(view.spec.nodes, spec.elastic.min_nodes), spec.elastic.max_nodes)
    return spec.model_copy(update=fields)


def name(training: str, run: int) -> str:
    """Name of the ControllerRevision and of the source copy of a run."""
    return f"{training}-{run}"


def revision(owner: Obj, run: int) -> Obj:
    """The ControllerRevision that keeps the user's spec of this run as it was written."""
    own = child(owner, "apps/v1", "ControllerRevision", name(owner["metadata"]["name"], run), _labels(owner, run))
    aliases = {TrainingSpec.model_fields[field].alias for field in _CONTROLS}
    kept = {key: value for key, value in owner["spec"].items() if key not in aliases}
    return {**own, "data": {"spec": kept}, "revision": run}


def kept_revision(snapshot: Snapshot, run: int) -> Obj | None:
    """The ControllerRevision of a run; None when it is gone."""
    return snapshot.owned("ControllerRevision", name(snapshot.name, run))


def frozen_spec(snapshot: Snapshot, run: int) -> TrainingSpec | None:
    """The spec that a run was started with; None when its ControllerRevision is gone."""
    kept = kept_revision(snapshot, run)
    return None if kept is None else essence(TrainingSpec.model_validate(kept["data"]["spec"]))


def source_copy(snapshot: Snapshot, spec: TrainingSpec, run: int) -> Obj | None:
    """The immutable copy of the source of this run; None when the scripts are in the image.

    Raises:
        TerminalError: the ConfigMap, or the entrypoint in it, does not exist.
    """
    if spec.source is None:
        return None
    config_map = spec.source.config_map
    original = snapshot.related.get(("ConfigMap", config_map))
    if original is None:
        raise TerminalError(
            "SourceNotFound",
            f"spec.source.configMap: there is no ConfigMap {config_map} in namespace {snapshot.namespace}. Create it; "
            "the training then starts automatically",
        )
    files = sorted({*(original.get("data") or {}), *(original.get("binaryData") or {})})
    if spec.entrypoint not in files:
        raise TerminalError(
            "EntrypointNotFound",
            f"spec.entrypoint: {spec.entrypoint} is not in ConfigMap {config_map} "
            f"(it has: {', '.join(files[:20]) or 'nothing'}). Correct the name or add the file",
        )
    copy = child(snapshot.obj, "v1", "ConfigMap", name(snapshot.name, run), _labels(snapshot.obj, run), immutable=True)
    return copy | {key: original[key] for key in ("data", "binaryData") if original.get(key)}


def _labels(owner: Obj, run: int) -> dict[str, str]:
    return child_labels(owner, **{RUN: str(run)})
