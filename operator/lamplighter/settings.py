"""Every setting of the operator, from LAMPLIGHTER_* environment variables."""

import socket
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lamplighter import __version__

_PROGRESS_URL = "http://lamplighter-operator-progress.{}.svc:8081/v1/progress"


class Settings(BaseSettings):
    """Settings of one operator process. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix="LAMPLIGHTER_", extra="ignore")

    namespaces: list[str] = Field(default=[], description="Namespaces to serve, as a JSON list; empty: all.")
    workers: int = Field(
        default=16, ge=1, le=256, description="How many objects are reconciled at the same time; new ones first."
    )
    resync: float = Field(default=600, gt=0, description="Every object is reconciled again after this time.")
    request_timeout: float = Field(default=30, gt=0, description="Time limit of one API request.")
    backoff_first: float = Field(default=0.5, gt=0, description="Pause after the first failed reconcile of an object.")
    backoff_max: float = Field(default=120, gt=0, description="Longest pause between failed reconciles of an object.")
    stuck_after: float = Field(
        default=180, gt=0, description="A reconcile that takes longer makes the operator unhealthy."
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="Serves /healthz, /readyz and /metrics; 0: any free one."
    )
    log_level: str = Field(default="INFO")
    torchserve_image: str = Field(
        default=f"lamplighter/torchserve:{__version__}", description="For ModelDeployments without runtime.image."
    )
    router_image: str = Field(
        default=f"lamplighter/router:{__version__}", description="For ModelDeployments without router.image."
    )
    router_status: str = Field(
        default="http://{ip}:9902/status",
        pattern=r"^https?://\S+$",
        description="Where a router pod reports its state; {ip}, {namespace} and {pod} are replaced.",
    )
    model_status: str = Field(
        default="http://{ip}:8090/ready",
        pattern=r"^https?://\S+$",
        description="Where a model's pod reports why it is not ready, in the same form.",
    )

    watch_nodes: bool = Field(
        default=True, description="False: Nodes are not watched; the operator notices a lost one late."
    )
    bad_node_conditions: list[str] = Field(
        default=["KernelDeadlock", "ReadonlyFilesystem", "GPUUnhealthy"],
        description="Types of Node conditions that mean broken hardware when True, as a JSON list.",
    )
    node_grace: float = Field(
        default=15, ge=0, description="How long a Node may be NotReady before its pods count as lost."
    )

    leader_election: bool = Field(default=True, description="False: a single process, for tests and laptops.")
    lease_name: str = "lamplighter-operator"
    lease_namespace: str = Field(default="lamplighter-system", validation_alias="POD_NAMESPACE")
    identity: str = Field(default_factory=socket.gethostname, validation_alias="POD_NAME")
    lease_duration: int = Field(default=15, ge=2)
    lease_renew_deadline: int = Field(default=10, ge=1)
    lease_retry_period: int = Field(default=2, ge=1)

    progress: bool = Field(
        default=True, description="False: the operator accepts no progress reports, and pods send none."
    )
    progress_port: int = Field(
        default=8081, ge=0, le=65535, description="Accepts the reports of pods; 0: any free one."
    )
    progress_url: str = Field(
        default_factory=lambda known: _progress_url(known),
        max_length=1024,
        pattern=r"^(https?://\S+)?$",
        description="Where pods send their reports; default: the Service in our own namespace; empty: they send none.",
    )
    progress_writes: float = Field(
        default=20,
        gt=0,
        le=1000,
        description="Status writes per second, over all trainings, that update only progress.",
    )


def _progress_url(known: dict[str, Any]) -> str:
    """The URL of the Service of manifests/base in this namespace."""
    return _PROGRESS_URL.format(known["lease_namespace"]) if known.get("progress") else ""
