"""A revision: a model and how it is served. Each has a Deployment of its own and is frozen in a ControllerRevision."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from lamplighter.api.common import PodTemplate, Resources
from lamplighter.api.deployment import DeploymentSpec, ModelSignature, ResolvedModel, Runtime
from lamplighter.core.naming import REVISION, child, child_labels, digest
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.serving.workers import workers

_FIELDS = ("runtime", "resources", "template")


@dataclass(frozen=True, slots=True)
class Revision:
    """A model and how it is served."""

    name: str
    model: ResolvedModel
    runtime: Runtime
    resources: Resources
    template: PodTemplate
    signature: ModelSignature | None = None


def object_name(deployment: str, revision: str) -> str:
    """Name of the revision's ControllerRevision and Deployment."""
    return f"{deployment}-{revision}"


def current(snapshot: Snapshot, spec: DeploymentSpec, model: ResolvedModel, in_use: Collection[str] = ()) -> Revision:
    """The revision that this spec and model ask for: one that is known already, or a new one.

    Known revisions are compared as parsed specs, so that a newer operator with new defaults sees no new revision; of
    several that are equal, one that is ``in_use`` is taken.
    """
    signature = spec.model.signature
    wanted = Revision("", model, spec.runtime, spec.resources, spec.template, signature)
    for frozen in sorted(known(snapshot), key=lambda entry: entry.name not in in_use):
        if _content(frozen) == _content(wanted):
            return frozen
    identity: dict[str, object] = {"model": _identity(model)}
    if signature is not None:
        identity["signature"] = signature.model_dump()
    return replace(wanted, name=digest(identity | {field: snapshot.obj["spec"].get(field) for field in _FIELDS}))


def _content(revision: Revision) -> tuple[object, ...]:
    """What makes two revisions the same: workers counted from the resources equal the same number set explicitly."""
    runtime = revision.runtime.model_copy(update={"workers": workers(revision.runtime, revision.resources)})
    return _identity(revision.model), runtime, revision.resources, revision.template, revision.signature


def _identity(model: ResolvedModel) -> list[str]:
    """A model is its digest. A URI that the user wrote counts too: it may have been wrong and corrected."""
    return [model.sha256] if model.training else [model.sha256, model.uri]


def known(snapshot: Snapshot) -> list[Revision]:
    """All revisions that are frozen, in no particular order."""
    return [_thaw(obj) for obj in snapshot.all_owned("ControllerRevision")]


def find(snapshot: Snapshot, name: str) -> Revision | None:
    """The frozen revision of this name."""
    obj = snapshot.owned("ControllerRevision", object_name(snapshot.name, name))
    return _thaw(obj) if obj is not None else None


def freeze(snapshot: Snapshot, revision: Revision) -> Obj:
    """The ControllerRevision that keeps a revision as the user wrote it."""
    owner = snapshot.obj
    written = {field: owner["spec"][field] for field in _FIELDS if field in owner["spec"]}
    own = child(
        owner,
        "apps/v1",
        "ControllerRevision",
        object_name(snapshot.name, revision.name),
        child_labels(owner, **{REVISION: revision.name}),
    )
    if revision.signature is not None:
        written["signature"] = revision.signature.model_dump(mode="json")
    model = revision.model.model_dump(mode="json", exclude_none=True)
    return {**own, "data": {"model": model, **written}, "revision": _next_number(snapshot)}


def _thaw(obj: Obj) -> Revision:
    data = obj["data"]
    return Revision(
        name=obj["metadata"]["labels"][REVISION],
        model=ResolvedModel.model_validate(data["model"]),
        runtime=Runtime.model_validate(data.get("runtime", {})),
        resources=Resources.model_validate(data.get("resources", {})),
        template=PodTemplate.model_validate(data.get("template", {})),
        signature=ModelSignature.model_validate(data["signature"]) if "signature" in data else None,
    )


def _next_number(snapshot: Snapshot) -> int:
    return 1 + max((obj["revision"] for obj in snapshot.all_owned("ControllerRevision")), default=0)
