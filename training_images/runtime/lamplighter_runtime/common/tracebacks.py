"""Finding Python exceptions in log lines, where those of several processes may be mixed."""

import re
from dataclasses import dataclass, field

HEADER = "Traceback (most recent call last):"
CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
# torch.distributed marks the lines of an uncaught exception with its rank.
_RANK = re.compile(r"^\[rank(\d+)\]: ?")
_FRAME = re.compile(r'^ +File "(?:[^"]*/)?([^"/]+)", (line \d+, in .+)$')


@dataclass(frozen=True)
class Raised:
    """An exception as a traceback printed it (`ValueError: boom`), and its rank if the line was marked with one.

    `first` is the exception that a chain began with ("During handling of the above exception ..."), else None;
    `where` is the innermost frame, `handler.py, line 7, in handle`, empty when the traceback shows none.
    """

    text: str
    rank: int | None
    first: str | None = None
    where: str = field(default="", compare=False)


class TracebackFinder:
    """Collects the last line of each traceback among the lines it is fed; one block at a time per rank."""

    def __init__(self, keep: int = 64) -> None:
        """Keep at most `keep` exceptions, the newest."""
        self._keep = keep
        self._open: dict[int | None, str] = {}  # the newest frame of the traceback that is being read, by rank
        self._chained: set[int | None] = set()
        self.found: list[Raised] = []

    def feed(self, line: str) -> Raised | None:
        """Read one line; return the exception that it completes, if it does."""
        match = _RANK.match(line)
        rank = int(match.group(1)) if match else None
        text = (line[match.end() :] if match else line).rstrip("\r\n")
        if text.startswith(CHAIN):
            self._chained.add(rank)
            return None
        if text.rstrip() == HEADER:
            self._open[rank] = ""
            return None
        if rank not in self._open:
            return None
        if not text or text[0].isspace():
            if frame := _FRAME.match(text):
                self._open[rank] = f"{frame.group(1)}, {frame.group(2)}"
            return None
        return self._record(text, rank, self._open.pop(rank))

    def _record(self, text: str, rank: int | None, where: str) -> Raised:
        raised = Raised(text, rank, where=where)
        if rank in self._chained:
            self._chained.discard(rank)
            if previous := self._latest(rank):
                # The last link of a chain is what ended the process.
                self.found = [other for other in self.found if other is not previous]
                raised = Raised(text, rank, previous.first or previous.text, where)
        self.found = [*self.found, raised][-self._keep :]
        return raised

    def _latest(self, rank: int | None) -> Raised | None:
        return next((other for other in reversed(self.found) if other.rank == rank), None)

    def cause(self, rank: int | None = None) -> str | None:
        """Return the exception that most likely ended the program.

        Marked exceptions were uncaught: the given rank's, else the first. An unmarked one may have been logged and
        survived, so of those the last counts.
        """
        marked = [raised for raised in self.found if raised.rank is not None]
        for raised in marked:
            if raised.rank == rank:
                return raised.text
        if marked:
            return marked[0].text
        return self.found[-1].text if self.found else None
