"""While the API server refuses something, no weight rises, and none stays above what the candidate's pods can take."""

from tests.builders import Scene
from tests.builders.objects import Obj
from tests.builders.routers import split_in
from tests.unit.deployment.scenes import ready, rolling

from lamplighter.core.errors import TerminalError
from lamplighter.core.plan import Plan

STEPS = {"canary": {"steps": [{"weight": 50, "pause": True}]}}
REFUSED = TerminalError("Refused", "the API server refuses it: exceeded quota")


def halfway() -> tuple[Scene, str, str]:
    """Half of the requests go to the new revision."""
    scene, old, new = rolling(strategy=STEPS)
    return ready(scene, new, 2).settle(), old, new


def stuck(scene: Scene) -> Plan:
    """What is written when something is refused."""
    return scene.later(1).blocked(REFUSED, 60)


def config(plan: Plan) -> list[Obj]:
    """The configurations that a plan writes."""
    return [obj for obj in plan.patch if obj["kind"] == "ConfigMap"]


def test_the_weight_of_a_candidate_whose_pods_die_falls_all_the_same_and_the_status_says_so() -> None:
    scene, old, new = halfway()
    plan = stuck(ready(scene, new, 0))
    (written,) = config(plan)
    assert split_in(written) == {old.removeprefix("digits-"): 100}
    assert plan.status is not None
    assert (plan.status["candidate"]["weight"], plan.status["stable"]["weight"]) == (0, 100)
    assert plan.status["state"] == "Refused"
    assert (plan.create, plan.delete) == ((), ())


def test_nothing_else_is_done() -> None:
    scene, old, new = halfway()
    assert stuck(ready(scene, new, 4)).patch == ()
    assert stuck(ready(ready(scene, new, 1), old, 0)).patch == ()  # nobody else could take it
