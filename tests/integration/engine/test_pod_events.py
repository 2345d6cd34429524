"""The Events about the pods of a Job, as a real API server selects them."""

from tests.integration.engine.watches import Watches

from lamplighter.core.objects import Obj, timestamp
from lamplighter.engine.reconcile import utc_now


def an_event(namespace: str, number: int, pod: str, reason: str, kind: str = "Pod") -> Obj:
    """An Event as the scheduler writes it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.{number}", "namespace": namespace},
        "eventTime": timestamp(utc_now()).replace("Z", ".000000Z"),
        "type": "Normal",
        "reason": reason,
        "action": "Test",
        "note": "Preempted by pod 5d5f on node node-1",
        "reportingController": "default-scheduler",
        "reportingInstance": "control-plane",
        "regarding": {"apiVersion": "v1", "kind": kind, "name": pod, "namespace": namespace},
    }


async def test_only_news_about_the_pods_of_the_job_are_read(watches: Watches) -> None:
    connection = watches.server
    told = [
        ("digits-1-1-0-x7k2p", "Preempted", "Pod"),
        ("digits-1-1-0-x7k2p", "Scheduled", "Pod"),
        ("digits-1-1-1-abcde", "Killing", "Pod"),
        ("digits-1-2-1-abcde", "Preempted", "Pod"),
        ("digits-1-1-1-zzzzz", "Preempted", "Job"),
    ]
    for number, (pod, reason, kind) in enumerate(told):
        await connection.create(an_event(watches.namespace, number, pod, reason, kind))
    found = await connection.pod_events(watches.namespace, "digits-1-1")
    assert sorted((event["regarding"]["name"], event["reason"]) for event in found) == [
        ("digits-1-1-0-x7k2p", "Preempted"),
        ("digits-1-1-1-abcde", "Killing"),
    ]
    assert await connection.pod_events(watches.namespace, "nobody-1-1") == []
