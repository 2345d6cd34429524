"""The package stage: one small container that turns the run's output into a TorchServe archive."""

import json

from pydantic import ValidationError

from lamplighter.api.failures import Cause, Failure
from lamplighter.api.training import Artifact, Package, Run, TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.core.podtemplate import override
from lamplighter.training.stages import output, placement
from lamplighter.training.stages.base import Stage, StageRun, variable

CONTAINER = "package"


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
    return placement.avoiding(own.avoided, override(own.pod(container), own.template(alone=True)))


def _arguments(own: StageRun, package: Package) -> str:
    model_name = {"modelName": own.owner["metadata"]["name"]}
    return json.dumps({**model_name, **package.model_dump()}, sort_keys=True)


def archive(run: Run, spec: TrainingSpec, said: Obj) -> Artifact | Failure:
    """The archive that lamplighter-package describes in its termination message; a failure if it describes none."""
    try:
        return Artifact.model_validate({**said, "uri": output.uri(run.claim_name, run.path)})
    except ValidationError:
        return Failure(
            reason="NoDigest",
            message=f"Job {run.job} succeeded but reported no sha256 of the archive. "
            f"Does the image {spec.image} contain lamplighter-package?",
            cause=Cause.USER_ERROR,
        )


STAGE = Stage(
    name="package",
    container=CONTAINER,
    state_word="Package",
    job_infix="package",
    pod=pod,
    is_wanted=lambda spec: spec.package is not None,
    conclude=archive,
)
