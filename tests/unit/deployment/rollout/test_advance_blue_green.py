"""Blue-green: a switch with a preview before and a warm way back after it."""

from itertools import pairwise

from tests.builders import Scene
from tests.builders.routers import frame_in, version
from tests.unit.deployment.scenes import (
    BLUE_GREEN,
    over,
    ready,
    rolling,
    size,
    stable,
    stuck,
    weights,
    workloads,
)

BY_HAND = {"blueGreen": {"autoPromote": False}}


def test_a_green_revision_comes_up_in_full_size_with_a_preview_and_no_request() -> None:
    scene, blue, green = rolling(strategy=BY_HAND)
    assert size(scene, green) == 4
    assert "digits-preview" in scene.names("Service")
    ready(scene, green).settle()
    assert weights(scene) == {blue: 100}
    assert scene.told("Ready")[1] == "Paused"


def test_a_promotion_switches_everything_at_once_and_keeps_the_old_one_warm() -> None:
    scene, blue, green = rolling(strategy=BY_HAND)
    ready(scene, green).settle()
    scene.annotate(promote=green.removeprefix("digits-")).settle()
    assert (weights(scene), stable(scene)) == ({green: 100}, green)
    assert blue in workloads(scene.later(300).settle())
    assert workloads(scene.later(400).settle()) == [green]


def test_without_a_hold_the_switch_comes_when_all_pods_are_ready() -> None:
    scene, blue, green = rolling(strategy=BLUE_GREEN)
    assert weights(ready(scene, green, 3).settle()) == {blue: 100}
    assert weights(ready(scene, green, 4).settle()) == {green: 100}


def test_an_undo_while_the_old_one_is_warm_needs_no_new_pod() -> None:
    scene, blue, green = rolling(strategy=BLUE_GREEN)
    ready(scene, green).settle()
    scene.annotate(undo="now").settle()
    assert (weights(scene), stable(scene)) == ({blue: 100}, blue)


def test_a_switch_waits_until_routers_have_the_listener_that_shows_what_is_switched_to() -> None:
    scene, _, green = rolling(strategy=BLUE_GREEN)
    seen, follow = [], scene.cluster

    def watched(scene: Scene) -> None:
        follow(scene)
        seen.append((frame_in(scene.child("ConfigMap", "digits-router")), weights(scene)))

    scene.cluster = watched
    ready(scene, green).settle()
    assert weights(scene) == {green: 100}
    both = [(old, new) for old, new in pairwise(seen) if old[0] != new[0] and old[1] != new[1]]
    assert both == []


def test_nothing_shifts_when_routers_refuse_the_listeners_of_a_switch() -> None:
    scene, blue, green = rolling(strategy=BLUE_GREEN)
    before = version(scene)
    assert before is not None
    stuck(ready(scene, green), before).settle()
    assert version(scene) != before
    assert (weights(over(scene)), stable(scene)) == ({blue: 100}, blue)
