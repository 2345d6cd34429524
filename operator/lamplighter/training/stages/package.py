"""The pod of the package stage: one small container that turns the run's output into a TorchServe archive."""

import json

from lamplighter.api.training import Package
from lamplighter.core.objects import Obj
from lamplighter.core.podtemplate import override
from lamplighter.training.stages import placement
from lamplighter.training.stages.base import STAGE_CONTAINERS, StageRun, variable

CONTAINER = STAGE_CONTAINERS[1]


def pod(own: StageRun) -> Obj:
    """The pod template of the package stage; the user's overrides apply to the pod and to ``package``."""
    package = own.spec.package
    if package is None:
        raise ValueError("a run without spec.package has no package stage")
    container = {
        "name": CONTAINER,
        "command": ["lamplighter-package"],
        "env": [*own.environment(), variable("LAMPLIGHTER_PACKAGE", _arguments(own, package))],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
    }
    return placement.avoiding(own.avoided, override(own.pod(container), own.template(CONTAINER, alone=True)))


def _arguments(own: StageRun, package: Package) -> str:
    model_name = {"modelName": own.owner["metadata"]["name"]}
    return json.dumps({**model_name, **package.model_dump()}, sort_keys=True)
