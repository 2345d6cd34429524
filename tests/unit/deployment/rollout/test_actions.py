"""Promote, abort, pause, resume, skip and undo: annotations, each acted on once."""

import pytest
from tests.builders import Scene
from tests.unit.deployment.scenes import (
    candidate,
    only,
    over,
    ready,
    rolling,
    serving,
    stable,
    step,
    stepping,
    weights,
    workloads,
)

pytestmark = pytest.mark.usefixtures("each_provider")

VERBS = ["promote", "abort", "pause", "resume", "skip", "undo"]


def revision(name: str) -> str:
    """The revision of a Deployment."""
    return name.removeprefix("digits-")


def promoted() -> tuple[Scene, str, str]:
    """A second revision took over, and the first has gone: the scene and both names."""
    scene, old, new = stepping()
    scene.annotate(promote="go").settle()
    return over(ready(scene, new).settle()), old, new


def test_promote_leaves_out_what_remains_of_the_steps() -> None:
    scene, _, new = stepping()
    scene.annotate(promote="go").settle()
    assert weights(ready(scene, new).settle()) == {new: 100}
    assert stable(scene) == new


def test_promote_waits_for_the_pods_that_the_whole_load_takes() -> None:
    scene, old, new = stepping()
    scene.annotate(promote="go").settle()
    assert weights(scene) == {old: 80, new: 20}


def test_abort_gives_everything_back_at_once_and_says_so() -> None:
    scene, old, new = stepping()
    plan = scene.annotate(abort="bad answers").act()
    assert next((event.type, event.reason) for event in plan.events) == ("Normal", "Aborting")
    assert weights(scene) == {old: 100}
    assert workloads(over(scene.settle())) == [old]
    assert scene.told("Ready")[:2] == ("False", "Aborted")
    assert f"lamplighter.dev/undo: {revision(new)}" in scene.told("Stalled")[2]
    line = scene.obj["status"]["history"][0]
    assert (line["revision"], line["outcome"], line["reason"]) == (
        revision(new),
        "Aborted",
        "lamplighter.dev/abort: bad answers",
    )


def test_of_a_deployment_that_is_to_have_no_pods_nothing_that_was_given_up_stays() -> None:
    scene, old, _ = stepping()
    ready(scene.edit(replicas=0), old, 0)
    scene.annotate(abort="1").settle()
    assert (candidate(scene), workloads(over(scene))) == (None, [old])


def test_a_promotion_without_a_candidate_ends_a_pause_and_says_so() -> None:
    scene = serving().annotate(pause="1").settle()
    plan = scene.annotate(promote="1").act()
    assert [event.reason for event in plan.events] == ["Resumed"]
    assert [event.reason for event in scene.annotate(promote="2").act().events] == ["Ignored"]


def test_an_undo_can_be_aborted_and_the_history_says_so() -> None:
    scene, old, new = promoted()
    scene.annotate(undo="1").settle()
    assert candidate(scene) == old
    plan = scene.annotate(abort="better after all").act()
    assert [event.reason for event in plan.events] == ["Aborting"]
    scene.settle()
    assert (stable(scene), candidate(scene), scene.obj["status"].get("diverted")) == (new, None, None)
    line = scene.obj["status"]["history"][0]
    assert (line["revision"], line["outcome"]) == (revision(old), "Aborted")
    assert line["reason"] == "lamplighter.dev/abort: better after all"
    assert scene.told("Ready")[:2] == ("True", "Ready")


def test_an_aborted_revision_does_not_come_back_until_the_spec_changes() -> None:
    scene, old, new = stepping()
    scene.annotate(abort="1").settle()
    over(scene)
    assert candidate(scene.edit(replicas=5).settle()) is None
    scene.edit(runtime={"workers": 3}).settle()
    assert candidate(scene) not in (None, old, new)
    assert scene.told("Ready")[1] == "RollingOut"


def test_an_aborted_revision_is_tried_again_by_name_with_all_its_steps() -> None:
    scene, old, new = stepping()
    over(scene.annotate(abort="1").settle())
    scene.annotate(undo=revision(new)).settle()
    assert (candidate(scene), step(scene)) == (new, "1/3")
    assert weights(ready(scene, new).settle()) == {old: 80, new: 20}


def test_an_abort_that_stays_behind_does_not_hit_the_next_candidate() -> None:
    scene, old, _ = stepping()
    over(scene.annotate(abort="1").settle())
    scene.edit(runtime={"workers": 3}).settle()
    third = candidate(scene)
    assert third is not None
    assert weights(ready(scene, third).settle()) == {old: 80, third: 20}
    assert scene.obj["status"]["lastHandled"] == {"abort": "1"}


def test_an_abort_that_names_another_revision_does_nothing() -> None:
    scene, old, new = stepping()
    scene.annotate(abort=revision(old)).settle()
    assert candidate(scene) == new
    assert scene.obj["status"]["lastHandled"] == {"abort": revision(old)}


def test_without_a_stable_revision_there_is_nothing_to_abort_to() -> None:
    scene = rolling()[0]
    first = serving().annotate(abort="1").settle()
    assert first.told("Ready")[0] == "True"
    assert scene.obj["status"]["stable"]


def test_undo_goes_back_to_what_served_before_without_steps() -> None:
    scene, old, new = promoted()
    scene.annotate(undo="1").settle()
    assert candidate(scene) == old
    assert weights(ready(scene, old).settle()) == {old: 100}
    assert over(scene).told("Ready")[0] == "True"
    assert f"the spec asks for {revision(new)}" in scene.told("Ready")[2]


def test_undo_to_a_revision_by_its_name() -> None:
    scene, old, _ = promoted()
    scene.annotate(undo=revision(old)).settle()
    assert candidate(scene) == old


def test_undo_in_the_middle_of_a_rollout_ends_it() -> None:
    scene, old, _ = stepping()
    scene.annotate(undo="1").settle()
    assert (weights(scene), candidate(scene)) == ({old: 100}, None)


def test_undoing_the_undo_is_what_the_spec_asks_for() -> None:
    scene, old, new = promoted()
    over(ready(scene.annotate(undo="1").settle(), old).settle())
    scene.annotate(undo="2").settle()
    over(ready(scene, new).settle())
    assert stable(scene) == new
    assert "diverted" not in scene.obj["status"]


def test_undo_with_nothing_before_says_so() -> None:
    scene = serving()
    plan = scene.annotate(undo="1").act()
    assert [(event.type, event.reason) for event in plan.events] == [("Warning", "NothingToUndo")]
    assert scene.settle().told("Ready")[0] == "True"


def test_pause_holds_the_weight_and_resume_goes_on() -> None:
    scene, old, new = stepping()
    scene.annotate(pause="1").later(1000).settle()
    assert (weights(scene), scene.told("Ready")[1]) == ({old: 80, new: 20}, "Paused")
    ready(scene.annotate(resume="1").settle(), new).settle()
    assert weights(scene) == {old: 50, new: 50}


def test_a_resume_that_ends_a_pause_by_hand_does_not_end_the_pause_of_a_step() -> None:
    scene, _, _ = stepping({"weight": 20, "hold": "60s", "pause": True})
    scene.annotate(pause="1").settle()
    scene.annotate(resume="1").later(100).settle()
    assert (scene.told("Ready")[1], step(scene)) == ("Paused", "1/2")


def test_a_paused_deployment_begins_no_step() -> None:
    scene = serving().annotate(pause="1").settle()
    old = only(scene)
    scene.edit(runtime={"workers": 2}).settle()
    new = candidate(scene)
    assert new is not None
    assert weights(ready(scene, new).settle()) == {old: 100}


def test_skip_ends_one_step() -> None:
    scene, old, new = stepping()
    ready(scene.annotate(skip="1").settle(), new).settle()
    assert (weights(scene), step(scene)) == ({old: 50, new: 50}, "2/3")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("value", ["", " ", "é" * 300, "no such revision", "0" * 8])
def test_no_value_hurts(verb: str, value: str) -> None:
    scene = stepping()[0].annotate(**{verb: value}).settle()
    assert len(scene.obj["status"].get("lastHandled", {}).get(verb, "")) <= 256
    serving().annotate(**{verb: value}).settle()


@pytest.mark.parametrize(("verb", "reason"), [("undo", "NothingToUndo"), ("abort", "Ignored"), ("promote", "Ignored")])
def test_a_revision_that_is_not_known_is_no_nonce(verb: str, reason: str) -> None:
    scene, old, new = stepping()
    plan = scene.annotate(**{verb: "deadbeef"}).act()
    assert [event.reason for event in plan.events] == [reason]
    assert weights(scene.settle()) == {old: 80, new: 20}


def test_an_undo_does_not_wait_for_the_end_of_a_pause() -> None:
    scene, old, _ = promoted()
    scene.annotate(pause="1").settle()
    scene.annotate(undo="1").settle()
    assert weights(ready(scene, old).settle()) == {old: 100}


def test_what_served_is_not_forgotten_for_what_never_did() -> None:
    scene, old, _ = promoted()
    scene.edit(revisionHistoryLimit=100)
    for workers in range(3, 30):
        over(scene.edit(runtime={"workers": workers}).settle())
    assert len(scene.obj["status"]["history"]) == 20
    assert f"digits-{scene.obj['status']['history'][-1]['revision']}" == old
