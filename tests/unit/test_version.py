"""The version is said in operator/lamplighter/__init__.py; whatever repeats it says the same."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.tools import ROOT

from lamplighter import __version__
from lamplighter.settings import Settings

IMAGE = re.compile(r"lamplighter/(?:operator|pytorch|torchserve|router):([\w.-]+)")
PAGES = sorted(path for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if IMAGE.search(path.read_text()))


def project(folder: str) -> dict[str, Any]:
    """The pyproject.toml of a folder."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


def tags(text: str) -> Iterator[str]:
    """The tags of our images, and of the overlays that a page shows."""
    yield from IMAGE.findall(text)
    yield from re.findall(r"newTag: (\S+)", text)


def test_the_operators_package_reads_it_from_the_code() -> None:
    described = project(".")
    assert "version" not in described["project"]
    assert described["project"]["dynamic"] == ["version"]
    assert (ROOT / described["tool"]["hatch"]["version"]["path"]).read_text().endswith(f'"{__version__}"\n')


def test_the_runtime_in_the_images_has_the_version_of_the_operator() -> None:
    assert project("training_images/runtime")["project"]["version"] == __version__


@pytest.mark.parametrize("image", ["torchserve", "router"])
def test_the_operator_takes_images_of_its_own_version(image: str) -> None:
    assert Settings.model_fields[f"{image}_image"].default == f"lamplighter/{image}:{__version__}"


def test_the_manifests_run_an_operator_of_this_version() -> None:
    base = yaml.safe_load((ROOT / "manifests" / "base" / "kustomization.yaml").read_text())
    assert [image["newTag"] for image in base["images"]] == [__version__]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_images_of_this_version_or_those_that_make_images_built(page: Any) -> None:
    assert set(tags(page.read_text())) <= {__version__, "dev"}
