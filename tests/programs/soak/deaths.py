"""The ways in which a pod's program ends: exit code, the container's reason, the termination message, and its cause."""

import json
import random
from dataclasses import dataclass

from lamplighter.api.failures import Cause
from lamplighter.core.objects import Obj, timestamp
from lamplighter.engine.reconcile import utc_now

SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Death:
    """How a container ended. ``cause`` is what it must be taken for when nothing else happens to its gang."""

    exit_code: int
    message: str
    cause: Cause | None = None
    reason: str = "Error"


def _told(code: int, reason: str, cause: Cause) -> Death:
    said = {"reason": reason, "exitCode": code, "message": f"{reason} by the dice", "tail": ["a line", reason]}
    return Death(code, json.dumps(said), cause)


SUCCESS = Death(0, json.dumps({"reason": "Succeeded"}), reason="Completed")
PACKAGED = Death(
    0, json.dumps({"reason": "Packaged", "sha256": SHA, "sizeBytes": 1, "file": "model.mar"}), reason="Completed"
)
PEER_LOST = _told(1, "PeerLost", Cause.INFRASTRUCTURE)
TERMINATED = _told(143, "Terminated", Cause.INFRASTRUCTURE)
GPU_FAILED = _told(1, "GPUFailed", Cause.HARDWARE)
_WEIGHTED = (
    (3, _told(1, "UserError", Cause.USER_ERROR)),
    (1, _told(78, "ConfigurationError", Cause.USER_ERROR)),
    (1, Death(2, "Traceback (most recent call last):\nValueError: no launcher of ours", Cause.USER_ERROR)),
    (1, Death(1, '{"reason": "Use', Cause.USER_ERROR)),
    (2, Death(137, "", Cause.OUT_OF_MEMORY, "OOMKilled")),
    (2, _told(75, "Hang", Cause.HANG)),
    (2, GPU_FAILED),
    (5, PEER_LOST),
    (5, TERMINATED),
    (3, _told(69, "MasterUnreachable", Cause.INFRASTRUCTURE)),
    (2, _told(1, "StoreFailed", Cause.INFRASTRUCTURE)),
    (4, Death(137, "", Cause.INFRASTRUCTURE)),
)


def any_of(dice: random.Random) -> Death:
    """A death by chance; mostly one that is not the user's fault."""
    weights, deaths = zip(*_WEIGHTED, strict=True)
    return dice.choices(deaths, weights)[0]


def status(pod: Obj, death: Death) -> Obj:
    """The fields of the pod's status that its kubelet would write."""
    now = timestamp(utc_now())
    ended = {"exitCode": death.exit_code, "reason": death.reason, "message": death.message, "finishedAt": now}
    containers = [
        entry | {"ready": False, "started": False, "state": {"terminated": ended}}
        for entry in pod["status"].get("containerStatuses") or ()
    ]
    phase = "Failed" if death.exit_code else "Succeeded"
    return {"phase": phase, "containerStatuses": containers}
