"""Pods report with real tokens to a real operator: who is heard, who is not, and that a flood drowns nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from kubernetes import client
from tests.integration.conftest import Kubectl
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.reporter import Reporter, make_token, pods_of
from tests.integration.operator.story import HOLD, Story
from tests.samples.objects import training
from tests.waiting import until

from lamplighter.core.objects import Obj


@pytest.fixture
def operator(new_operator: NewOperator) -> Operator:
    """An operator for the namespace of the test."""
    return new_operator()


@pytest.fixture
async def digits(operator: Operator, watches: Watches) -> Story:
    """A training whose pod runs."""
    return await running(watches)


@pytest.fixture
def reporter(digits: Story, api: client.ApiClient) -> Reporter:
    """Its pod."""
    return reporter_of(digits, api)


async def running(watches: Watches, name: str = "digits") -> Story:
    """A training whose pod runs until the end of the test."""
    story = Story(watches, name)
    await story.create(training(name, **HOLD))
    await story.until_state("Running")
    return story


def reporter_of(story: Story, api: client.ApiClient) -> Reporter:
    """The pod of a training, with a fresh token."""
    (pod,) = pods_of(story.watches, story.name)
    return Reporter(pod, make_token(api, pod))


async def told(operator: Operator, *lines: str) -> None:
    """Wait until Prometheus would read these lines. (Where the plan writes status.run.progress, look there as well.)"""
    await until(f"{lines}", lambda: all(line in operator.trainings() for line in lines))


def reviews(operator: Operator) -> float:
    """How many tokens the API server was asked about."""
    return operator.total("lamplighter_token_reviews_total")


async def test_a_pod_of_a_running_training_is_heard(operator: Operator, reporter: Reporter) -> None:
    report = reporter.report(step=120, total=1000, samplesPerSecond=532.5, metrics={"loss": 0.41, "val.acc": "nan"})
    answer = await reporter.post(operator, report)
    assert answer.status == 204, answer
    whose = f'{{name="digits",namespace="{reporter.pod["metadata"]["namespace"]}"}}'
    await told(
        operator,
        f"lamplighter_training_step{whose} 120.0",
        f"lamplighter_training_steps_total{whose} 1000.0",
        f"lamplighter_training_samples_per_second{whose} 532.5",
        'metric="loss"',
        'metric="val.acc",name="digits",',
    )
    assert (await reporter.post(operator, reporter.report(step=130))).status == 204
    await told(operator, f"lamplighter_training_step{whose} 130.0")
    assert reviews(operator) == 1  # the second report rests on the answer about the first


async def test_a_report_that_is_sent_twice_is_taken_once(operator: Operator, reporter: Reporter) -> None:
    report = reporter.report(step=1)
    assert (await reporter.post(operator, report)).status == 204
    again = await reporter.post(operator, report)
    assert (again.status, "a newer report was taken" in again.message) == (409, True)


async def test_tokens_that_are_not_the_pods_own_are_refused(
    operator: Operator, reporter: Reporter, api: client.ApiClient
) -> None:
    head, payload, signature = reporter.token.split(".")
    forged = f"{head}.{payload}.{signature[:-8]}{'A' * 8}"
    cases = {
        "wrong audience": (make_token(api, reporter.pod, "somebody.else"), 401),
        "not bound to a pod": (make_token(api, reporter.pod, bound=False), 403),
        "forged signature": (forged, 401),
        "no token": ("", 401),
        "no JWT": ("nonsense", 401),
    }
    answers = {name: await replace(reporter, token=token).post(operator) for name, (token, _) in cases.items()}
    assert {name: answer.status for name, answer in answers.items()} == {
        name: status for name, (_, status) in cases.items()
    }
    assert all(answer.message for answer in answers.values())
    assert (await reporter.post(operator)).status == 204


async def test_a_strangers_pod_is_refused_whatever_labels_it_has(
    operator: Operator, reporter: Reporter, api: client.ApiClient
) -> None:
    for marks in ({}, reporter.pod["metadata"]["labels"]):
        copied = {key: value for key, value in marks.items() if "job-name" not in key and "controller-uid" not in key}
        stranger = make_pod(api, reporter.pod["metadata"]["namespace"], copied)
        own = Reporter(stranger, make_token(api, stranger))
        # A pod without our labels is not in the index; the watches get some seconds to tell of it.
        await until("it is refused", refused_with(own, operator, 403))


def make_pod(api: client.ApiClient, namespace: str, marks: dict[str, str]) -> Obj:
    """A pod that no Job controls."""
    container = {"name": "c", "image": "stranger"}
    meta = {"name": f"stranger-{uuid4().hex[:6]}", "labels": marks, "annotations": {"lamplighter.dev/kwok": "hold"}}
    core = client.CoreV1Api(api)
    made = core.create_namespaced_pod(namespace, {"metadata": meta, "spec": {"containers": [container]}})
    obj: Obj = api.sanitize_for_serialization(made)
    return obj


def refused_with(reporter: Reporter, operator: Operator, status: int) -> Callable[[], Awaitable[bool]]:
    """Asks whether the answer is this one now; never may a report be taken."""

    async def asks() -> bool:
        answer = await reporter.post(operator)
        assert answer.status != 204
        await asyncio.sleep(0.5)
        return answer.status == status

    return asks


async def test_the_pod_of_an_earlier_run_is_told_to_stop(
    operator: Operator, digits: Story, reporter: Reporter, api: client.ApiClient
) -> None:
    await digits.end_pods()
    await digits.until_state("Succeeded")
    answer = await reporter.post(operator)
    assert (answer.status, answer.message) == (410, "attempt 1 of run 1 is over: stop reporting")
    objects = client.CustomObjectsApi(api)
    note = {"metadata": {"annotations": {"lamplighter.dev/retrain": "again"}}}
    place = ("lamplighter.dev", "v1alpha1", digits.watches.namespace, "modeltrainings")
    objects.patch_namespaced_custom_object(*place, digits.name, note)
    await digits.until("run 2", lambda: digits.status().get("run", {}).get("number") == 2)
    await digits.until_state("Running")
    answer = await reporter.post(operator)
    assert (answer.status, answer.message) == (410, "attempt 1 of run 1 is over: stop reporting")
    assert 'name="digits"' not in operator.trainings()


async def test_the_token_of_a_deleted_pod_is_refused(
    operator: Operator, digits: Story, reporter: Reporter, api: client.ApiClient, kubectl: Kubectl
) -> None:
    unused = replace(reporter, token=make_token(api, reporter.pod))
    assert (await reporter.post(operator)).status == 204
    kubectl(
        "delete", "pod", reporter.pod["metadata"]["name"], "-n", digits.watches.namespace, "--grace-period=0", "--force"
    )
    await digits.until("the pod is gone", lambda: not pods_of(digits.watches, "digits"))
    assert (await unused.post(operator)).status == 401
    await until("the remembered token is of no use", refused_with(reporter, operator, 403))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b" " * 20_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"json": {"run": 1, "attempt": 2, "sequence": 1, "heartbeat": "2026-11-21T12:00:00Z"}}, 400),
    ],
    ids=["malformed", "media type", "too large", "another attempt"],
)
async def test_what_is_no_report_is_refused(
    operator: Operator, reporter: Reporter, request_: dict[str, Any], status: int
) -> None:
    answer = await reporter.post(operator, **request_)
    assert (answer.status, bool(answer.message)) == (status, True)
    assert (await reporter.post(operator)).status == 204


async def test_a_body_without_a_length_is_not_read_beyond_the_limit(operator: Operator, reporter: Reporter) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 8192
            yield b" " * 8192
            await asyncio.sleep(0.001)

    try:
        status = (await reporter.post(operator, data=endless(), headers={"Content-Type": "application/json"})).status
    except OSError:
        status = 413  # the answer was lost when the connection was closed
    assert status == 413
    assert sent < 10_000_000
    assert operator.metrics()["lamplighter_progress_reports_total"].count(({"verdict": "too-large"}, 1.0)) == 1


async def test_a_flood_from_one_pod_is_slowed_and_others_are_heard(
    operator: Operator, watches: Watches, reporter: Reporter, api: client.ApiClient
) -> None:
    other = reporter_of(await running(watches, "letters"), api)
    statuses = await asyncio.gather(*(reporter.status(operator) for _ in range(100)), other.status(operator))
    assert statuses[-1] == 204
    assert statuses.count(429) > 80
    assert set(statuses) <= {204, 409, 429}
    assert (await reporter.post(operator)).retry_after == "1"
    assert reviews(operator) == 2


async def test_a_flood_of_forged_tokens_becomes_few_reviews(operator: Operator, reporter: Reporter) -> None:
    assert (await reporter.post(operator)).status == 204
    head, payload, signature = reporter.token.split(".")
    forged = [f"{head}.{payload}.{number:06d}{signature[6:]}" for number in range(300)]
    statuses = await asyncio.gather(*(replace(reporter, token=token).status(operator) for token in forged))
    assert set(statuses) <= {401, 429, 503}
    assert reviews(operator) < 60
    assert (await reporter.post(operator)).status == 204


async def test_who_never_finishes_a_request_is_cut_off(operator: Operator, reporter: Reporter) -> None:
    reader, writer = await asyncio.open_connection(*operator.progress_address)
    writer.write(b"POST /v1/progress HTTP/1.1\r\nHost: x\r\n")
    await writer.drain()
    try:
        left = await asyncio.wait_for(reader.read(), 40)
    except ConnectionResetError:
        left = b""
    assert left == b""
    writer.close()
    assert (await reporter.post(operator)).status == 204


async def test_nobody_listens_where_progress_is_switched_off(
    new_operator: NewOperator, watches: Watches, api: client.ApiClient
) -> None:
    operator = new_operator(LAMPLIGHTER_PROGRESS="false")
    reporter = reporter_of(await running(watches), api)
    assert await reporter.status(operator) == 0
