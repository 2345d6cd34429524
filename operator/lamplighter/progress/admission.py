"""Whether a pod may report: it is a pod of the attempt that its training is in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lamplighter.api.training import FINAL_STATES
from lamplighter.core.naming import ATTEMPT, OWNER_UID, run_number
from lamplighter.core.objects import Obj, controller_uid, labels, moment
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.tokens import Caller
from lamplighter.training.stages.order import TRAIN

LAG = 10.0
"""Seconds that our watches may be behind the API server, which has just confirmed that the pod exists."""

_STRANGER = "this pod does not belong to a running ModelTraining"
_UNKNOWN = "this pod is not known yet, try again"


@dataclass(frozen=True, slots=True)
class Sender:
    """A pod that may report for this training, and what its labels say."""

    key: Key
    pod: str
    uid: str
    run: int
    attempt: int
    born: datetime


def admit(index: Index, caller: Caller, now: float) -> Sender:
    """The training that the caller's pod works for. ``now`` is on the clock of ``caller.since``.

    Labels can be copied, so the chain of controllers counts: pod, Job, training. Only who may create pods in the
    namespace could forge that, and such a person may run the training anyway.

    Raises:
        Refusal: a stranger (403), of an attempt that is over (410), or not known yet (503).
    """
    found = index.pod(caller.namespace, caller.pod)
    if found is None:
        raise _unknown(caller, now)
    key, pod = found
    training = index.get(key)
    if key.kind != "ModelTraining" or pod["metadata"]["uid"] != caller.uid:
        raise Refusal(403, _STRANGER)
    if training is None or labels(pod).get(OWNER_UID) != training["metadata"]["uid"]:
        raise Refusal(410, f"{key} does not exist any more: stop reporting")
    job = _job(index, key, pod)
    own = _attempt(pod)
    if own is None or (job is not None and controller_uid(job) != training["metadata"]["uid"]):
        raise Refusal(403, _STRANGER)
    _must_be_current(training, job, own)
    if job is None:
        raise _unknown(caller, now)
    return Sender(key, caller.pod, caller.uid, *own, moment(pod["metadata"]["creationTimestamp"]))


def _unknown(caller: Caller, now: float) -> Refusal:
    return Refusal(503, _UNKNOWN, 1.0) if now - caller.since < LAG else Refusal(403, _STRANGER)


def _job(index: Index, key: Key, pod: Obj) -> Obj | None:
    """The Job that controls the pod."""
    owners: Iterable[Obj] = pod["metadata"].get("ownerReferences") or ()
    for owner in owners:
        if owner.get("controller") and owner["kind"] == "Job":
            job = index.child(key, "Job", owner["name"])
            return job if job is not None and job["metadata"]["uid"] == owner["uid"] else None
    raise Refusal(403, _STRANGER)


def _attempt(pod: Obj) -> tuple[int, int] | None:
    """Run and attempt, as the pod has them from its Job."""
    number, text = run_number(pod), labels(pod).get(ATTEMPT, "")
    return (number, int(text)) if number is not None and text.isdecimal() else None


def _must_be_current(training: Obj, job: Obj | None, own: tuple[int, int]) -> None:
    """The training's status names this attempt and its Job, and the run is not over."""
    run = training.get("status", {}).get("run") or {}
    current = (run.get("number", 0), run.get("attempt", 0))
    trains = run.get("stage", TRAIN) == TRAIN  # each stage counts its attempts anew
    if own > current and (trains or own[0] > current[0]):
        raise Refusal(503, "this attempt is not recorded yet, try again", 1.0)
    replaced = job is not None and run.get("job") != job["metadata"]["name"]
    if own != current or not trains or replaced or run.get("state") in FINAL_STATES:
        raise Refusal(410, f"attempt {own[1]} of run {own[0]} is over: stop reporting")
