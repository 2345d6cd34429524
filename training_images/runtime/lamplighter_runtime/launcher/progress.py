"""The progress of the training on this node: what its ranks last reported, and how fast that changes."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lamplighter_runtime.common import metrics_text
from lamplighter_runtime.common.event_socket import Event

WINDOW = 60.0  # seconds over which speeds are averaged
RESOLUTION = 0.5  # seconds between two points of the window


@dataclass
class RankState:
    """What one rank reported last."""

    seen: float = 0.0  # time.monotonic() of its last sign of life; 0 before the first
    stacks: bool = False  # whether it dumps its stacks on event_socket.STACKS_SIGNAL
    step: int | None = None
    total: int | None = None
    checkpoint: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    # (time.monotonic(), step, samples of all ranks) within the window
    points: deque[tuple[float, int, float]] = field(default_factory=deque)


class Progress:
    """Collects the events of the local ranks; every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with no ranks."""
        self._lock = threading.Lock()
        self._ranks: dict[int, RankState] = {}
        self._stopping = False

    def begin(self) -> None:
        """Forget everything: the ranks are about to start, or to restart with other numbers."""
        with self._lock:
            self._ranks.clear()
            self._stopping = False

    def take(self, event: Event) -> None:
        """Process an event of a rank, which is always a sign of life; ignore a malformed one."""
        try:
            rank, kind = int(event["rank"]), event["event"]
            with self._lock:
                state = self._ranks.setdefault(rank, RankState())
                state.seen = time.monotonic()
                state.stacks = state.stacks or bool(event.get("stacks"))
                if kind == "report":
                    _report(state, event)
                elif kind == "checkpoint":
                    state.checkpoint = int(event["step"])
                elif kind == "stop":
                    self._stopping = True
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            return

    def take_line(self, rank: int, line: str) -> None:
        """Process the metrics in a printed line, if there are any."""
        found = metrics_text.pairs(line)
        if not found:
            return
        step, total = found.pop("step", None), found.pop("total", None)
        self.take({"event": "report", "rank": rank, "step": _whole(step), "total": _whole(total), "metrics": found})

    def ranks(self) -> dict[int, RankState]:
        """Return the state of each rank that has given a sign of life."""
        with self._lock:
            return dict(self._ranks)

    @property
    def stopping(self) -> bool:
        """Whether the ranks agreed to stop because one of them, perhaps in another pod, got a stop signal."""
        with self._lock:
            return self._stopping

    def facts(self) -> dict[str, Any]:
        """Return what the termination message says about progress: the lowest local rank's view."""
        with self._lock:
            return _facts(self._ranks[min(self._ranks)]) if self._ranks else {}

    def report(self) -> dict[str, Any] | None:
        """Return the report to the operator; None unless global rank 0 runs here and has given a sign of life."""
        with self._lock:
            state = self._ranks.get(0)
            if state is None:
                return None
            heartbeat = datetime.fromtimestamp(time.time() - (time.monotonic() - state.seen), UTC)
            return {**_facts(state), "heartbeat": heartbeat.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _report(state: RankState, event: Event) -> None:
    state.step = state.step if event.get("step") is None else int(event["step"])
    state.total = state.total if event.get("total") is None else int(event["total"])
    new = (
        (name, float(value)) for name, value in event.get("metrics", {}).items() if metrics_text.NAME.fullmatch(name)
    )
    state.metrics = metrics_text.merged(state.metrics, new)
    if state.step is None:
        return
    point = (float(event.get("time", state.seen)), state.step, float(event.get("samples", 0)))
    points = state.points
    if len(points) > 1 and points[-1][0] - points[-2][0] < RESOLUTION:
        points.pop()
    points.append(point)
    while len(points) > 2 and point[0] - points[1][0] > WINDOW:
        points.popleft()


def _facts(state: RankState) -> dict[str, Any]:
    facts: dict[str, Any] = {"step": state.step, "total": state.total, "checkpointStep": state.checkpoint}
    if state.metrics:
        facts["metrics"] = metrics_text.encoded(state.metrics)
    if len(state.points) > 1:
        (began, first, before), (ended, last, after) = state.points[0], state.points[-1]
        if ended > began and last > first:
            facts["secondsPerStep"] = _rounded((ended - began) / (last - first))
        if ended > began and after > before:
            facts["samplesPerSecond"] = _rounded((after - before) / (ended - began))
    return {name: value for name, value in facts.items() if value is not None}


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value == value and abs(value) < 2**53 else None
