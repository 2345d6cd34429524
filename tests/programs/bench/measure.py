"""The measurements: single trainings one after another, and bursts."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from tests.programs.bench import objects, sightings
from tests.programs.bench.figures import rounded
from tests.programs.bench.server import PATHS, Connection, Server
from tests.programs.bench.sightings import Sightings, UnfinishedError

THREADS = 8
SINGLE_S = 60.0
BURST_S = 600.0

Thing = TypeVar("Thing")
Body = Callable[[str], bytes]
"""Makes the object of a name."""


Burst = dict[str, float]
"""Seconds since the first request: ``create_s`` all accepted, ``jobs_s`` all Jobs seen, ``done_s`` all ended."""


@dataclass(frozen=True)
class Ground:
    """A namespace that is watched: created objects, the Jobs that follow, and the ends."""

    server: Server
    namespace: str
    kind: str
    jobs: Sightings
    done: Sightings

    @property
    def path(self) -> str:
        """Where to create."""
        return PATHS[self.kind].format(self.namespace)


@contextlib.contextmanager
def trainings_ground(server: Server, end: str, alive: Callable[[], None], *, clear_up: bool = True) -> Iterator[Ground]:
    """A new namespace for ModelTrainings; ``end`` is the state of the run that counts as done.

    Without ``clear_up`` what was created stays.
    """
    name = namespace(server)
    jobs = Sightings("with a Job", sightings.made, alive)
    done = Sightings(f"in state {end}", sightings.in_state(end), alive)
    with server.watch("Job", name, jobs), server.watch("ModelTraining", name, done):
        yield Ground(server, name, "ModelTraining", jobs, done)
    if clear_up:
        clear(server, name, "ModelTraining")


@contextlib.contextmanager
def jobs_ground(server: Server) -> Iterator[Ground]:
    """A new namespace for bare Jobs."""
    name = namespace(server)
    jobs, done = Sightings("by the watch", sightings.made), Sightings("complete", sightings.complete)
    with server.watch("Job", name, jobs, done):
        yield Ground(server, name, "Job", jobs, done)
    clear(server, name, "Job")


def accept_ms(ground: Ground, body: Body, count: int) -> list[float]:
    """Milliseconds of single creates, from the request to the answer."""
    took = []
    with ground.server.connection() as connection:
        for number in range(count):
            encoded = body(f"single-{number}")
            begun = time.perf_counter()
            took.append((connection.create(ground.path, encoded) - begun) * 1000)
    return took


def latencies_ms(ground: Ground, body: Body, count: int, warm_up: int = 2) -> list[float]:
    """Milliseconds from the accepted create to its Job on the watch, one training after the end of the one before.

    The first ``warm_up`` are left out: they open the connections.
    """
    took = []
    with ground.server.connection() as connection:
        for number in range(-warm_up, count):
            name = f"single-{number + warm_up}"
            accepted = connection.create(ground.path, body(name))
            seen = ground.jobs.wait([name], SINGLE_S)[name]
            ground.done.wait([name], SINGLE_S)
            if number >= 0:
                took.append((seen - accepted) * 1000)
    return took


def burst(ground: Ground, body: Body, count: int, *, wait: bool = True) -> Burst:
    """Create ``count`` objects by 8 threads at once and wait for the last Job and, with ``wait``, the last end."""
    names = [f"burst-{number}" for number in range(count)]
    begun, accepted = _create(ground, [body(name) for name in names])
    moments = {"create_s": accepted, "jobs_s": max(ground.jobs.wait(names, BURST_S).values())}
    if wait:
        moments["done_s"] = max(ground.done.wait(names, BURST_S).values())
    return {name: rounded(moment - begun) for name, moment in moments.items()}


def _create(ground: Ground, bodies: list[bytes]) -> tuple[float, float]:
    """Create by 8 threads; the moments before the first request and after the last answer."""
    accepted: list[float] = []
    begun = time.perf_counter()
    by_threads(ground.server, bodies, lambda connection, body: accepted.append(connection.create(ground.path, body)))
    return begun, max(accepted)


def by_threads(server: Server, things: list[Thing], do: Callable[[Connection, Thing], None]) -> None:
    """Do something to each of many things, by 8 threads with a connection each.

    Raises:
        UnfinishedError: it could not be done to all of them.
    """
    waiting: queue.SimpleQueue[Thing] = queue.SimpleQueue()
    for thing in things:
        waiting.put(thing)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with server.connection() as connection:
                while True:
                    do(connection, waiting.get_nowait())
        except queue.Empty:
            pass
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise UnfinishedError(f"one of {len(things)} writes failed: {errors[0]}") from errors[0]


def clear(server: Server, namespace: str, kind: str) -> None:
    """Delete what was created and wait until nothing of it is left, so that the next figure starts on clean ground."""
    server.call("DELETE", PATHS[kind].format(namespace) + "?propagationPolicy=Background")
    deadline = time.monotonic() + BURST_S
    for left in ("ModelTraining", "Job", "Pod"):
        while server.count(left, namespace):
            if time.monotonic() > deadline:
                raise UnfinishedError(
                    f"there are still {left}s in namespace {namespace} {BURST_S:.0f} s after the delete"
                )
            time.sleep(0.2)


def namespace(server: Server) -> str:
    """A new namespace with a claim that is bound."""
    name = f"bench-{uuid4().hex[:8]}"
    server.call("POST", PATHS["Namespace"], {"metadata": {"name": name}})
    claims = PATHS["PersistentVolumeClaim"].format(name)
    server.call("POST", claims, objects.claim())
    deadline = time.monotonic() + SINGLE_S
    while server.call("GET", f"{claims}/{objects.CLAIM}")["status"].get("phase") != "Bound":
        if time.monotonic() > deadline:
            raise UnfinishedError(f"claim {objects.CLAIM} in namespace {name} is not bound after {SINGLE_S:.0f} s")
        time.sleep(0.1)
    return name
