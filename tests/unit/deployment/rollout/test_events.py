"""The Events of a rollout tell its story."""

from tests.builders import Scene, a_deployment
from tests.unit.deployment.scenes import (
    candidate,
    coming_up,
    over,
    ready,
    serving,
)

STEPS = {"canary": {"steps": [{"weight": 25, "pause": True}, {"weight": 50, "hold": "1h"}]}}


def told(scene: Scene) -> list[str]:
    """The reasons of the Events until nothing changes any more."""
    before = len(scene.events)
    scene.settle()
    return [event.reason for event in scene.events[before:]]


def canary() -> Scene:
    """Four pods serve, and the spec asks for another revision."""
    return serving(a_deployment().replicas(4).spec(strategy=STEPS)).edit(runtime={"workers": 2})


def test_a_first_revision_tells_only_that_it_serves() -> None:
    scene = coming_up()
    assert scene.events == []
    assert told(ready(scene, candidate(scene) or "")) == ["RolledOut"]


def test_a_canary_tells_each_weight_and_when_it_waits_for_a_person() -> None:
    scene = canary()
    assert told(scene) == ["RolloutStarted"]
    assert told(ready(scene, candidate(scene) or "", 1)) == ["WeightChanged", "Waiting"]
    assert "paused by this step" in scene.events[-1].message
    assert told(scene.annotate(resume="1")) == ["Resumed"]
    assert told(ready(scene, candidate(scene) or "", 2)) == ["WeightChanged"]
    assert scene.events[-1].message.endswith("gets 50 % of the requests (25 % before)")
    assert told(ready(scene.annotate(promote="1"), candidate(scene) or "", 4))[::2] == ["Promoting", "RolledOut"]
    over(scene)
    assert scene.events[-1].reason == "Removed"


def test_a_weight_that_falls_and_a_candidate_that_is_replaced_are_told() -> None:
    scene = canary()
    told(scene)
    told(ready(scene, candidate(scene) or "", 1))
    assert told(ready(scene, candidate(scene) or "", 0)) == ["WeightChanged"]
    assert told(scene.edit(runtime={"workers": 3}))[:2] == ["Replaced", "RolloutStarted"]


def test_a_recreate_does_not_tell_that_both_are_there() -> None:
    scene = serving(a_deployment().spec(strategy={"recreate": {}})).edit(runtime={"workers": 2})
    assert told(scene) == ["RolloutStarted"]
    assert scene.events[-1].message.endswith("starts when all other pods have terminated")
