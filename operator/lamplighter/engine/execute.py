"""Executes a plan: create, patch, status, events, delete, in that order, each guarded.

A crash between any two calls leaves a state from which the next reconcile continues.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lamplighter.core.errors import TerminalError, TransientError
from lamplighter.core.naming import OWNER_LABEL
from lamplighter.core.objects import Obj, controller_uid, labels, ref
from lamplighter.core.plan import Event, Plan, Snapshot
from lamplighter.engine.api import Api, ApiError
from lamplighter.engine.index import Index

CONTROLLER = "lamplighter.dev/operator"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


async def execute(
    plan: Plan,
    snapshot: Snapshot,
    api: Api,
    index: Index,
    identity: str,
    now: datetime,
    hurry: Callable[[], bool] = lambda: False,
) -> bool:
    """Execute the plan. Returns False when it stopped after a wave of creates because ``hurry`` returned True.

    Raises:
        TerminalError: the API server refuses an object, or the name belongs to something else.
        TransientError: the snapshot was stale; the index is up to date now, so plan again.
        ApiError: anything else, which a retry may fix.
    """
    for place, wave in enumerate(plan.create, start=1):
        await _all([_create(obj, snapshot, api, index) for obj in wave])
        if wave and place < len(plan.create) and hurry():
            return False
    for obj in plan.patch:
        await _patch(obj, api, index)
    if plan.status is not None:
        await _write_status(plan.status, snapshot, api, index)
    for place, event in enumerate(plan.events):  # their times show people which came first
        await _tell(event, snapshot, api, identity, now + timedelta(microseconds=place))
    for target in plan.delete:
        await api.delete(target)
    return True


async def _all(creates: list) -> None:  # type: ignore[type-arg]
    """Send a wave at once, wait until every request has ended, then raise the first error."""
    if len(creates) == 1:
        await creates[0]
        return
    outcomes = await asyncio.gather(*creates, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _create(obj: Obj, snapshot: Snapshot, api: Api, index: Index) -> None:
    try:
        index.learn(await api.create(obj))
    except ApiError as error:
        if error.already_exists:
            await _adopt(obj, snapshot, api, index)
        elif error.refused:
            raise TerminalError("Refused", f"the API server refuses {ref(obj)}: {error.message}") from error
        else:
            raise


async def _adopt(obj: Obj, snapshot: Snapshot, api: Api, index: Index) -> None:
    """The name is taken: by our own object from before a crash, by one that is being deleted, or by something else."""
    existing = await api.get(ref(obj))
    if existing is None:
        raise TransientError(f"{ref(obj)} was deleted a moment ago")
    owner = controller_uid(existing)
    ours = owner == snapshot.uid if controller_uid(obj) else labels(obj).items() <= labels(existing).items()
    if ours:
        index.learn(existing)
        raise TransientError(f"{ref(obj)} already existed: the snapshot was stale")
    if owner is not None and labels(existing).get(OWNER_LABEL[snapshot.obj["kind"]]) == snapshot.name:
        raise TransientError(f"{ref(obj)} of an earlier {snapshot.obj['kind']} {snapshot.name} is still being deleted")
    raise TerminalError(
        "NameTaken",
        f"{ref(obj)} exists and is not part of this {snapshot.obj['kind']} ({_belongs(existing)}), so it is left "
        f"alone. Delete or rename it, or give this {snapshot.obj['kind']} another name",
    )


async def _patch(obj: Obj, api: Api, index: Index) -> None:
    try:
        index.learn(await api.patch(obj))
    except ApiError as error:
        if error.refused:
            raise TerminalError("Refused", f"the API server refuses to change {ref(obj)}: {error.message}") from error
        if error.gone:
            raise TransientError(f"{ref(obj)} is gone: the snapshot was stale") from error
        raise


async def _write_status(status: Obj, snapshot: Snapshot, api: Api, index: Index) -> None:
    obj = snapshot.obj
    meta = {field: obj["metadata"][field] for field in ("name", "namespace", "uid", "resourceVersion")}
    body = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta, "spec": obj["spec"]}
    try:
        index.learn(await api.replace_status(body | {"status": status}))
    except ApiError as error:
        if error.gone:
            index.remove(obj)  # a late answer may have brought it back after its DELETED event
            return
        if error.status == 409:
            newest = await api.get(ref(obj))
            if newest is not None:
                index.learn(newest)
            raise TransientError("the object changed while its status was written") from error
        raise


async def _tell(event: Event, snapshot: Snapshot, api: Api, identity: str, now: datetime) -> None:
    """Send a Kubernetes Event. Nothing depends on it, so a failure is only logged.

    Its name starts with its time, since `kubectl describe` sorts Events of this API by name.
    """
    meta = snapshot.obj["metadata"]
    unique = f"{(now - _EPOCH) // timedelta(microseconds=1):014x}{uuid.uuid4().hex[:8]}"
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{snapshot.name}.{unique}", "namespace": snapshot.namespace},
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "type": event.type,
        "reason": event.reason,
        "action": "Reconcile",
        "note": event.message.encode()[:1024].decode(errors="ignore"),  # the limit is in bytes
        "reportingController": CONTROLLER,
        "reportingInstance": identity[:128],
        "regarding": {
            "apiVersion": snapshot.obj["apiVersion"],
            "kind": snapshot.obj["kind"],
            "name": snapshot.name,
            "namespace": snapshot.namespace,
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
    }
    try:
        await api.create(body)
    except ApiError as error:
        log.warning("an Event could not be sent: %s", error)


def _belongs(obj: Obj) -> str:
    owners = obj["metadata"].get("ownerReferences") or ()
    return f"it belongs to {owners[0]['kind']} {owners[0]['name']}" if owners else "it has no owner"
