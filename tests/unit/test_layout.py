"""How the repository is laid out, and what it promises about itself."""

import importlib
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.tools import ROOT

TRACKED = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
]
PYTHON = [path for path in TRACKED if path.suffix == ".py" and path.is_file()]
MAKEFILES = [path for path in TRACKED if path.name == "Makefile" or path.suffix == ".mk"]
LIMIT = 300


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_import_operator_gives_the_standard_librarys() -> None:
    assert str(ROOT / "operator") in sys.path
    operator = importlib.import_module("operator")
    assert Path(operator.__file__ or "").parent == Path(sysconfig.get_path("stdlib"))
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_the_standard_librarys_operator_is_found_from_the_root_of_the_repository_too() -> None:
    code = "import operator, collections; print(operator.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == Path(sysconfig.get_path("stdlib"))


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    assert [relative(path) for path in PYTHON if len(path.read_text().splitlines()) > LIMIT] == []


@pytest.mark.parametrize("path", MAKEFILES, ids=relative)
def test_every_target_says_what_it_does(path: Path) -> None:
    lines = path.read_text().splitlines()
    targets = [line for line in lines if re.match(r"^[a-z][-a-z0-9]*:(?!=)", line)]
    assert targets
    assert [line for line in targets if not re.search(r"## [A-Z].*\.$", line)] == []
    phony = {name for line in lines if line.startswith(".PHONY:") for name in line.split()[1:]}
    assert {line.split(":")[0] for line in targets} == phony


def test_make_alone_prints_every_target() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, env=_environment())
    text = "\n".join(path.read_text() for path in MAKEFILES)
    for target in re.findall(r"^([a-z][-a-z0-9]*):.*## ", text, re.MULTILINE):
        assert re.search(rf"^ *{target} ", done.stdout, re.MULTILINE), target


def test_ci_runs_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert os.access(script, os.X_OK)
    assert commands[-1] == "exec make test"
    assert all(line.startswith(("set ", "cd ")) for line in commands[:-1])


def test_make_test_runs_lint_and_all_kinds_of_tests() -> None:
    done = subprocess.run(
        ["make", "--just-print", "test"], cwd=ROOT, capture_output=True, text=True, check=True, env=_environment()
    )
    for command in (
        "/ruff check .",
        "/mypy",
        "/lint-imports",
        *(f"/pytest -q --durations=20 tests/{kind}" for kind in ("unit", "torch", "router", "integration", "serving")),
        "/pytest -q --durations=20 tests/e2e --maxfail=3 -m 'not alone'",
        "/pytest -q --durations=20 tests/e2e --maxfail=3 -m alone",
    ):
        assert re.search(rf"{re.escape(command)}(?!\S)", done.stdout), command


def test_dependencies_point_one_way() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    environment = _environment() | {"PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'training_images' / 'runtime'}"}
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_names_a_place_that_only_one_machine_has() -> None:
    foreign = re.compile(r"/(?:work|home|root|opt/wheels|tmp/ref)/")
    others = [path for path in PYTHON if path != Path(__file__)]
    assert [relative(path) for path in others if foreign.search(path.read_text())] == []


def _environment() -> dict[str, str]:
    """Ours, without what an outer make tells its children."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
