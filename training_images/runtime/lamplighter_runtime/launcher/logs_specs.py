"""A plugin of torchrun (`--logs-specs lamplighter`) that sends each rank's output to the launcher through pipes.

torchrun opens two paths per rank and gives them to the process that it starts. Here they name the writing ends of
pipes, whose reading ends travel to the launcher: no file grows, nothing is polled.
"""

import importlib
import os
from pathlib import Path
from typing import Any

from lamplighter_runtime.checkpoint import selection
from lamplighter_runtime.common import event_socket

NAME = "lamplighter"
SCRATCH_VARIABLE = "LAMPLIGHTER_SCRATCH"


class PipedLogs:
    """A LogsSpecs in torchrun's terms; torchrun passes options for log files to it, which are not used."""

    def __init__(self, *_: object, **__: object) -> None:
        """Find the launcher by the environment variables that it has set."""
        self._launcher = event_socket.Sender(os.environ[event_socket.PATH_VARIABLE])
        self._scratch = Path(os.environ[SCRATCH_VARIABLE])
        self._open: list[int] = []

    @property
    def root_log_dir(self) -> str:
        """The folder that torchrun takes for that of its logs."""
        return str(self._scratch)

    def reify(self, envs: dict[int, dict[str, str]]) -> Any:
        """Return where the ranks that are about to start write to; `envs` holds their variables by local rank."""
        self._close()
        ranks = sorted(int(environ["RANK"]) for environ in envs.values())
        self._launcher.send({"event": "start", "ranks": ranks}, wait=10)
        stdouts, stderrs, errors = {}, {}, {}
        chosen = selection.variables(os.environ) if os.environ.get("LAMPLIGHTER_ELASTIC") == "1" else {}
        for local_rank, environ in envs.items():
            # An elastic group that forms again resumes from what it has saved meanwhile.
            environ.update(chosen)
            stdouts[local_rank] = self._pipe(environ["RANK"], "stdout")
            stderrs[local_rank] = self._pipe(environ["RANK"], "stderr")
            errors[local_rank] = environ["TORCHELASTIC_ERROR_FILE"] = str(self._scratch / f"error-{local_rank}.json")
            Path(errors[local_rank]).unlink(missing_ok=True)
        multiprocessing = importlib.import_module("torch.distributed.elastic.multiprocessing")
        return multiprocessing.LogsDest(stdouts=stdouts, stderrs=stderrs, error_files=errors)

    def _pipe(self, rank: str, name: str) -> str:
        reading, writing = os.pipe()
        self._open.append(writing)
        try:
            self._launcher.send_files({"event": "stream", "rank": int(rank), "stream": name}, [reading])
        finally:
            os.close(reading)
        return f"/proc/self/fd/{writing}"

    def _close(self) -> None:
        for file in self._open:
            os.close(file)
        self._open.clear()
