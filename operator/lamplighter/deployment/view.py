"""One look at a deployment, and what the operator's settings say about deployments."""

from dataclasses import dataclass

from lamplighter.api.deployment import DeploymentSpec, DeploymentStatus
from lamplighter.core.view import View

DEFAULT_REPLICAS = 1


@dataclass(frozen=True, slots=True)
class DeploymentOptions:
    """Images for what names none: TorchServe's and the router's."""

    torchserve_image: str = "lamplighter/torchserve:dev"
    router_image: str = "lamplighter/router:dev"


DEFAULTS = DeploymentOptions()


@dataclass(frozen=True)
class DeploymentView(View[DeploymentSpec, DeploymentStatus]):
    """A snapshot of a ModelDeployment, parsed, as of ``now``."""

    options: DeploymentOptions = DEFAULTS

    @property
    def replicas(self) -> int:
        """How many pods carry the whole load."""
        return DEFAULT_REPLICAS if self.spec.replicas is None else self.spec.replicas
