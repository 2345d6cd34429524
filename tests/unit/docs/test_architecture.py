"""docs/architecture.md and the tree that it describes: every path that it names exists, and it names every folder."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tools import ROOT
from tests.unit.docs.pages import DOCS, spans

OPERATOR = ROOT / "operator" / "lamplighter"
RUNTIME = ROOT / "training_images" / "runtime" / "lamplighter_runtime"
PAGE = DOCS["architecture"]
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*(/|\.py|\.md)")
"""A folder ends in a slash, a file in its suffix."""


def paths() -> list[str]:
    """What the page names by its path, in code spans."""
    return sorted({span for span in spans(PAGE.prose) if PATH.fullmatch(span)})


def packages(root: Path) -> Iterator[Path]:
    """The packages directly below a folder, and those below them."""
    return (path.parent for path in sorted(root.rglob("__init__.py")) if path.parent != root)


@pytest.mark.parametrize("path", paths())
def test_a_path_that_is_named_exists(path: str) -> None:
    found = [root / path for root in (OPERATOR, ROOT) if (root / path).exists()]
    assert found, f"neither the repository nor the operator has {path}"
    assert found[0].is_dir() == path.endswith("/")


@pytest.mark.parametrize(
    ("root", "package"), [(root, package) for root in (OPERATOR, RUNTIME) for package in packages(root)], ids=str
)
def test_every_package_is_named(root: Path, package: Path) -> None:
    named = package.relative_to(OPERATOR if root == OPERATOR else ROOT)
    assert f"{named}/" in paths()
