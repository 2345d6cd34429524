"""The demo's path, as `make demo` walks it, on the cluster that is there."""

import subprocess
import sys

import pytest
from tests import tools
from tests.programs.demo.cluster import kubectl

# `make cluster`, which the demo calls, heals what another test has just broken.
pytestmark = pytest.mark.alone


def test_the_demo_predicts_the_held_out_digits_through_the_service(operator: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.programs.demo"],
        cwd=tools.ROOT,
        capture_output=True,
        text=True,
        timeout=2400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on 360 held-out images (ok)" in done.stdout


def test_the_packaged_model_outlives_its_training(operator: None) -> None:
    claim = kubectl("get", "pvc", "digits-models", "-o", "jsonpath={.metadata.ownerReferences}")
    assert claim == ""
