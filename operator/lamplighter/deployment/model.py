"""Which model is served: the spec's choice, resolved to a digest."""

from lamplighter.api.deployment import DeploymentSpec, ResolvedModel
from lamplighter.api.training import ModelTraining, RunRecord
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot


def references(deployment: Obj) -> list[Ref]:
    """The ModelTraining that a deployment follows; none when it names an archive."""
    reference = deployment["spec"]["model"].get("trainingRef")
    return [Ref("ModelTraining", deployment["metadata"]["namespace"], reference["name"])] if reference else []


def resolve(snapshot: Snapshot, spec: DeploymentSpec) -> ResolvedModel:
    """The model to serve now.

    Raises:
        TerminalError: there is none, or none yet; the message says what is awaited.
    """
    chosen = spec.model
    if chosen.training_ref is None:
        return ResolvedModel(uri=chosen.uri or "", sha256=chosen.sha256 or "")
    name, pinned = chosen.training_ref.name, chosen.training_ref.run
    found = snapshot.related.get(("ModelTraining", name))
    if found is None:
        raise TerminalError(
            "TrainingNotFound",
            f"spec.model.trainingRef: there is no ModelTraining {name} in namespace {snapshot.namespace}. Create it or "
            "correct the name; this deployment then continues automatically",
        )
    record = _record(ModelTraining.model_validate(found), pinned)
    if record is None or record.artifact is None:
        raise TerminalError("WaitingForModel", _what_is_missing(name, pinned, record))
    artifact = record.artifact
    return ResolvedModel(uri=artifact.uri, sha256=artifact.sha256, training=name, run=record.run)


def claim_and_path(uri: str) -> tuple[str, str]:
    """The claim and the path in it of a ``pvc://claim/path`` URI."""
    claim, _, path = uri.removeprefix("pvc://").partition("/")
    return claim, path


def _record(training: ModelTraining, pinned: int | None) -> RunRecord | None:
    status = training.status
    if pinned is None:
        return status.latest
    return next((entry for entry in [*status.history, status.latest] if entry and entry.run == pinned), None)


def _what_is_missing(name: str, pinned: int | None, record: RunRecord | None) -> str:
    if pinned is None:
        return f"ModelTraining {name} has no packaged model yet; this deployment continues when it has one"
    if record is None:
        return f"ModelTraining {name} has no finished run {pinned} in its history"
    return f"run {pinned} of ModelTraining {name} ({record.state.value}) produced no model"
