"""Two replicas, one lease."""

import signal

from kubernetes import client
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import HOLD, Story
from tests.samples.objects import training
from tests.waiting import until

LEASE = "lamplighter-operator"
SHORT = {
    "LAMPLIGHTER_LEASE_DURATION": "4",
    "LAMPLIGHTER_LEASE_RENEW_DEADLINE": "3",
    "LAMPLIGHTER_LEASE_RETRY_PERIOD": "1",
}
LONG = {
    "LAMPLIGHTER_LEASE_DURATION": "3600",
    "LAMPLIGHTER_LEASE_RENEW_DEADLINE": "1800",
    "LAMPLIGHTER_LEASE_RETRY_PERIOD": "1",
}
"""Longer than any test waits: who takes over does so because the lease was given back."""


def replicas(new_operator: NewOperator, namespace: str, timing: dict[str, str]) -> list[Operator]:
    """Two replicas that compete for a lease in the namespace of the test."""
    shared = {"LAMPLIGHTER_LEADER_ELECTION": "true", "POD_NAMESPACE": namespace, **timing}
    return [new_operator(POD_NAME=name, **shared) for name in ("operator-a", "operator-b")]


def holder(api: client.ApiClient, namespace: str) -> str:
    """Who has the lease."""
    lease = client.CoordinationV1Api(api).read_namespaced_lease(LEASE, namespace)
    return str(lease.spec.holder_identity or "")


async def leader(watches: Watches, operators: list[Operator]) -> tuple[Operator, Operator]:
    """Wait for a leader. Returns it, and the other one."""
    await until("one of them leads", lambda: any(operator.leads for operator in operators))
    first, second = operators
    assert not (first.leads and second.leads)
    return (first, second) if first.leads else (second, first)


async def works(watches: Watches, name: str) -> Story:
    """See to it that whoever leads does its work."""
    story = Story(watches, name)
    await story.create(training(name, **HOLD))
    await story.until_state("Running")
    return story


async def test_a_leader_that_is_asked_to_stop_gives_the_lease_back(
    new_operator: NewOperator, watches: Watches, api: client.ApiClient
) -> None:
    operators = replicas(new_operator, watches.namespace, LONG)
    await until("both are ready", lambda: all(operator.ready for operator in operators))
    first, second = await leader(watches, operators)
    await works(watches, "before")
    first.signal(signal.SIGTERM)
    await until("the leader ends", lambda: first.exit_code is not None)
    assert first.exit_code == 0, first.log
    await until("the other one leads", lambda: second.leads)
    await works(watches, "after")
    assert holder(api, watches.namespace) in ("operator-a", "operator-b")


async def test_a_standby_that_is_asked_to_stop_ends_well_and_leaves_the_lease_alone(
    new_operator: NewOperator, watches: Watches, api: client.ApiClient
) -> None:
    first, second = await leader(watches, replicas(new_operator, watches.namespace, LONG))
    before = holder(api, watches.namespace)
    await until("the standby is ready", lambda: second.ready)
    second.signal(signal.SIGTERM)
    await until("the standby ends", lambda: second.exit_code is not None)
    assert second.exit_code == 0, second.log
    assert holder(api, watches.namespace) == before
    assert first.leads


async def test_a_leader_that_is_killed_is_replaced_when_its_lease_is_over(
    new_operator: NewOperator, watches: Watches
) -> None:
    first, second = await leader(watches, replicas(new_operator, watches.namespace, SHORT))
    first.kill()
    await until("the other one leads", lambda: second.leads)
    await works(watches, "after")


async def test_a_leader_that_slept_through_its_lease_ends_and_writes_nothing_more(
    new_operator: NewOperator, watches: Watches
) -> None:
    first, second = await leader(watches, replicas(new_operator, watches.namespace, SHORT))
    await works(watches, "before")
    first.signal(signal.SIGSTOP)
    await until("the other one leads", lambda: second.leads)
    stories = [await works(watches, f"meanwhile-{number}") for number in range(3)]
    first.signal(signal.SIGCONT)
    await until("the former leader ends", lambda: first.exit_code is not None)
    assert first.exit_code == 1
    assert "the lease is lost" in first.log
    assert second.leads
    assert all(len(uids) == 1 for story in stories for uids in story.jobs().values())


async def test_a_leader_whose_lease_was_taken_writes_nothing_more(
    new_operator: NewOperator, watches: Watches, api: client.ApiClient
) -> None:
    shared = {"LAMPLIGHTER_LEADER_ELECTION": "true", "POD_NAMESPACE": watches.namespace, **LONG}
    operator = new_operator(POD_NAME="operator-a", **shared)
    await until("it leads", lambda: operator.leads)
    await works(watches, "before")
    take_lease(api, watches.namespace)
    for number in range(200):  # it may write until it has noticed, for the lease is long
        story = Story(watches, f"after-{number}")
        await story.create(training(story.name, suspend=True))
        await story.until("its Job or a refusal", lambda story=story: story.jobs() or refused(operator))
        if refused(operator):
            break
    before = refused(operator)
    assert before
    last = Story(watches, "last")
    await last.create(training("last", suspend=True))
    await last.until("another refusal", lambda: refused(operator) > before)
    assert last.children() == []
    assert last.status() == {}


def take_lease(api: client.ApiClient, namespace: str) -> None:
    """Become the holder, as a replica does that believes that the lease is over."""
    leases = client.CoordinationV1Api(api)
    while True:
        lease = leases.read_namespaced_lease(LEASE, namespace)
        lease.spec.holder_identity = "thief"
        try:
            leases.replace_namespaced_lease(LEASE, namespace, lease)
        except client.ApiException as error:
            if error.status != 409:  # the leader has renewed it meanwhile
                raise
        else:
            return


def refused(operator: Operator) -> float:
    """How many reconciles ended because the process may not write."""
    samples = operator.metrics().get("lamplighter_reconcile_errors_total", [])
    return sum(value for marks, value in samples if marks["reason"] == "NotLeader")
