"""When something was first seen of each object, and waiting until it was seen of all."""

import threading
import time
from collections.abc import Callable, Collection

from tests.programs.bench.server import Obj


class UnfinishedError(Exception):
    """Something did not finish; figures would be wrong."""


class Sightings:
    """The first moment at which ``sees`` recognised each object, by the name that it returned."""

    def __init__(self, what: str, sees: Callable[[Obj], str | None], alive: Callable[[], None] = lambda: None) -> None:
        """``alive`` is asked while waiting; it raises when there is nothing left to wait for."""
        self._what = what
        self._alive = alive
        self._sees = sees
        self._at: dict[str, float] = {}
        self._error: UnfinishedError | None = None
        self._changed = threading.Condition()

    def tell(self, obj: Obj, arrived: float) -> None:
        """An object as an event brought it."""
        try:
            name = self._sees(obj)
        except UnfinishedError as error:
            self.fail(str(error))
            return
        if name is None or name in self._at:
            return
        with self._changed:
            self._at[name] = arrived
            self._changed.notify_all()

    def fail(self, why: str) -> None:
        """Whoever waits need not wait any longer."""
        with self._changed:
            self._error = UnfinishedError(why)
            self._changed.notify_all()

    def wait(self, names: Collection[str], timeout: float) -> dict[str, float]:
        """The moment of each of these names, once all were seen.

        Raises:
            UnfinishedError: not all were seen within ``timeout`` seconds.
        """
        wanted = set(names)
        deadline = time.perf_counter() + timeout
        with self._changed:
            while not wanted <= self._at.keys():
                if self._error is not None:
                    raise self._error
                self._alive()
                if time.perf_counter() > deadline:
                    missing = sorted(wanted - self._at.keys())
                    raise UnfinishedError(
                        f"{len(missing)} of {len(wanted)} were never seen {self._what} within {timeout:.0f} s, "
                        f"among them {', '.join(missing[:3])}"
                    )
                self._changed.wait(1.0)
            return {name: self._at[name] for name in wanted}


def made(job: Obj) -> str | None:
    """Sees every Job, by the training that it belongs to, or by its own name."""
    meta = job["metadata"]
    return str((meta.get("labels") or {}).get("lamplighter.dev/training", meta["name"]))


def complete(job: Obj) -> str | None:
    """Sees Jobs that are complete."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    done = any(entry["type"] == "Complete" and entry["status"] == "True" for entry in conditions)
    return str(job["metadata"]["name"]) if done else None


def in_state(state: str) -> Callable[[Obj], str | None]:
    """Sees trainings whose current run is in this state; one that cannot get there any more is an error."""

    def sees(training: Obj) -> str | None:
        run = (training.get("status") or {}).get("run") or {}
        name, found = str(training["metadata"]["name"]), run.get("state")
        if found in ("Failed", "Lost", "Superseded"):
            raise UnfinishedError(f"training {name} is {found}, not {state}: {run.get('failure')}")
        return name if found == state else None

    return sees
