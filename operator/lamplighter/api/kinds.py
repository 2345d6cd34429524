"""The two kinds as Kubernetes sees them: names, subresources, and what ``kubectl get`` shows."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lamplighter.api.deployment import ModelDeployment
from lamplighter.api.training import ModelTraining

Column = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """What a CustomResourceDefinition holds besides its schema."""

    model: type[BaseModel]
    plural: str
    short_name: str
    columns: tuple[Column, ...]
    subresources: dict[str, Any]

    @property
    def name(self) -> str:
        """The kind as users write it: ModelTraining."""
        return self.model.__name__


def column(name: str, path: str, kind: str = "string", wide: bool = False) -> Column:
    """A column of ``kubectl get``; a wide one appears only with ``-o wide``."""
    return {"name": name, "type": kind, "jsonPath": path, **({"priority": 1} if wide else {})}


_MESSAGE = column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True)
_AGE = column("Age", ".metadata.creationTimestamp", "date")

KINDS = (
    Kind(
        model=ModelTraining,
        plural="modeltrainings",
        short_name="mt",
        columns=(
            column("State", ".status.state"),
            column("Run", ".status.run.number", "integer"),
            column("Attempt", ".status.run.attempt", "integer"),
            column("Step", ".status.run.progress.steps"),
            column("Loss", ".status.run.progress.metrics.loss"),
            column("ETA", ".status.run.progress.eta"),
            column("Restarts", ".status.run.restarts", "integer"),
            column("Stage", ".status.run.stage", wide=True),
            column("Nodes", ".spec.nodes", "integer", wide=True),
            column("Model", ".status.latest.artifact.uri", wide=True),
            column("Digest", ".status.latest.artifact.sha256", wide=True),
            _MESSAGE,
            _AGE,
        ),
        subresources={"status": {}},
    ),
    Kind(
        model=ModelDeployment,
        plural="modeldeployments",
        short_name="md",
        columns=(
            column("State", ".status.state"),
            column("Stable", ".status.stable.revision"),
            column("Candidate", ".status.candidate.revision"),
            column("Weight", ".status.candidate.weight", "integer"),
            column("Step", ".status.candidate.progress"),
            column("Ready", ".status.readyReplicas", "integer"),
            column("Replicas", ".status.replicas", "integer", wide=True),
            column("Routers", ".status.router.readyReplicas", "integer", wide=True),
            column("Training", ".status.stable.model.training", wide=True),
            column("Run", ".status.stable.model.run", "integer", wide=True),
            column("Endpoint", ".status.endpoint", wide=True),
            _MESSAGE,
            _AGE,
        ),
        subresources={
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    ),
)
