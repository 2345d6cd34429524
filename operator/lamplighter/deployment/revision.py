"""A revision: a model and how it is served. Each has a Deployment of its own and is frozen in a ControllerRevision."""

from collections.abc import Collection
from dataclasses import dataclass

from lamplighter.api.common import PodTemplate, Resources
from lamplighter.api.deployment import DeploymentSpec, ResolvedModel, Runtime
from lamplighter.core.naming import REVISION, child, child_labels, digest
from lamplighter.core.objects import Obj
from lamplighter.core.plan import Snapshot

_FIELDS = ("runtime", "resources", "template")


@dataclass(frozen=True, slots=True)
class Revision:
    """A model and how it is served."""

    name: str
    model: ResolvedModel
    runtime: Runtime
    resources: Resources
    template: PodTemplate


def object_name(deployment: str, revision: str) -> str:
    """Name of the revision's ControllerRevision and Deployment."""
    return f"{deployment}-{revision}"


def current(snapshot: Snapshot, spec: DeploymentSpec, model: ResolvedModel, in_use: Collection[str] = ()) -> Revision:
    """The revision that this spec and model ask for: one that is known already, or a new one.

    Known revisions are compared as parsed specs, so that a newer operator with new defaults sees no new revision; of
    several that are equal, one that is ``in_use`` is taken.
    """
    identity = _identity(model)
    for frozen in sorted(known(snapshot), key=lambda entry: entry.name not in in_use):
        if _identity(frozen.model) == identity and all(getattr(frozen, f) == getattr(spec, f) for f in _FIELDS):
            return frozen
    name = digest({"model": identity, **{field: snapshot.obj["spec"].get(field) for field in _FIELDS}})
    return Revision(name, model, spec.runtime, spec.resources, spec.template)


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
    )


def _next_number(snapshot: Snapshot) -> int:
    return 1 + max((obj["revision"] for obj in snapshot.all_owned("ControllerRevision")), default=0)
