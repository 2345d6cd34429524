"""A canary goes through its steps, each only when the candidate can carry it and every router pod has it."""

import pytest
from tests.builders.routers import Carrier
from tests.unit.deployment.scenes import (
    candidate,
    lagging,
    over,
    ready,
    rolling,
    size,
    stable,
    step,
    stepping,
    weights,
    workloads,
)

pytestmark = pytest.mark.usefixtures("each_provider")


def test_a_candidate_gets_as_many_pods_as_its_first_weight_takes_and_no_request_before_they_are_ready() -> None:
    scene, old, new = rolling({"weight": 40})
    assert (size(scene, old), size(scene, new)) == (4, 2)
    assert weights(ready(scene, new, 1).settle()) == {old: 100}


def test_the_first_weight_is_set_when_the_pods_are_ready() -> None:
    scene, old, new = stepping()
    assert weights(scene) == {old: 80, new: 20}
    assert (scene.told("Ready")[1], step(scene)) == ("Holding", "1/3")


def test_a_step_is_held_for_its_time() -> None:
    scene, old, new = stepping()
    assert scene.waits() == 60
    assert weights(scene.later(59).settle()) == {old: 80, new: 20}
    scene.later(2).settle()
    assert step(scene) == "2/3"
    assert weights(scene) == {old: 80, new: 20}
    assert weights(ready(scene, new).settle()) == {old: 50, new: 50}


def test_a_promotion_is_no_news_for_the_routers(each_provider: Carrier) -> None:
    scene, old, new = rolling({"weight": 50})
    ready(scene, new).settle()
    ready(scene, new)
    seen = []
    for _ in range(6):
        scene.act()
        seen += [(each_provider.version(scene), stable(scene))] if weights(scene) == {new: 100} else []
    assert {name for _, name in seen} == {old, new}
    assert len({told for told, _ in seen}) == 1


def test_a_hold_begins_when_every_router_pod_has_the_weight() -> None:
    scene, old, new = rolling()
    follow = scene.cluster
    lagging(ready(scene, new))
    scene.settle()
    assert weights(scene) == {old: 100}
    scene.cluster = follow
    scene.later(100).settle()
    assert weights(scene) == {old: 80, new: 20}
    assert scene.waits() == 60


def test_after_the_last_step_the_candidate_gets_everything_and_is_stable() -> None:
    scene, _old, new = stepping()
    for _ in range(2):
        ready(scene.later(61).settle(), new).settle()
    assert weights(scene) == {new: 100}
    assert (stable(scene), candidate(scene)) == (new, None)
    assert workloads(over(scene)) == [new]
    assert (size(scene, new), scene.told("Ready")[:2]) == (4, ("True", "Ready"))


def test_stable_keeps_all_its_pods_until_the_candidate_carries_the_load() -> None:
    scene, old, new = stepping()
    for _ in range(2):
        assert size(scene, old) == 4
        ready(scene.later(61).settle(), new).settle()
    assert size(scene, old) == 4


def test_a_weight_falls_with_the_ready_pods_and_rises_again_with_them() -> None:
    scene, old, new = stepping({"weight": 50, "hold": "60s"})
    assert weights(ready(scene, new, 1).settle()) == {old: 75, new: 25}
    assert scene.told("Ready")[1] == "RollingOut"
    assert weights(ready(scene, new, 0).settle()) == {old: 100}
    assert weights(ready(scene, new, 2).settle()) == {old: 50, new: 50}
    assert scene.waits() == 60


def test_a_pause_waits_for_somebody() -> None:
    scene, old, new = stepping({"weight": 20, "pause": True})
    assert scene.later(100000).settle().told("Ready")[1] == "Paused"
    assert weights(scene) == {old: 80, new: 20}
    scene.annotate(resume="1").settle()
    assert weights(ready(scene, new).settle()) == {new: 100}


def test_a_mirrored_candidate_gets_copies_and_no_weight() -> None:
    scene, old, new = rolling({"weight": 0, "mirror": 30, "hold": "60s"})
    assert size(scene, new) == 2
    assert scene.obj["status"]["candidate"]["mirror"] == 0
    ready(scene, new).settle()
    assert (weights(scene), scene.obj["status"]["candidate"]["mirror"]) == ({old: 100}, 30)
    assert "a copy of 30 %" in scene.told("Ready")[2]


def test_a_new_spec_in_the_middle_replaces_the_candidate() -> None:
    scene, old, new = stepping()
    scene.edit(runtime={"workers": 3}).settle()
    assert weights(scene) == {old: 100}
    assert candidate(scene) not in (old, new)
    assert new in workloads(scene)
    assert new not in workloads(over(scene))
    line = scene.obj["status"]["history"][0]
    assert (f"digits-{line['revision']}", line["outcome"]) == (new, "Replaced")


def test_the_spec_of_the_stable_revision_again_ends_the_rollout() -> None:
    scene, old, _new = stepping()
    scene.edit(runtime=None).settle()
    assert (weights(scene), candidate(scene)) == ({old: 100}, None)
    assert workloads(over(scene)) == [old]
    assert scene.told("Ready")[0] == "True"


def test_a_candidate_that_gets_no_further_is_told_of_with_the_reason() -> None:
    scene, old, new = rolling()
    scene.later(601).settle()
    assert scene.told("Stalled")[:2] == ("True", "ProgressDeadlineExceeded")
    assert "0 of 1 pods of revision" in scene.told("Stalled")[2]
    assert weights(ready(scene, new).settle()) == {old: 80, new: 20}
    assert scene.told("Stalled")[0] == "False"


def test_routers_that_never_follow_are_told_of() -> None:
    scene, _old, new = rolling()
    lagging(ready(scene, new)).later(601).settle()
    assert scene.told("Stalled")[:2] == ("True", "ProgressDeadlineExceeded")
    assert f"not every {scene.provider.router} has the newest split" in scene.told("Stalled")[2]


@pytest.mark.parametrize("replicas", [1, 2, 3, 7])
def test_the_candidate_always_has_the_pods_for_its_weight(replicas: int) -> None:
    scene, _, new = stepping({"weight": 30, "hold": "60s"}, replicas=replicas)
    assert size(scene, new) * 100 >= 30 * replicas
    assert size(scene, new) >= 1


def test_steps_that_fall_keep_the_pods_until_the_routers_have_the_lower_weight() -> None:
    scene, _, new = stepping({"weight": 100, "hold": "60s"}, {"weight": 25, "hold": "60s"})
    scene.later(61)
    scene.act()
    assert size(scene, new) == 4
    scene.settle()
    assert size(scene, new) == 1


def test_a_hold_goes_on_while_a_router_pod_is_silent_and_ends_only_when_it_speaks() -> None:
    scene, old, new = stepping({"weight": 20, "hold": "60s"})
    follow = scene.cluster
    lagging(scene).later(61).settle()
    assert (weights(scene), scene.told("Ready")[1]) == ({old: 80, new: 20}, "RollingOut")
    assert f"not every {scene.provider.router} confirms" in scene.told("Ready")[2]
    assert scene.later(601).settle().told("Stalled")[1] == "ProgressDeadlineExceeded"
    scene.cluster = follow
    assert step(scene.settle()) == "2/2"


def test_another_setting_of_the_router_does_not_begin_a_hold_anew() -> None:
    scene, _, _ = stepping({"weight": 20, "hold": "60s"})
    scene.later(30).settle().edit(router={"accessLog": True}).settle()
    assert scene.waits() == 30


def test_pods_stay_until_every_router_pod_has_the_lower_weight() -> None:
    scene, _, new = stepping({"weight": 100, "hold": "60s"}, {"weight": 25, "hold": "60s"})
    follow = scene.cluster
    scene.later(61).act()
    lagging(scene).settle()
    assert size(scene, new) == 4
    scene.cluster = follow
    scene.settle()
    assert size(scene, new) == 1


def test_a_long_pause_is_no_lack_of_progress() -> None:
    scene, _, new = stepping()
    scene.annotate(pause="1").settle()
    ready(scene.later(10000).settle(), new, 0).settle()
    scene.annotate(resume="1").settle()
    assert scene.told("Stalled")[0] == "False"


def test_a_step_that_falls_is_not_held_before_the_stable_revision_can_take_its_share() -> None:
    scene, old, new = rolling({"weight": 50}, {"weight": 10, "hold": "1h"})
    ready(ready(scene, new), old, 1).settle()
    assert (weights(scene), step(scene)) == ({old: 50, new: 50}, "2/3")
    assert scene.told("Ready")[1] == "RollingOut"
    ready(scene, old).settle()
    assert (weights(scene), scene.told("Ready")[1]) == ({old: 90, new: 10}, "Holding")


def test_nothing_is_called_available_while_the_candidate_alone_has_pods_and_not_everything() -> None:
    scene, old, new = stepping()
    ready(scene, old, 0).settle()
    assert weights(scene) == {old: 80, new: 20}
    assert scene.told("Available")[:2] == ("False", "NothingServes")
