"""Each rule about what a deployment says of itself: one test each, with the sentence as people read it."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.builders import Scene, a_pod
from tests.builders.routers import router_says
from tests.unit.deployment.scenes import (
    coming_up,
    lagging,
    only,
    ready,
    rolling,
    serving,
    stepping,
)

from lamplighter.deployment import sentences
from lamplighter.deployment.sentences import Rule
from lamplighter.deployment.situation import Situation

HELD = {"weight": 20, "hold": "60s"}
BY_HAND = {"weight": 20, "pause": True}


def _routers_wait(scene: Scene) -> Scene:
    """The image of other router pods that the spec asks for does not exist; those that are there go on."""
    scene.cluster = lambda _: None
    scene.edit(router={"image": "registry.invalid/x:1"}).settle()
    return scene


def _no_image(scene: Scene, name: str) -> Scene:
    return scene.having(a_pod(scene.child("Deployment", name)).waiting("ErrImagePull", "not found")).settle()


def stalled_by_an_obstacle() -> Scene:
    scene = coming_up()
    return _no_image(scene, only(scene))


def held_up_by_an_obstacle() -> Scene:
    scene = coming_up()
    return scene.having(a_pod(scene.child("Deployment", only(scene))).unschedulable("no node fits")).settle()


def refused_by_a_router() -> Scene:
    scene, _, new = rolling()
    says = router_says("0-00000000", {})
    says["stats"].append({"name": "listener_manager.lds.update_rejected", "value": 1})
    places = [place for place in scene.related if place[0] == "RouterStatus"]
    scene.cluster = lambda scene: scene.related.update(dict.fromkeys(places, says))
    return ready(scene, new).settle().later(20).settle()


def late() -> Scene:
    return rolling()[0].later(601).settle()


def paused_by_annotation() -> Scene:
    return rolling()[0].annotate(pause="1").settle()


def paused_by_its_step() -> Scene:
    return stepping(BY_HAND)[0]


def held() -> Scene:
    return stepping(HELD)[0]


def held_without_an_answer() -> Scene:
    return lagging(stepping(HELD)[0]).later(61).settle()


def rolled_out() -> Scene:
    return rolling()[0]


def aborted() -> Scene:
    return rolling()[0].annotate(abort="1").settle()


def without_routers() -> Scene:
    scene = serving()
    (router,) = [name for name in scene.names("Deployment") if "-router-" in name]
    scene.cluster = lambda _: None
    for index in (0, 1):
        scene.having(a_pod(scene.child("Deployment", router), index).waiting("ErrImagePull", "not found"))
    return scene.settle()


def other_routers_with_an_obstacle() -> Scene:
    scene = _routers_wait(serving())
    (new,) = [name for name in scene.names("Deployment") if "-router-" in name and "44136fa3" not in name]
    return _no_image(scene, new)


def other_routers() -> Scene:
    return _routers_wait(serving())


def undone() -> Scene:
    scene, _old, new = rolling({"weight": 100})
    ready(scene, new).settle()
    return scene.annotate(undo="1").settle()


def scaled() -> Scene:
    return serving().edit(replicas=3).settle()


TABLE: list[tuple[Callable[[], Scene], str, str]] = [
    (stalled_by_an_obstacle, "ImagePullFailed", r"0 of 1 pods of revision \w+ are ready\. .*not found.*"),
    (held_up_by_an_obstacle, "Unschedulable", r"0 of 1 pods of revision \w+ are ready\. .*no node fits.*"),
    (
        refused_by_a_router,
        "RouterRefused",
        r"one router pod refuses its configuration and continues with the previous one; please report this, "
        r"with its log",
    ),
    (
        late,
        "ProgressDeadlineExceeded",
        r"no progress within spec\.strategy\.progressDeadline \(10m\): step 1/3, 0 % of the requests for revision \w+: "
        r"0 of 1 pods of revision \w+ are ready",
    ),
    (
        paused_by_annotation,
        "Paused",
        r"step 1/3, 0 % of the requests for revision \w+: paused by annotation; lamplighter\.dev/resume or "
        r"lamplighter\.dev/promote to continue, lamplighter\.dev/abort to abort",
    ),
    (
        paused_by_its_step,
        "Paused",
        r"step 1/2, 20 % .*: paused by this step; lamplighter\.dev/resume, lamplighter\.dev/skip or "
        r"lamplighter\.dev/promote to continue, lamplighter\.dev/abort to abort",
    ),
    (held, "Holding", r"step 1/2, 20 % of the requests for revision \w+: held for 60s since \S+"),
    (
        held_without_an_answer,
        "RollingOut",
        r"step 1/2, 20 % .*: held for 60s since \S+, but not every router pod confirms the newest split now",
    ),
    (rolled_out, "RollingOut", r"step 1/3, 0 % of .* for revision \w+: 0 of 1 pods of revision \w+ are ready"),
    (
        aborted,
        "Aborted",
        r"revision \w+ was aborted \(lamplighter\.dev/abort: 1\) and \w+ serves\. Change the spec, or try it again: "
        r"lamplighter\.dev/undo: \w+",
    ),
    (without_routers, "RouterNotReady", r".* are ready, but no router pod is ready \(0 of 2\)\. .*not found.*"),
    (other_routers_with_an_obstacle, "RouterNotReady", r".*, but 0 of 2 router pods are ready\. .*not found.*"),
    (other_routers, "RollingOut", r"1 of 1 pods of revision \w+ are ready, but 0 of 2 router pods are ready"),
    (
        undone,
        "Ready",
        r"4 of 4 pods of revision \w+ are ready; the spec asks for \w+ \(lamplighter\.dev/undo: 1\)",
    ),
    (scaled, "RollingOut", r"1 of 3 pods of revision \w+ are ready"),
]


@pytest.mark.parametrize(
    ("position", "make", "reason", "message"),
    [(position, *row) for position, row in enumerate(TABLE)],
    ids=[make.__name__ for make, _, _ in TABLE],
)
def test_a_deployment_says(
    position: int, make: Callable[[], Scene], reason: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    def noted(place: int, rule: Rule) -> Rule:
        def say(situation: Situation) -> str:
            used.append(place)
            return rule.say(situation)

        return replace(rule, say=say)

    monkeypatch.setattr(sentences, "RULES", tuple(noted(place, rule) for place, rule in enumerate(sentences.RULES)))
    scene = make()
    scene.plan()
    assert used[-1] == position
    assert scene.told("Ready")[1] == reason
    assert re.fullmatch(message, scene.told("Ready")[2])


def test_every_rule_has_its_test() -> None:
    assert len(TABLE) == len(sentences.RULES)
