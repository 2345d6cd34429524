"""One step of a rollout: which revision is wanted, what has to exist for it, and who receives the requests.

The wanted revision comes up beside the serving one. When as many of its pods are ready as the spec asks for, the
Service is pointed at it in one write, and it is the stable one from then on.
"""

from lamplighter.api.deployment import ResolvedModel, RevisionStatus
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Obj, timestamp
from lamplighter.core.plan import Event, Plan
from lamplighter.deployment import model, revision, workload
from lamplighter.deployment.observe import health
from lamplighter.deployment.revision import Revision, object_name
from lamplighter.deployment.verdict import DeploymentView, complaints, describe, waiting

DEFAULT_REPLICAS = 1


def step(view: DeploymentView, default_image: str) -> Plan:
    """Keep what serves, and bring what is wanted one step nearer."""
    try:
        resolved = model.resolve(view.snapshot, view.spec)
    except TerminalError as error:
        return _hold(view, error, default_image)
    return _roll(view, resolved, default_image)


def _hold(view: DeploymentView, error: TerminalError, default_image: str) -> Plan:
    """There is no model to roll out: what serves goes on serving."""
    status = view.draft()
    if status.stable is not None:
        status.candidate = None
    create: list[Obj] = []
    patch: list[Obj] = []
    if status.stable is not None:
        stable = status.stable.revision
        status.stable.ready_replicas = health(view.snapshot, stable, _replicas(view)).ready
        _sustain(view, revision.find(view.snapshot, stable), default_image, create, patch)
        _direct(view, stable, create, patch)
    waiting(view, status, error)
    return view.plan(status, create=(tuple(create),), patch=tuple(patch), events=complaints(view, status))


def _roll(view: DeploymentView, resolved: ResolvedModel, default_image: str) -> Plan:
    snapshot, status = view.snapshot, view.draft()
    in_use = [entry.revision for entry in (status.stable, status.candidate) if entry]
    wanted = revision.current(snapshot, view.spec, resolved, in_use)
    keep = () if revision.find(snapshot, wanted.name) else (revision.freeze(snapshot, wanted),)
    create: list[Obj] = []
    patch: list[Obj] = []
    events: tuple[Event, ...] = ()
    _sustain(view, wanted, default_image, create, patch)
    seen = health(snapshot, wanted.name, _replicas(view))
    before = status.stable
    if before is not None and before.revision != wanted.name:
        _sustain(view, revision.find(snapshot, before.revision), default_image, create, patch)
    if before is not None and before.revision == wanted.name:
        status.stable, status.candidate = _entry(view, before, wanted, resolved, seen.ready), None
    elif seen.complete:
        status.stable, status.candidate = _entry(view, None, wanted, resolved, seen.ready), None
        events = (Event("Normal", "RolledOut", f"revision {wanted.name} serves {_which(resolved)}"),)
    else:
        status.candidate = _entry(view, status.candidate, wanted, resolved, seen.ready)
        if before is not None:
            before.ready_replicas = health(snapshot, before.revision, _replicas(view)).ready
    _direct(view, status.stable.revision if status.stable else wanted.name, create, patch)
    describe(view, status, wanted.name, seen)
    events += complaints(view, status)
    return view.plan(status, create=(keep, tuple(create)), patch=tuple(patch), events=events)


def _sustain(
    view: DeploymentView, wanted: Revision | None, default_image: str, create: list[Obj], patch: list[Obj]
) -> None:
    """See to it that a revision has its Deployment, of the size that the spec asks for."""
    if wanted is None:
        return
    replicas = _replicas(view)
    existing = view.snapshot.owned("Deployment", object_name(view.snapshot.name, wanted.name))
    if existing is None:
        create.append(workload.deployment(view.snapshot, wanted, replicas, default_image))
    elif existing["spec"].get("replicas") != replicas:
        patch.append(workload.scale(existing, replicas))


def _replicas(view: DeploymentView) -> int:
    return DEFAULT_REPLICAS if view.spec.replicas is None else view.spec.replicas


def _direct(view: DeploymentView, serving: str, create: list[Obj], patch: list[Obj]) -> None:
    """See to it that the Service selects the serving revision."""
    service = view.snapshot.owned("Service", view.snapshot.name)
    if service is None:
        create.append(workload.service(view.snapshot, serving))
    elif service["spec"].get("selector") != workload.selector(view.snapshot, serving):
        patch.append(workload.repoint(service, view.snapshot, serving))


def _entry(
    view: DeploymentView, old: RevisionStatus | None, wanted: Revision, resolved: ResolvedModel, ready: int
) -> RevisionStatus:
    same = old is not None and old.revision == wanted.name
    since = old.since if old is not None and same else timestamp(view.now)
    return RevisionStatus(revision=wanted.name, model=resolved, since=since, ready_replicas=ready)


def _which(resolved: ResolvedModel) -> str:
    origin = f"run {resolved.run} of {resolved.training}" if resolved.training else resolved.uri
    return f"{origin}, sha256 {resolved.sha256}"
