"""lamplighter-train as a real process with a real torchrun, as a pod would run it."""

import json
import os
import re
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from tests.tools import STATE

HERE = Path(__file__).parent
PROGRAM = STATE / "torch" / "bin" / "lamplighter-train"
TIMEOUT = 120.0  # seconds


class Attempt:
    """One start of the launcher; its output is read as it comes."""

    def __init__(self, folder: Path, number: int, script: str, *arguments: object, **environ: str) -> None:
        self.directory = folder / "checkpoints" / f"attempt-{number}"
        self.logs = folder / "logs" / f"attempt-{number}"
        self._message = folder / f"message-{number}-{environ.get('PET_NODE_RANK', '0')}"
        self._message.touch()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PET_", "LAMPLIGHTER_"))}
        self.process = subprocess.Popen(
            [PROGRAM, script, *map(str, arguments)],
            cwd=folder,
            env={
                **inherited,
                "OMP_NUM_THREADS": "1",
                "PET_NPROC_PER_NODE": "2",
                "LAMPLIGHTER_ATTEMPT": str(number),
                "LAMPLIGHTER_CHECKPOINT_DIR": str(self.directory),
                "LAMPLIGHTER_LOG_DIR": str(self.logs),
                "LAMPLIGHTER_TERMINATION_LOG": str(self._message),
                **({} if "PET_NNODES" in environ else {"PET_STANDALONE": "1"}),
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self.lines.append("<end>")
            self._more.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line of output that matches the whole pattern."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := re.fullmatch(pattern, line))), None)

        with self._more:
            self._more.wait_for(lambda: found() or "<end>" in self.lines, TIMEOUT)
            match = found()
        assert match, f"no line {pattern!r} in the output:\n{self.output}"
        return match

    def end(self) -> int:
        """Wait for the launcher's end and return its exit code."""
        code = self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return code

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def message(self) -> dict:
        return json.loads(self._message.read_text())

    @property
    def steps(self) -> list[int]:
        """The steps that were made, as rank 0 printed them."""
        return [int(line.removeprefix("step ")) for line in self.lines if line.startswith("step ")]

    def descendants(self) -> dict[int, list[str]]:
        """Command lines of the launcher and all processes below it, by process id; a rank's has `-u`."""
        return _below(self.process.pid)

    def ranks(self) -> list[int]:
        """Process ids of the ranks."""
        return [process for process, command in self.descendants().items() if "-u" in command]

    def kill(self) -> None:
        """End all processes at once, as the loss of a node does."""
        for process in [*self.descendants(), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.end()


def _below(ancestor: int) -> dict[int, list[str]]:
    found, ancestors = {}, {ancestor}
    processes = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    grown = True
    while grown:
        grown = False
        for process in processes:
            with suppress(OSError, IndexError):
                parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
                if parent in ancestors and process not in ancestors:
                    ancestors.add(process)
                    found[process] = Path(f"/proc/{process}/cmdline").read_text().split("\0")
                    grown = True
    return found
