"""A training with its Job and pod in an index, and what its pod says."""

import asyncio
import base64
import json
from typing import Any

from tests.builders import a_job, a_pod, a_training
from tests.builders.objects import NOW, Builder, Obj, at

from lamplighter.api.progress import PROGRESS_AUDIENCE
from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key
from lamplighter.progress.tokens import Caller

KEY = Key("ModelTraining", "team", "digits")
WALL = NOW.timestamp()


def a_running_training(
    run: int = 1, attempt: int = 1, state: str = "Running", job: str | None = None, stage: str = "train"
) -> Builder:
    """A training whose status names the Job of this attempt."""
    current = {"number": run, "attempt": attempt, "state": state, "job": job or f"digits-{run}-{attempt}"}
    return a_training("digits").status(run=current | {"stage": stage})


def a_scene(
    training: Builder | None = None, *, run: int = 1, stage: str = "train", attempt: int = 1
) -> tuple[Index, Obj, Obj]:
    """An index with a training, the Job of an attempt and its pod; the Job and the pod."""
    index = Index()
    obj = (training or a_running_training()).obj()
    job = a_job(obj, run=run, stage=stage, attempt=attempt).obj()
    pod = a_pod(job).running().meta(creationTimestamp=at(-60)).obj()
    for one in (obj, job, pod):
        index.put(one)
    return index, job, pod


def caller_of(pod: Obj, since: float = 0.0, *, namespace: str = "", name: str = "", uid: str = "") -> Caller:
    """Who has a token of this pod."""
    meta = pod["metadata"]
    return Caller(namespace or meta["namespace"], name or meta["name"], uid or meta["uid"], since)


def a_report(sequence: int = 1, **changed: Any) -> bytes:
    """What a launcher sends; None leaves a field out."""
    fields = {"run": 1, "attempt": 1, "sequence": sequence, "heartbeat": at(-1), **changed}
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()


def a_token(number: int = 1, expires: float = WALL + 3600, audience: Any = PROGRESS_AUDIENCE) -> str:
    """Something that looks like a token for us."""
    claims = {"aud": audience, "exp": expires, "jti": str(number)}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({}, claims, "signature"))
    return ".".join(part.rstrip("=") for part in parts)


def a_review(pod: Obj, **changed: Any) -> Obj:
    """The API server's answer about the token of a pod."""
    meta, prefix = pod["metadata"], "authentication.kubernetes.io/pod-"
    extra = {f"{prefix}name": [meta["name"]], f"{prefix}uid": [meta["uid"]]}
    user = {"username": f"system:serviceaccount:{meta['namespace']}:default", "extra": extra}
    return {"authenticated": True, "audiences": [PROGRESS_AUDIENCE], "user": user, **changed}


def removed(index: Index, obj: Obj) -> None:
    """The watch delivers that it was deleted."""
    index.remove(obj)
    assert index.child(KEY, obj["kind"], obj["metadata"]["name"]) is None


class OnePod:
    """A reviewer that knows one pod, and answers when it may."""

    def __init__(self, pod: Obj) -> None:
        self._pod = pod
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def review_token(self, token: str, audience: str) -> Obj:
        """The status of a TokenReview."""
        assert token.count(".") == 2
        self.asked.set()
        await self.may_answer.wait()
        return a_review(self._pod, audiences=[audience])


def step_of(index: Index) -> int | None:
    """The step in the last report of the training."""
    report = index.report(KEY)
    return report.measured.step if report is not None else None
