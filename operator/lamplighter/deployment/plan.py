"""The plan of a ModelDeployment: keep what serves, bring up what is wanted, remove what nobody needs. Pure."""

from datetime import datetime

from lamplighter.api.deployment import ModelDeployment
from lamplighter.core.errors import TerminalError
from lamplighter.core.objects import Ref
from lamplighter.core.plan import Plan, Snapshot
from lamplighter.deployment import model, rollout, verdict
from lamplighter.deployment.tidy import tidy
from lamplighter.deployment.verdict import DeploymentView


def reads(snapshot: Snapshot, _: datetime) -> list[Ref]:
    """What a plan needs beyond the watched children: the training that is followed."""
    return model.references(snapshot.obj)


def plan(snapshot: Snapshot, now: datetime, default_image: str) -> Plan:
    """What to do about a deployment now. ``default_image`` is TorchServe's, for revisions that name none."""
    if "deletionTimestamp" in snapshot.obj["metadata"]:
        return Plan()
    view = _view(snapshot, now)
    return tidy(view, rollout.step(view, default_image))


def blocked(snapshot: Snapshot, now: datetime, error: TerminalError, look_again: float) -> Plan:
    """What to write when the API server refused what was planned."""
    return verdict.blocked(_view(snapshot, now), error, look_again)


def _view(snapshot: Snapshot, now: datetime) -> DeploymentView:
    parsed = ModelDeployment.model_validate(snapshot.obj)
    return DeploymentView(snapshot, parsed.spec, parsed.status, now)
