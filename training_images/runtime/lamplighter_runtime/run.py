"""The library for training scripts: `from lamplighter_runtime import run`.

Everything works the same without a cluster: `python train.py` on a laptop prints its progress and keeps its checkpoints
in ./checkpoints. With several processes, call init_process_group before checkpoint(), resume() and the questions.
"""

import atexit
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsFloat

from lamplighter_runtime.checkpoint import folders, selection
from lamplighter_runtime.common.metrics_text import NAME, merged
from lamplighter_runtime.library import agreement
from lamplighter_runtime.library.agreement import CheckpointError
from lamplighter_runtime.library.rank_events import RankEvents
from lamplighter_runtime.library.stop_signal import StopSignal, die

__all__ = [
    "CheckpointError",
    "attempt",
    "backend",
    "checkpoint",
    "checkpoint_due",
    "local_rank",
    "rank",
    "report",
    "resume",
    "resume_step",
    "should_stop",
    "world_size",
]

EVERY = 300  # seconds between two checkpoints unless spec.checkpoint.every says otherwise
KEEP = 3  # checkpoints, unless spec.checkpoint.keep says otherwise


class _Run:
    """What this process has done so far."""

    def __init__(self) -> None:
        self.events = RankEvents()
        self.step: int | None = None
        self.total: int | None = None
        self.samples = 0.0
        self.metrics: dict[str, float] = {}
        self.saved = time.monotonic()
        self.due, self.stop = agreement.Question(), agreement.Question()
        self.stop_signal = StopSignal(lambda: self.events.pod_stops)
        self.stopping = False
        self.chosen: tuple[Path | None] | None = None
        self.refused: set[str] = set()


_state: _Run | None = None


def _this() -> _Run:
    # Not at import: a process that only asks for rank() opens no socket and handles no signal.
    global _state
    if _state is None:
        _state = _Run()
    return _state


def rank() -> int:
    """Return the number of this process among all of them, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Return the number of this process on its node, from 0: the GPU that it should use."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def attempt() -> int:
    """Return the number of this attempt at the run, from 1."""
    return int(os.environ.get("LAMPLIGHTER_ATTEMPT") or "1")


def backend() -> str:
    """Return the backend for init_process_group that fits the device: nccl, xccl, hccl or gloo."""
    named = os.environ.get("LAMPLIGHTER_BACKEND")
    if named:
        return named
    torch: Any = sys.modules.get("torch")
    for device, name in (("cuda", "nccl"), ("xpu", "xccl"), ("npu", "hccl"), ("hpu", "hccl")):
        module = getattr(torch, device, None)
        if module is not None and module.is_available():
            return name
    return "gloo"


def report(
    step: int | None = None, total: int | None = None, samples: float | None = None, **metrics: SupportsFloat
) -> None:
    """Report progress; never waits, never fails, and may be called at every step.

    `step` and `total` count steps; `samples` is the number that this rank has processed since its last report, from
    which the samples per second of all ranks are computed. Metrics are numbers or tensors of one element, at most 32;
    each keeps its value until the next report of it. Reading a tensor waits for the GPU, so do not pass one at every
    step. The status shows what rank 0 reports. Every report, even an empty one, is a sign of life.
    """
    run = _this()
    run.step = run.step if step is None else int(step)
    run.total = run.total if total is None else int(total)
    run.samples += (samples or 0) * world_size()
    new = ((name, number) for name, value in metrics.items() if (number := _number(run, name, value)) is not None)
    run.metrics = merged(run.metrics, new)
    run.events.report(run.step, run.total, run.samples, run.metrics)


def _number(run: _Run, name: str, value: SupportsFloat) -> float | None:
    reason = None if NAME.fullmatch(name) else "is not a valid metric name"
    if reason is None:
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            reason = f"is a {type(value).__name__}, not a number"
    if name not in run.refused:
        run.refused.add(name)
        print(f"lamplighter: ignoring metric {name!r}: it {reason}", file=sys.stderr, flush=True)
    return None


@contextmanager
def checkpoint(step: int) -> Iterator[Path]:
    """Write the checkpoint of a step: `with run.checkpoint(step) as folder: torch.save(..., folder / "state.pt")`.

    All ranks enter and leave together. In a plain or DistributedDataParallel training only rank 0 needs to write;
    with torch.distributed.checkpoint all ranks write into the folder, which they must share. It becomes a checkpoint
    when every rank has left the block: flushed to the disk, with a manifest of sizes and SHA-256, then renamed. The
    oldest checkpoints beyond the number to keep are removed. When a rank raises, nothing is committed: its error is
    raised there, and CheckpointError on the others.
    """
    run, directory, first = _this(), _directory(), rank() == 0
    run.events.alive()
    with agreement.all_or_none(f"the checkpoint of step {step}"):
        if first:
            folders.prepare(directory, step)
    with agreement.all_or_none(f"the checkpoint of step {step}"):
        yield folders.temporary(directory, step)
    with agreement.all_or_none(f"the checkpoint of step {step}"):
        if first:
            folders.commit(directory, step)
            folders.prune(directory, int(os.environ.get("LAMPLIGHTER_CHECKPOINT_KEEP") or KEEP))
    run.saved = time.monotonic()
    run.events.committed(step)


def checkpoint_due() -> bool:
    """Return whether a checkpoint is due; all ranks must ask at the same steps, and all get the same answer.

    One is due when spec.checkpoint.every has passed since the last checkpoint, or since the first use of this module.
    """
    run = _this()
    run.events.alive()
    every = float(os.environ.get("LAMPLIGHTER_CHECKPOINT_EVERY_S") or EVERY)
    return run.due.ask(rank() == 0 and time.monotonic() - run.saved >= every)


def should_stop() -> bool:
    """Return whether a rank received a stop signal; all ranks must ask at the same steps, and get the same answer.

    From the first call on, SIGTERM no longer ends the process: save a checkpoint and leave the loop when this is True.
    """
    run = _this()
    run.events.alive()
    run.stop_signal.listen()
    if not run.stopping and run.stop.ask(run.stop_signal.received):
        run.stopping = True
        run.events.stopping()
        if os.environ.get("LAMPLIGHTER_ELASTIC") == "1" and not run.events.pod_stops:
            # Another pod leaves, and torchrun should restart this rank without it; an exit with 0 would prevent that.
            atexit.register(die)
    return run.stopping


def resume() -> Path | None:
    """Return the folder of the checkpoint to resume from, None for a fresh start; the same on all ranks.

    All ranks must call it. The checkpoint is complete: its bytes have been compared with its manifest.
    """
    run = _this()
    if run.chosen is None:
        run.chosen = (agreement.from_first(_chosen() if rank() == 0 or agreement.distributed() is None else None),)
    return run.chosen[0]


def _chosen() -> Path | None:
    if selection.RESUME_VARIABLE in os.environ:
        named = os.environ[selection.RESUME_VARIABLE]
        return Path(named) if named else None

    def say(sentence: str) -> None:
        print(f"lamplighter: {sentence}", file=sys.stderr, flush=True)

    folder = selection.choose(_directory(), say)
    if folder is not None:
        say(f"resuming from {folder}; remove it to start from scratch")
    return folder


def resume_step() -> int:
    """Return the step of the checkpoint to resume from, 0 for a fresh start; all ranks must call it."""
    folder = resume()
    return 0 if folder is None else folders.step_of(folder) or 0


def _directory() -> Path:
    return Path(os.environ.get(selection.DIRECTORY_VARIABLE) or "checkpoints")
