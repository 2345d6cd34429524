"""The label of the pod that leads."""

import asyncio

from tests.unit.engine.quick import now, run

from lamplighter.engine.api import ApiError
from lamplighter.engine.leader import LAST_TRY, LOOK_AGAIN, LeaderLabel


class Pod:
    """The labels of a pod, behind an API server that may be slow or fail."""

    def __init__(self, failures: int = 0, takes: float = 0.0) -> None:
        self.leader: str | None = "left over"
        self.writes: list[float] = []
        self._failures = failures
        self._takes = takes

    async def label_pod(self, namespace: str, name: str, label: str, value: str | None) -> None:
        """Set a label, or with None remove it."""
        assert (namespace, name, label) == ("lamplighter-system", "operator-a", "lamplighter.dev/leader")
        self.writes.append(now())
        await asyncio.sleep(self._takes)
        if len(self.writes) <= self._failures:
            raise ApiError(500, "InternalError", "etcd")
        self.leader = value


def label_of(pod: Pod) -> LeaderLabel:
    return LeaderLabel(pod, "lamplighter-system", "operator-a")


def test_the_label_is_there_while_the_process_leads_and_gone_before_and_after() -> None:
    async def story() -> None:
        pod = Pod()
        label = label_of(pod)
        label.say(leads=False)
        await asyncio.sleep(1)
        assert pod.leader is None
        label.say(leads=True)
        await asyncio.sleep(1)
        assert pod.leader == "true"
        await label.end()
        assert pod.leader is None

    run(story())


def test_what_was_said_last_counts_however_slow_the_first_write_is() -> None:
    async def story() -> None:
        pod = Pod(takes=3)
        label = label_of(pod)
        label.say(leads=False)
        await asyncio.sleep(1)
        label.say(leads=True)
        await asyncio.sleep(10)
        assert (pod.leader, pod.writes) == ("true", [0, 3])

    run(story())


def test_a_write_that_fails_is_tried_again() -> None:
    async def story() -> None:
        pod = Pod(failures=3)
        label = label_of(pod)
        label.say(leads=True)
        await asyncio.sleep(10)
        assert (pod.leader, pod.writes) == ("true", [0, 0.5, 1.5, 3.5])

    run(story())


def test_a_label_that_was_removed_is_set_again() -> None:
    async def story() -> None:
        pod = Pod()
        label_of(pod).say(leads=True)
        await asyncio.sleep(1)
        pod.leader = None
        await asyncio.sleep(LOOK_AGAIN)
        assert pod.leader == "true"

    run(story())


def test_an_api_server_that_is_gone_does_not_keep_the_process_from_ending() -> None:
    async def story() -> None:
        for pod in (Pod(failures=100), Pod(takes=3600)):
            label = label_of(pod)
            label.say(leads=True)
            await asyncio.sleep(1)
            begun = now()
            await label.end()
            assert now() - begun <= LAST_TRY

    run(story())


def test_outside_a_pod_nothing_is_said() -> None:
    async def story() -> None:
        pod = Pod()
        label = LeaderLabel(pod, "lamplighter-system", None)
        label.say(leads=True)
        await asyncio.sleep(1000)
        await label.end()
        assert pod.writes == []

    run(story())
