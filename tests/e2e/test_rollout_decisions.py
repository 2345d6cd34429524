"""Somebody decides otherwise in the middle of a rollout, under load and SIGKILLs of the operator: nothing is lost."""

from tests.e2e.load import load
from tests.e2e.rollouts import handled, nothing_lost, revise, settled, state, status
from tests.e2e.world import PATIENCE, World
from tests.waiting import wait_until

HALF = {"weight": 50, "pause": True}
CLIMB = [{"weight": weight, "hold": "4s"} for weight in (10, 20, 30, 40)]


def weight(world: World) -> int:
    """What percent of the requests the candidate is to answer."""
    return int(status(world).get("candidate", {}).get("weight", 0))


def test_a_candidate_that_has_requests_gives_way_to_a_newer_one(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        old = revise(world, 301, canary={"steps": [HALF]})
        second = state(world, "Paused")["candidate"]["revision"]
        world.patch("modeldeployment", served, runtime={"jobQueueSize": 302})
        third = state(world, "Paused")["candidate"]["revision"]
        world.annotate("md", served, resume="go")
        assert settled(world) == third
    nothing_lost(result)
    assert set(result["by"]) == {old, second, third}
    told = {line["revision"]: (line["outcome"], line["reason"]) for line in status(world)["history"]}
    assert told[second] == ("Replaced", f"revision {third} is to serve instead")
    assert told[old] == ("Served", f"revision {third} took over")


def test_a_pause_stops_a_canary_and_a_resume_lets_it_go_on(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        revise(world, 303, canary={"steps": [*CLIMB, HALF]})
        wait_until("it has requests", lambda: weight(world), PATIENCE)
        world.annotate("md", served, pause="let me look")
        reached = state(world, "Paused")["candidate"]
        paused_at = result.asked_by_now()
        wait_until("any hold is over", lambda: result.asked_by_now() > paused_at + 200, PATIENCE)
        world.annotate("md", served, abort="00000000")  # is nobody's name: it only shows that the operator looked
        handled(world, pause="let me look", abort="00000000")
        now = status(world)
        assert (now["paused"], now["state"]) == (True, "Paused")
        assert (now["candidate"]["step"], now["candidate"]["weight"]) == (reached["step"], reached["weight"])
        world.annotate("md", served, resume="looks well")
        wait_until("its weight rises", lambda: weight(world) > reached["weight"], PATIENCE)
        world.annotate("md", served, promote="looks well")
        assert settled(world) == reached["revision"]
    nothing_lost(result)
    handled(world, resume="looks well", promote="looks well")


def test_a_promotion_in_the_middle_leaves_the_other_steps_out(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        old = revise(world, 304, canary={"steps": [{"weight": 20, "hold": "1h"}, HALF]})
        wait_until("it has requests", lambda: weight(world), PATIENCE)
        new = status(world)["candidate"]["revision"]
        world.annotate("md", served, promote=new)
        assert settled(world) == new
    nothing_lost(result)
    assert set(result["by"]) == {old, new}
    assert status(world)["lastHandled"]["promote"] == new


def test_a_canary_that_took_over_is_undone_without_steps(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        old = revise(world, 305, canary={"steps": [HALF]})
        new = state(world, "Paused")["candidate"]["revision"]
        world.annotate("md", served, promote=new)
        assert settled(world) == new
        world.annotate("md", served, undo="it was better before")
        wait_until("the old one serves", lambda: status(world)["stable"]["revision"] == old, PATIENCE)
        assert settled(world) == old
    nothing_lost(result)
    undone = status(world)["diverted"]
    assert (undone["revision"], undone["insteadOf"], undone["reason"]) == (old, new, "Undone")


def test_a_switch_comes_by_itself_and_is_undone_by_name(world: World, served: str, attacked: None) -> None:
    with load(world, served) as result:
        blue = revise(world, 306, blueGreen={"keep": "0s"})
        green = settled(world)
        assert green != blue
        world.annotate("md", served, undo=blue)
        wait_until("blue serves", lambda: status(world)["stable"]["revision"] == blue, PATIENCE)
        assert settled(world) == blue
    nothing_lost(result)
    assert set(result["by"]) == {blue, green}


def test_a_candidate_gives_way_when_the_spec_is_taken_back_and_when_it_is_undone_in_the_middle(
    world: World, served: str, attacked: None
) -> None:
    with load(world, served) as result:
        revise(world, 307, canary={"steps": [HALF]})
        world.annotate("md", served, promote=state(world, "Paused")["candidate"]["revision"])
        first = settled(world)
        world.patch("modeldeployment", served, runtime={"jobQueueSize": 308})
        state(world, "Paused")
        world.patch("modeldeployment", served, runtime={"jobQueueSize": 307})
        assert settled(world) == first
        world.patch("modeldeployment", served, runtime={"jobQueueSize": 309})
        state(world, "Paused")
        world.annotate("md", served, undo="in the middle")
        handled(world, undo="in the middle")
        assert settled(world) == first
    nothing_lost(result)
