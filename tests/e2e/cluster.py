"""The API server of the kind cluster, read over one kept connection: a kubectl process costs a hundred times as much.

What a test does to the cluster goes through kubectl, as people do it; what it looks at again and again comes from here.
"""

import functools
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from kubernetes import client, config
from tests import tools

Obj = dict[str, Any]
_OURS, _CORE, _APPS, _BATCH = "/apis/lamplighter.dev/v1alpha1", "/api/v1", "/apis/apps/v1", "/apis/batch/v1"
_PATHS = {
    "modeltrainings": _OURS,
    "modeldeployments": _OURS,
    "pods": _CORE,
    "services": _CORE,
    "configmaps": _CORE,
    "persistentvolumeclaims": _CORE,
    "nodes": _CORE,
    "controllerrevisions": _APPS,
    "deployments": _APPS,
    "jobs": _BATCH,
}
_SHORT = {"mt": "modeltrainings", "md": "modeldeployments", "pvc": "persistentvolumeclaims"}


def get(kind: str, name: str, namespace: str = "") -> Obj:
    """An object by its kind as kubectl knows it (``pod``, ``pods``, ``mt``); empty when there is none."""
    return _read(f"{_path(kind, namespace)}/{quote(name)}")


def items(kinds: str, selector: str, namespace: str = "") -> list[Obj]:
    """All objects of some kinds (``jobs,pods``) that a label selector matches."""
    query = urlencode({"labelSelector": selector})
    return [obj for kind in kinds.split(",") for obj in _read(f"{_path(kind, namespace)}?{query}").get("items", ())]


def _path(kind: str, namespace: str) -> str:
    plural = _SHORT.get(kind) or (kind if kind in _PATHS else f"{kind}s")
    return f"{_PATHS[plural]}/{f'namespaces/{namespace}/' if namespace else ''}{plural}"


def _read(path: str) -> Obj:
    """What is there; nothing when it is not."""
    api = _api()
    response = api.call_api("GET", f"{api.configuration.host}{path}", {"Accept": "application/json"})
    body = response.read()
    if response.status == 404:
        return {}
    if response.status != 200:
        raise RuntimeError(f"GET {path} was answered with {response.status}: {body.decode(errors='replace')}")
    found: Obj = orjson.loads(body)
    return found


@functools.cache
def _api() -> client.ApiClient:
    """Threads share its pool of connections."""
    return config.new_client_from_config(str(tools.kubeconfig("kind")))
