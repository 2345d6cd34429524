"""The shape of the runtime package."""

import ast
import importlib
import sys
import tomllib

from tests.tools import ROOT

RUNTIME = ROOT / "training_images" / "runtime" / "lamplighter_runtime"


def test_the_runtime_needs_nothing_but_the_standard_library_unless_a_signature_is_asked_for():
    allowed = {*sys.stdlib_module_names, "lamplighter_runtime"}
    foreign = set()
    for file in RUNTIME.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            foreign |= {f"{file.name}: {name}" for name in names if name.split(".")[0] not in allowed}
    assert foreign == {"signature.py: cryptography.exceptions"} | {
        f"signature.py: cryptography.hazmat.primitives.{part}" for part in ("asymmetric", "hashes", "serialization")
    }


def test_only_the_torchserve_modules_know_its_settings():
    knowing = {file.name for file in RUNTIME.rglob("*.py") if "config.properties" in file.read_text()}
    assert knowing == {"torchserve_config.py"}


def test_every_command_and_plugin_of_the_package_can_be_loaded():
    project = tomllib.loads((RUNTIME.parent / "pyproject.toml").read_text())["project"]
    plugins = (target for group in project["entry-points"].values() for target in group.values())
    for target in (*project["scripts"].values(), *plugins):
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name)), target
