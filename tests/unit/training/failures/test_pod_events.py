"""Pods that were taken away while no operator lived: what Events still tell of them."""

from typing import Any

import pytest
from tests.builders import Scene, at
from tests.builders.objects import NAMESPACE, Obj
from tests.unit.training.gangs import job, pod, running

from lamplighter.core.objects import Ref
from lamplighter.core.pods import is_of_job

ASKED = Ref("PodEvents", NAMESPACE, "digits-1-1")


def an_event(reason: str, note: str = "", since: float = -5.0, **fields: Any) -> Obj:
    """An Event about pod 1, as events.k8s.io/v1 gives it."""
    return {
        "metadata": {"creationTimestamp": at(since)},
        "regarding": {"kind": "Pod", "name": "digits-1-1-1-x7k2p"},
        "type": "Normal",
        "reason": reason,
        "note": note,
    } | fields


def killing(host: str = "node-1") -> Obj:
    """A kubelet stopped a container of pod 1."""
    return an_event("Killing", "Stopping container trainer", deprecatedSource={"component": "kubelet", "host": host})


def unwitnessed(*events: Obj, closed: tuple[str, ...] = ()) -> Scene:
    """A scene in which the Job of the first attempt failed, no pod is left, and these Events exist."""
    scene = running().having(job().started().failing())
    for index in (0, 1):
        scene.without("Pod", f"digits-1-1-{index}-x7k2p")
    scene.related["PodEvents", "digits-1-1"] = {"items": list(events), "closedNodes": list(closed)}
    return scene


def blamed(scene: Scene) -> Obj:
    """The failure of the first attempt in the final status."""
    scene.after(11).act()
    failure: Obj = scene.run["lastFailure"]
    return failure


PREEMPTED = an_event(
    "Preempted",
    "Preempted by pod 5d5f on node node-1",
    reportingController="default-scheduler",
    reportingInstance="default-scheduler-control-plane",
)
TAINTED = an_event("TaintManagerEviction", "Marking for deletion Pod team/digits-1-1-1-x7k2p")


@pytest.mark.parametrize(
    ("event", "reason", "part"),
    [
        (PREEMPTED, "Preempted", "was preempted by pods of higher priority. Preempted by pod 5d5f on node node-1"),
        (TAINTED, "Evicted", "was evicted because it does not tolerate a taint of its Node"),
        (an_event("ScaleDown", "deleting pod for node scale down"), "Evicted", "its Node is being removed"),
        (an_event("Evicted", "Evicted pod: Underutilized"), "Evicted", "was evicted. Evicted pod: Underutilized"),
        (an_event("Disrupted", "Underutilized"), "Evicted", "because its Node is being removed"),
        (an_event("LowNodeUtilization", action="Descheduled"), "Evicted", "by the descheduler"),
    ],
)
def test_who_takes_a_pod_away_says_so(event: Obj, reason: str, part: str) -> None:
    scene = unwitnessed(event)
    failure = blamed(scene)
    assert (failure["cause"], failure["reason"], failure["pod"]) == ("Preempted", reason, "digits-1-1-1-x7k2p")
    assert part in failure["message"]
    assert "node" not in failure, "the Event is not the kubelet's"
    assert scene.run.get("restarts", 0) == 0


def test_a_pod_that_is_stopped_on_a_closed_node_was_drained() -> None:
    failure = blamed(unwitnessed(killing(), closed=("node-1",)))
    assert (failure["cause"], failure["reason"], failure["node"]) == ("Preempted", "Evicted", "node-1")
    assert failure["message"] == (
        "pod digits-1-1-1-x7k2p was evicted, probably by a drain of its Node, which is cordoned"
    )


@pytest.mark.parametrize(
    "event",
    [
        killing(),
        killing("node-0"),
        an_event("TaintManagerEviction", "Cancelling deletion of Pod team/digits-1-1-1-x7k2p"),
        an_event("Evicted", "The node was low on resource: memory", type="Warning"),
        an_event("EvictionFailed", "total eviction limit exceeded", type="Warning", action="Descheduled"),
        an_event("Preempted", "Preempted by pod 5d5f on node node-1 (in kube-scheduler memory)."),
        an_event("Preempted", since=-3600),
        an_event("Preempted", since=3600),
        {"metadata": {}, "regarding": {}},
    ],
)
def test_what_tells_nothing_of_it_changes_nothing(event: Obj) -> None:
    failure = blamed(unwitnessed(event, closed=("node-7",)))
    assert (failure["cause"], failure["reason"]) == ("Infrastructure", "BackoffLimitExceeded")
    assert failure["message"].endswith("Its pods were deleted, and no Event says why")


@pytest.mark.parametrize(("since", "cause"), [(-7, "Preempted"), (-5, "Infrastructure"), (2, "Infrastructure")])
def test_what_a_kubelet_stops_after_the_first_pod_ended_is_no_drain(since: float, cause: str) -> None:
    ended = pod(0).told(1, ended=-5, reason="PeerLost", message="rank 1 is gone")
    scene = unwitnessed({**killing(), "metadata": {"creationTimestamp": at(since)}}, closed=("node-1",)).having(ended)
    assert blamed(scene)["cause"] == cause


@pytest.mark.parametrize("grace", [None, "5m", 300])
def test_the_time_that_pods_have_to_end_counts_as_the_run_was_started_with_it(grace: object) -> None:
    scene = unwitnessed(an_event("Preempted", since=-200))
    scene.edit(template={"spec": {"terminationGracePeriodSeconds": grace}})
    assert blamed(scene)["cause"] == "Infrastructure"


def test_a_witness_is_believed_at_once() -> None:
    scene = unwitnessed(PREEMPTED)
    scene.act()
    assert scene.run["attempt"] == 2


def test_events_are_read_only_when_no_pod_tells() -> None:
    assert ASKED not in running().reads
    scene = unwitnessed()
    assert ASKED in scene.reads
    assert ASKED not in scene.having(pod(1).failed(1, "ValueError: boom")).reads
    assert ASKED in scene.having(pod(1).deleted()).reads, "an echo does not tell who began"


def test_the_root_counts_more_than_its_echo() -> None:
    scene = unwitnessed(PREEMPTED).having(pod(0).deleted())
    assert blamed(scene)["reason"] == "Preempted"


@pytest.mark.parametrize(
    ("name", "job", "whose"),
    [
        ("digits-1-1-0-x7k2p", "digits-1-1", True),
        ("digits-1-1-12-x7k2p", "digits-1-1", True),
        ("digits-1-1-2-0-x7k2p", "digits-1-1", False),
        ("digits-1-1-x7k2p", "digits-1-1", False),
        ("digits-1-10-0-x7k2p", "digits-1-1", False),
        ("", "digits-1-1", False),
        (f"{'d' * 55}-0-x7k2p", "d" * 60, True),
        (f"{'d' * 54}-10-x7k2p", "d" * 60, True),
        (f"{'d' * 54}-0-x7k2p", "d" * 60, False),
    ],
)
def test_pods_are_told_by_the_name_of_their_job(name: str, job: str, whose: bool) -> None:
    assert is_of_job(name, job) is whose


def test_a_pod_whose_end_has_no_time_does_not_hide_what_events_tell() -> None:
    scene = unwitnessed(killing(), closed=("node-1",))
    its_pod = pod(0).failed(137).obj()
    its_pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = None
    assert blamed(scene.having(its_pod))["reason"] == "Evicted"
