"""The samples are what `kubectl apply -f manifests/samples/digits/` takes."""

import runpy
from pathlib import Path

import pytest
import yaml

from lamplighter.api.deployment import ModelDeployment
from lamplighter.api.training import ModelTraining

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
KINDS = {"ModelTraining": ModelTraining, "ModelDeployment": ModelDeployment}


def test_the_configmap_holds_the_code_as_it_is() -> None:
    write = runpy.run_path(str(SAMPLES / "configmap.py"))["config_map"]
    folder = SAMPLES / "digits" / "code"
    assert (SAMPLES / "digits" / "code.yaml").read_text() == write("digits-code", folder), "run `make samples`"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.yaml")), ids=lambda path: path.name)
def test_every_sample_parses(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] in KINDS:
            KINDS[document["kind"]].model_validate(document)
