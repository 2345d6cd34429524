"""How a story ended: what exists, without what differs between two stories that went the same way."""

import json
import re
from collections.abc import Iterable
from typing import Any

from lamplighter.core.objects import Obj

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_EXECUTIONS = re.compile(r'"executions": \d+')
"""Told apart by whole seconds, which stories on fake nodes are faster than."""
_VERSION = re.compile(r'(config": "|version_info\\": \\")[0-9]+-[0-9a-f]{8}')
"""Of the router's configuration: the names of the revisions' Services are in it, and so that of the story."""
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_META = ("name", "labels", "ownerReferences")
_OF_THE_SERVER = ("clusterIP", "clusterIPs", "volumeName")
_STATUS = ("ModelTraining", "ModelDeployment")
_OTHERS = ("Pod",)
"""Made by controllers, under names of their own."""


def ending(objects: Iterable[Obj], name: str) -> dict[str, Any]:
    """What there is in the end, by kind and name; the name of the story, uids and times are replaced."""
    left: dict[str, Any] = {}
    for obj in objects:
        if obj["kind"] not in _OTHERS:
            text = _without_accidents(json.dumps(_essence(obj), sort_keys=True), name, obj)
            left[f"{obj['kind']} {obj['metadata']['name'].replace(name, 'NAME')}"] = json.loads(text)
    return left


def _essence(obj: Obj) -> Obj:
    meta = {field: obj["metadata"][field] for field in _META if field in obj["metadata"]}
    kept = {"metadata": meta} | {field: obj[field] for field in ("data", "immutable", "revision") if field in obj}
    if "spec" in obj:
        kept["spec"] = {field: value for field, value in obj["spec"].items() if field not in _OF_THE_SERVER}
    if obj["kind"] in _STATUS:
        run = obj["status"].get("run", {})
        kept["status"] = obj["status"] | ({"run": {**run, "suspendedSeconds": 0}} if run else {})
    return kept


def _without_accidents(text: str, name: str, obj: Obj) -> str:
    owners = obj["metadata"].get("ownerReferences", ())
    text = _VERSION.sub(r"\1VERSION", text)
    text = _EXECUTIONS.sub('"executions": "COUNT"', _TIME.sub("TIME", text))
    for uid in {obj["metadata"]["uid"], *(owner["uid"] for owner in owners)}:
        text = text.replace(f"{name}-{uid[:8]}", "NAME-UID")
    return _UID.sub("UID", text).replace(name, "NAME")
