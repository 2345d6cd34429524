"""Waiting until something was seen of all."""

import pytest
from tests.programs.bench.server import Obj
from tests.programs.bench.sightings import Sightings, UnfinishedError, complete, in_state, made


def training(name: str, state: str) -> Obj:
    return {"metadata": {"name": name}, "status": {"run": {"state": state}}}


def test_the_first_sight_counts() -> None:
    jobs = Sightings("with a Job", made)
    jobs.tell({"metadata": {"name": "a-1-1", "labels": {"lamplighter.dev/training": "a"}}}, 1.0)
    jobs.tell({"metadata": {"name": "a-1-1", "labels": {"lamplighter.dev/training": "a"}}}, 2.0)
    jobs.tell({"metadata": {"name": "bare"}}, 3.0)
    assert jobs.wait(["a", "bare"], 0.0) == {"a": 1.0, "bare": 3.0}


def test_what_is_never_seen_is_named() -> None:
    jobs = Sightings("with a Job", made)
    jobs.tell({"metadata": {"name": "a"}}, 1.0)
    with pytest.raises(UnfinishedError, match="1 of 2 were never seen with a Job within 0 s, among them b"):
        jobs.wait(["a", "b"], 0.0)


def test_a_training_that_fails_ends_the_wait() -> None:
    done = Sightings("in state Succeeded", in_state("Succeeded"))
    done.tell(training("a", "Running"), 1.0)
    done.tell(training("a", "Failed"), 2.0)
    with pytest.raises(UnfinishedError, match="training a is Failed, not Succeeded"):
        done.wait(["a"], 60.0)


def test_a_broken_watch_ends_the_wait() -> None:
    jobs = Sightings("with a Job", made)
    jobs.fail("the watch broke")
    with pytest.raises(UnfinishedError, match="the watch broke"):
        jobs.wait(["a"], 60.0)


def test_a_dead_operator_ends_the_wait() -> None:
    def dead() -> None:
        raise UnfinishedError("the operator ended with status 1")

    with pytest.raises(UnfinishedError, match="status 1"):
        Sightings("with a Job", made, dead).wait(["a"], 60.0)


def test_a_job_is_complete_when_its_condition_says_so() -> None:
    job: Obj = {"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert complete(job) == "a"
    assert complete({"metadata": {"name": "a"}}) is None
