"""The pod that leads says so, and reports that go where the Service points reach it."""

import signal
from pathlib import Path

import pytest
import yaml
from kubernetes import client
from tests import tools
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.reporter import Reporter, make_token, pods_of
from tests.integration.operator.story import HOLD, Story
from tests.integration.operator.test_leadership import LONG, SHORT
from tests.samples.objects import training
from tests.waiting import until

BASE = tools.ROOT / "manifests" / "base"
NAMES = ("operator-a", "operator-b")


def selector() -> dict[str, str]:
    """What the Service for progress selects."""
    services = list(yaml.safe_load_all((BASE / "service.yaml").read_text()))
    (found,) = [one["spec"]["selector"] for one in services if one["metadata"]["name"].endswith("-progress")]
    return dict(found)


def labels_of_the_deployment() -> dict[str, str]:
    """What every replica is labelled with."""
    deployment = yaml.safe_load(Path(BASE / "deployment.yaml").read_text())
    return dict(deployment["spec"]["template"]["metadata"]["labels"])


class Replicas:
    """Two replicas, each with a pod, and the Service before them."""

    def __init__(
        self, api: client.ApiClient, namespace: str, new_operator: NewOperator, timing: dict[str, str]
    ) -> None:
        self._core = client.CoreV1Api(api)
        self._namespace = namespace
        for name in NAMES:
            meta = {"name": name, "labels": labels_of_the_deployment(), "annotations": {"lamplighter.dev/kwok": "hold"}}
            pod = {"metadata": meta, "spec": {"containers": [{"name": "operator", "image": "operator"}]}}
            self._core.create_namespaced_pod(namespace, pod)
        shared = {"LAMPLIGHTER_LEADER_ELECTION": "true", "POD_NAMESPACE": namespace, **timing}
        self.processes = {name: new_operator(POD_NAME=name, **shared) for name in NAMES}

    def selected(self) -> list[str]:
        """The pods behind the Service."""
        chosen = ",".join(f"{key}={value}" for key, value in selector().items())
        pods = self._core.list_namespaced_pod(self._namespace, label_selector=chosen)
        return sorted(pod.metadata.name for pod in pods.items)

    async def leader(self) -> str:
        """Wait until the Service points to the one that leads, and to no other."""
        await until("one leads and is labelled", lambda: self.selected() == self._leading() != [])
        return self.selected()[0]

    async def report(self, reporter: Reporter) -> None:
        """Report as a pod does: to what is behind the Service, again and again until it is taken."""

        async def taken() -> bool:
            statuses = [await reporter.status(self.processes[name]) for name in self.selected()]
            return 204 in statuses

        await until("a report is taken", taken)

    def _leading(self) -> list[str]:
        return sorted(name for name, process in self.processes.items() if process.leads)


@pytest.fixture
async def reporter_and_replicas(
    new_operator: NewOperator, watches: Watches, api: client.ApiClient, request: pytest.FixtureRequest
) -> tuple[Reporter, Replicas]:
    """A training that runs under two replicas."""
    replicas = Replicas(api, watches.namespace, new_operator, request.param)
    story = Story(watches)
    await story.create(training(**HOLD))
    await story.until_state("Running")
    (pod,) = pods_of(watches, "digits")
    return Reporter(pod, make_token(api, pod)), replicas


@pytest.mark.parametrize("reporter_and_replicas", [SHORT], indirect=True, ids=["short lease"])
async def test_reports_reach_the_next_leader_when_one_is_killed(
    reporter_and_replicas: tuple[Reporter, Replicas],
) -> None:
    reporter, replicas = reporter_and_replicas
    first = await replicas.leader()
    await replicas.report(reporter)
    standby: Operator = next(process for name, process in replicas.processes.items() if name != first)
    assert (await reporter.post(standby)).status == 503
    replicas.processes[first].kill()
    await replicas.report(reporter)
    replicas.processes[first].start()  # as the kubelet does; the label of its former life must go
    second = await replicas.leader()
    assert second != first
    await replicas.report(reporter)


@pytest.mark.parametrize("reporter_and_replicas", [LONG], indirect=True, ids=["long lease"])
async def test_a_leader_that_ends_takes_its_label_off(reporter_and_replicas: tuple[Reporter, Replicas]) -> None:
    reporter, replicas = reporter_and_replicas
    first = await replicas.leader()
    process = replicas.processes[first]
    process.signal(signal.SIGTERM)
    await until("the leader ends", lambda: process.exit_code is not None)
    assert process.exit_code == 0, process.log
    assert first not in replicas.selected(), process.log
    await replicas.report(reporter)
