"""Names and labels. The name of an object follows from what it belongs to, so that any replica finds it again."""

import hashlib
import json
from typing import Any

from lamplighter.api import API_VERSION
from lamplighter.core.objects import Obj, labels

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "lamplighter"
OPERATOR = {"app.kubernetes.io/name": "lamplighter-operator"}
"""Labels of the operator's own pods, as in manifests/."""
OWNER_UID = "lamplighter.dev/owner-uid"
OWNER_LABEL = {"ModelTraining": "lamplighter.dev/training", "ModelDeployment": "lamplighter.dev/deployment"}
RUN = "lamplighter.dev/run"
STAGE = "lamplighter.dev/stage"
ATTEMPT = "lamplighter.dev/attempt"
REVISION = "lamplighter.dev/revision"
LEADER = "lamplighter.dev/leader"
RETRAIN = "lamplighter.dev/retrain"
PROMOTE = "lamplighter.dev/promote"
ABORT = "lamplighter.dev/abort"
PAUSE = "lamplighter.dev/pause"
RESUME = "lamplighter.dev/resume"
SKIP = "lamplighter.dev/skip"
UNDO = "lamplighter.dev/undo"
COMPONENT = "lamplighter.dev/component"
CONFIG = "lamplighter.dev/config"
ROUTER = "lamplighter.dev/router"
SELECTOR = f"{MANAGED_BY}={MANAGER}"


def owner_reference(owner: Obj) -> Obj:
    """Makes the owner the controller of a child: deleting the owner deletes the child."""
    return {
        "apiVersion": API_VERSION,
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def child_labels(owner: Obj, **more: str) -> dict[str, str]:
    """Labels of every child: its owner, by name for people and by uid for the operator."""
    meta = owner["metadata"]
    return {
        MANAGED_BY: MANAGER,
        OWNER_LABEL[owner["kind"]]: meta["name"],
        OWNER_UID: meta["uid"],
        **more,
    }


def child(owner: Obj, api_version: str, kind: str, name: str, labels: dict[str, str], **body: Any) -> Obj:
    """A child object that the owner controls."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(owner)],
        },
        **body,
    }


def run_number(obj: Obj) -> int | None:
    """The run that a child belongs to; None when its label is missing."""
    text = labels(obj).get(RUN, "")
    return int(text) if text.isdecimal() else None


def digest(content: Any) -> str:
    """Eight hexadecimal digits that identify this content (JSON, keys sorted)."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
