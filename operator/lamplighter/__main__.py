"""Starts the operator: ``python -m lamplighter``."""

import asyncio
import contextlib
import functools
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvloop

import lamplighter.deployment.plan
import lamplighter.training.plan
from lamplighter import __version__, election, handlers, kube
from lamplighter.deployment.model import references
from lamplighter.deployment.traffic.envoy.provider import ENVOY
from lamplighter.deployment.view import DeploymentOptions
from lamplighter.engine.api import ApiError
from lamplighter.engine.health import Health, resync
from lamplighter.engine.index import Index
from lamplighter.engine.leader import LeaderLabel
from lamplighter.engine.log import configure as configure_logs
from lamplighter.engine.questions import Readers
from lamplighter.engine.queue import KeyedQueue
from lamplighter.engine.reconcile import Kind, Reconciler, work
from lamplighter.engine.resources import PRIMARY
from lamplighter.progress import gauges
from lamplighter.progress.endpoint import Endpoint
from lamplighter.progress.intake import Intake
from lamplighter.progress.tokens import Tokens
from lamplighter.questions import model_readiness, pod_answers, pod_events, router_status
from lamplighter.questions.pod_answers import PodAnswers
from lamplighter.settings import Settings
from lamplighter.training.view import TrainingOptions

DRAIN_SECONDS = 20.0
BUSY_TRIES = 15

log = logging.getLogger("lamplighter")


def training_options(settings: Settings) -> TrainingOptions:
    """The settings that plans of trainings depend on."""
    return TrainingOptions(
        progress_url=settings.progress_url,
        node_grace=settings.node_grace,
        bad_node_conditions=frozenset(settings.bad_node_conditions),
    )


def deployment_options(settings: Settings) -> DeploymentOptions:
    """The settings that plans of deployments depend on."""
    return DeploymentOptions(torchserve_image=settings.torchserve_image, router_image=settings.router_image)


def kinds(settings: Settings) -> dict[str, Kind[Any]]:
    """What the engine reconciles."""
    training, deployment = lamplighter.training.plan, lamplighter.deployment.plan
    return {
        "ModelTraining": Kind(
            functools.partial(training.view_of, options=training_options(settings)),
            training.reads,
            training.plan,
            training.blocked,
        ),
        "ModelDeployment": Kind(
            functools.partial(deployment.view_of, options=deployment_options(settings)),
            functools.partial(deployment.reads, provider=ENVOY),
            functools.partial(deployment.plan, provider=ENVOY),
            functools.partial(deployment.blocked, provider=ENVOY),
            begins_first=True,
        ),
    }


def readers(settings: Settings, index: Index, events: pod_events.EventLister, pods: PodAnswers) -> Readers:
    """Who answers the questions that plans ask by a name."""
    return {
        pod_events.NAME: pod_events.reader(events, index),
        router_status.NAME: router_status.reader(pods, settings.router_status),
        model_readiness.NAME: model_readiness.reader(pods, settings.model_status),
    }


def new_index(queue: KeyedQueue, *, with_nodes: bool = False) -> Index:
    """An empty index that knows which deployments follow which training, and queues whom our own writes concern."""
    return Index({"ModelDeployment": references}, queue.add, with_nodes=with_nodes)


async def main(settings: Settings) -> int:
    """Run until a signal (status 0), or until the lease or a part of the operator is lost (status 1)."""
    queue = KeyedQueue(settings.backoff_first, settings.backoff_max)
    health = Health(queue, settings.stuck_after)
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with (
        health.serve(settings.port),
        _endpoint(settings) as endpoint,
        kube.connect(settings) as client,
        pod_answers.connect() as pods,
        _label(settings, client) as label,
    ):
        health.started = True
        log.info("Lamplighter %s starts", __version__)
        if not await _can_list(client):
            return 1
        operate = functools.partial(_operate, settings, client, pods, queue, health, stop, endpoint, label)
        if settings.leader_election:
            await election.lead(settings, client, operate, stop)
        else:
            await operate()
    log.info("Lamplighter ends", extra={"asked": stop.is_set()})
    return 0 if stop.is_set() else 1


@contextlib.asynccontextmanager
async def _endpoint(settings: Settings) -> AsyncIterator[Endpoint]:
    """The endpoint for progress, which serves while inside, unless it is switched off."""
    endpoint = Endpoint()
    async with endpoint.serve(settings.progress_port) if settings.progress else contextlib.nullcontext():
        yield endpoint


@contextlib.asynccontextmanager
async def _label(settings: Settings, client: kube.Client) -> AsyncIterator[LeaderLabel]:
    """Keeps the leader label of our pod while inside; before and after that the label says that it does not lead."""
    in_a_pod = "identity" in settings.model_fields_set
    label = LeaderLabel(client, settings.lease_namespace, settings.identity if in_a_pod else None)
    label.say(leads=False)
    try:
        yield label
    finally:
        await label.end()


async def _operate(
    settings: Settings,
    client: kube.Client,
    pods: PodAnswers,
    queue: KeyedQueue,
    health: Health,
    stop: asyncio.Event,
    endpoint: Endpoint,
    label: LeaderLabel,
) -> None:
    """Watch and reconcile until ``stop`` is set or a task ends that should not."""
    index = new_index(queue, with_nodes=settings.watch_nodes)
    watch = handlers.Watch(client, index, queue, settings.namespaces, nodes=settings.watch_nodes)
    answers = readers(settings, index, client, pods)
    reconciler = Reconciler(client, index, kinds(settings), answers, settings.identity)
    ready = functools.partial(_may_take_reports, watch, client)
    endpoint.intake = Intake(index, queue, Tokens(client), settings.progress_writes, ready)
    health.trainings = functools.partial(gauges.page, index)
    label.say(leads=True)

    async def worker() -> None:
        await watch.complete.wait()
        await work(queue, reconciler)

    watcher = asyncio.create_task(watch.run())
    tasks = [asyncio.create_task(worker()) for _ in range(settings.workers)]
    tasks.append(asyncio.create_task(resync(settings.resync, client, PRIMARY, index, queue, health)))
    asked = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(watch.ready.wait())
    try:
        await asyncio.wait({watcher, starting}, return_when=asyncio.FIRST_COMPLETED)
        _stop_on_signals(stop)  # Kopf has installed its own
        await asyncio.wait({watcher, asked, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.drained(), DRAIN_SECONDS)
    finally:
        endpoint.intake = None
        watch.stop()
        for task in (*tasks, asked, starting):
            task.cancel()
        outcomes = await asyncio.gather(watcher, *tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                log.error("a task of the operator ended with an error", exc_info=outcome)


def _may_take_reports(watch: handlers.Watch, client: kube.Client) -> bool:
    """Whether the index is complete and this process certainly leads."""
    return watch.complete.is_set() and client.may_write()


async def _can_list(client: kube.Client) -> bool:
    """Whether both kinds can be listed and are in discovery, where Kopf looks for them once and never again.

    Tried again while the API server is busy or discovery lags behind, as both do right after the CRDs were made.
    """
    for kind in PRIMARY:
        for tries_left in reversed(range(BUSY_TRIES)):
            pause, error, passes = 1.0, "the API server's discovery does not name them", True
            try:
                await client.generations(kind)
                if await client.serves(kind):
                    break
            except ApiError as failed:
                pause, error, passes = failed.retry_after or pause, str(failed), failed.status in (429, 503)
            if not (passes and tries_left):
                log.error("cannot list %ss: %s. Are the CRDs and the RBAC rules installed?", kind, error)
                return False
            await asyncio.sleep(pause)
    return True


def _stop_on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


if __name__ == "__main__":
    chosen = Settings()
    # What was imported stays: the garbage collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    configure_logs(chosen.log_level)
    sys.exit(uvloop.run(main(chosen)))
