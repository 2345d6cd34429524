"""Reads the pages that users read: their tables, examples, links and commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tools import ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """What stands outside of fenced blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks of a language; ``""``: those that name none."""
        return [body for found, body in _FENCE.findall(self.text) if found == language]

    def links(self) -> Iterator[str]:
        """The targets of links within the repository."""
        return (target for target in _LINK.findall(self.prose) if "://" not in target)

    def anchors(self) -> set[str]:
        """What a link to a heading of this page may say after ``#``."""
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower() for heading in _HEADING.findall(self.prose)}

    def commands(self) -> Iterator[str]:
        """Every line of a block that names no language, with its continuation lines, and every code span."""
        for body in self.blocks(""):
            yield from body.replace("\\\n", " ").splitlines()
        yield from _SPAN.findall(self.prose)

    def rows(self, first: str) -> list[list[str]]:
        """The cells of each row of every table whose first column is called ``first``."""
        found: list[list[str]] = []
        inside = False
        for line in self.prose.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                inside = False
            elif cells[0] == first:
                inside = True
            elif inside and not set(cells[0]) <= set("-: "):
                found.append(cells)
        return found

    def names(self, first: str) -> list[str]:
        """The code spans in the first column of those tables, ``{a,b}`` spelled out."""
        return [name for cells in self.rows(first) for span in spans(cells[0]) for name in spelled_out(span)]


def spans(cell: str) -> list[str]:
    """The code spans of a cell."""
    return _SPAN.findall(cell)


def spelled_out(name: str) -> list[str]:
    """``a.{b,c}`` is ``a.b`` and ``a.c``."""
    match = re.fullmatch(r"(.*)\{(.*)\}", name)
    return [match.group(1) + part for part in match.group(2).split(",")] if match else [name]


DOCS = {path.stem: Page(path) for path in sorted((ROOT / "docs").glob("*.md"))}
OTHERS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "training_images/README.md", "tests/cluster/README.md")
PAGES = [*(Page(ROOT / name) for name in OTHERS), *DOCS.values()]
