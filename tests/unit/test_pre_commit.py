"""The hooks of pre-commit are the commands of `make lint`, no more and no fewer."""

import re
from typing import Any

import yaml
from tests.tools import ROOT


def hooks() -> list[dict[str, Any]]:
    """The hooks in .pre-commit-config.yaml."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    return [hook for repo in config["repos"] for hook in repo["hooks"]]


def lint() -> list[str]:
    """The recipe of `make lint`, as a shell sees it."""
    match = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert match
    return [line.strip().lstrip("@").replace("$(RUN)", ".venv/bin") for line in match.group(1).splitlines()]


def test_the_hooks_run_what_make_lint_runs() -> None:
    # A hook is started without a shell: `env` sets the variables that the recipe sets by itself.
    assert [hook["entry"].removeprefix("env ") for hook in hooks()] == lint()


def test_a_hook_downloads_nothing_and_looks_at_the_whole_repository() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {(hook["language"], hook["pass_filenames"]) for hook in hooks()} == {("system", False)}
