"""Nodes and reports: who has to look at them, and what a snapshot shows."""

import pytest
from tests.builders import a_job, a_node, a_pod, a_training
from tests.builders.objects import Builder, Obj
from tests.builders.trainings import reported

from lamplighter.engine.index import Index
from lamplighter.engine.queue import Key

TRAINING = Key("ModelTraining", "team", "digits")
JOB = a_job(a_training().obj()).obj()


def version(builder: Builder, number: int) -> Obj:
    """The object as of a resource version."""
    return builder.meta(resourceVersion=str(number)).obj()


@pytest.fixture
def index() -> Index:
    """A training with a pod on node-1; node-2 has none."""
    index = Index(with_nodes=True)
    index.put(version(a_training(), 1))
    index.put(version(a_pod(JOB).on("node-1"), 2))
    index.put(version(a_node("node-1"), 3))
    index.put(version(a_node("node-2"), 4))
    for number in range(3, 9):
        index.put(version(a_node(f"node-{number}"), number + 2))
    return index


def nodes(index: Index) -> set[str] | None:
    """The Nodes that a snapshot of the training shows."""
    snapshot = index.snapshot(TRAINING)
    assert snapshot is not None
    return None if snapshot.nodes is None else set(snapshot.nodes)


def test_a_node_that_changes_wakes_those_whose_pods_it_runs(index: Index) -> None:
    assert index.put(version(a_node("node-1").silent(), 5)) == {TRAINING}
    assert index.put(version(a_node("node-2").silent(), 6)) == set()


def test_the_heartbeat_of_a_node_queues_no_key(index: Index) -> None:
    beating = a_node("node-1")
    beating._obj["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-11-21T12:00:10Z"
    assert index.put(version(beating, 5)) == set()


def test_old_news_of_a_node_are_dropped(index: Index) -> None:
    index.put(version(a_node("node-1"), 9))
    assert index.put(version(a_node("node-1").silent(), 8)) == set()


def test_a_node_that_goes_wakes_those_whose_pods_it_ran(index: Index) -> None:
    assert index.remove(a_node("node-1").obj()) == {TRAINING}
    assert index.remove(a_node("node-1").obj()) == set()
    assert nodes(index) == set()


def test_a_node_that_a_listing_does_not_have_is_gone(index: Index) -> None:
    assert index.sweep("Node", None, {("", f"node-{number}") for number in range(2, 9)}) == {TRAINING}
    assert nodes(index) == set()


def test_a_snapshot_shows_the_nodes_of_its_pods_and_no_other(index: Index) -> None:
    assert nodes(index) == {"node-1"}


def test_when_most_nodes_are_silent_nothing_is_known_of_any(index: Index) -> None:
    for number in range(1, 5):
        index.put(version(a_node(f"node-{number}").silent(), 20))
    assert nodes(index) == {"node-1"}
    assert index.put(version(a_node("node-5").silent(), 20)) == {TRAINING}
    assert nodes(index) is None


def test_whose_node_stays_silent_is_woken_when_the_others_are_back(index: Index) -> None:
    for number in range(1, 6):
        index.put(version(a_node(f"node-{number}").silent(), 20))
    assert index.put(version(a_node("node-5"), 21)) == {TRAINING}
    assert nodes(index) == {"node-1"}


def test_without_a_watch_of_nodes_a_snapshot_has_none() -> None:
    index = Index()
    index.put(version(a_training(), 1))
    assert index.put(version(a_node("node-1"), 2)) == set()
    assert index.remove(a_node("node-1").obj()) == set()
    assert index.sweep("Node", None, set()) == set()
    assert nodes(index) is None


def test_the_newest_report_is_shown_and_goes_with_its_object(index: Index) -> None:
    index.note(TRAINING, reported(1))
    index.note(TRAINING, reported(2))
    snapshot = index.snapshot(TRAINING)
    assert snapshot is not None
    assert snapshot.report == reported(2)
    assert list(index.reports()) == [(TRAINING, reported(2))]
    index.remove(a_training().obj())
    assert list(index.reports()) == []


def test_a_report_about_nothing_that_is_known_is_dropped(index: Index) -> None:
    index.note(Key("ModelTraining", "team", "gone"), reported(1))
    assert list(index.reports()) == []
