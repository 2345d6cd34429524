"""Whether a pod may report: only pods of the current attempt of a training may."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lamplighter.api.training import FINAL_STATES
from lamplighter.core.naming import ATTEMPT, OWNER_UID, STAGE, run_number
from lamplighter.core.objects import Obj, controller_uid, labels, moment
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key
from lamplighter.progress.refusal import Refusal
from lamplighter.progress.tokens import Caller
from lamplighter.training.stages import order

LAG = 10.0
"""Seconds that our watches may lag behind the API server, which has just confirmed that the pod exists."""

_STRANGER = "this pod does not belong to a running ModelTraining"
_UNKNOWN = "this pod is not known yet, try again"


@dataclass(frozen=True, slots=True)
class Sender:
    """A pod that may report for this training, with the run, stage and attempt of its labels."""

    key: Key
    pod: str
    uid: str
    run: int
    stage: str
    attempt: int
    born: datetime


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Run, stage and attempt, which the pod's labels have from its Job."""

    run: int
    stage: str
    attempt: int


def admit(index: Index, caller: Caller, now: float) -> Sender:
    """The training that the caller's pod works for. ``now`` is on the clock of ``caller.since``.

    Labels can be copied, so the chain of controllers decides: pod, Job, training. Only a user who may create pods in
    the namespace could forge it, and that user may run the training anyway.

    Raises:
        Refusal: the pod does not belong here (403), its attempt is over (410), or it is not known yet (503).
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
    born = moment(pod["metadata"]["creationTimestamp"])
    return Sender(key, caller.pod, caller.uid, own.run, own.stage, own.attempt, born)


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


def _attempt(pod: Obj) -> _Attempt | None:
    number, stage, text = run_number(pod), labels(pod).get(STAGE), labels(pod).get(ATTEMPT, "")
    return _Attempt(number, stage, int(text)) if number is not None and stage and text.isdecimal() else None


def _must_be_current(training: Obj, job: Obj | None, own: _Attempt) -> None:
    """Refuse a pod unless the training's status records its attempt and Job and the run has not ended."""
    run = training.get("status", {}).get("run") or {}
    current = _Attempt(run.get("number", 0), run.get("stage", ""), run.get("attempt", 0))
    if _comes_after(own, current):
        raise Refusal(503, "this attempt is not recorded yet, try again", 1.0)
    replaced = job is not None and run.get("job") != job["metadata"]["name"]
    if own != current or replaced or run.get("state") in FINAL_STATES or not order.named(own.stage).reports_progress:
        raise Refusal(410, f"attempt {own.attempt} of run {own.run} is over: stop reporting")


def _comes_after(own: _Attempt, current: _Attempt) -> bool:
    """True when the run reaches this attempt later than the other. Each stage counts its attempts from 1."""
    if own.run != current.run:
        return own.run > current.run
    if own.stage != current.stage:
        return order.comes_after(own.stage, current.stage)
    return own.attempt > current.attempt
