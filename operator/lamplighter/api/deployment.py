"""ModelDeployment (``md``): which model is served, how, and what is serving now."""

from typing import Annotated

from pydantic import ConfigDict, Field

from lamplighter.api.common import (
    ATOMIC,
    NAME_RULE,
    ApiModel,
    Conditions,
    DnsSubdomain,
    Duration,
    Image,
    Limit,
    ObjectName,
    PodTemplate,
    Resources,
    RevisionName,
    Sha256,
    Timestamp,
    list_map,
    rule,
    rules,
)
from lamplighter.api.router import Router, RouterStatus
from lamplighter.api.strategy import Strategy


class TrainingRef(ApiModel):
    """A ModelTraining in the same namespace."""

    name: ObjectName
    run: int | None = Field(
        default=None, ge=1, description="Pins a run. Without it the deployment follows the newest model."
    )


class PublicKeyRef(ApiModel):
    """A key of a ConfigMap in the same namespace. It cannot be optional: nothing would be verified then."""

    name: DnsSubdomain
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class ModelSignature(ApiModel):
    """The archive must be signed after the OpenSSF Model Signing specification: `<file>.sig`, beside the archive."""

    public_key: PublicKeyRef = Field(description="The signer's public key: PEM, an elliptic curve (P-256, 384 or 521).")


class ModelSource(ApiModel):
    """Where the model comes from: a training, or an archive whose digest you state."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.trainingRef) != has(self.uri)",
                "give either spec.model.trainingRef or spec.model.uri with spec.model.sha256",
            ),
            rule(
                "has(self.uri) == has(self.sha256)",
                "spec.model.uri and spec.model.sha256 belong together: an archive runs code, so its digest is checked",
            ),
        )
    )

    training_ref: TrainingRef | None = None
    uri: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=1024,
                json_schema_extra=rules(
                    rule(
                        "self.matches('^pvc://[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[^ ]+[.]mar$') && !self.contains('..')",
                        "spec.model.uri must be pvc://<claim>/<path to the .mar>",
                    )
                ),
            ),
        ]
        | None
    ) = None
    sha256: Sha256 | None = None
    signature: ModelSignature | None = Field(default=None, description="Unset: nobody asks who made the archive.")


OWNED_SETTINGS = (
    "allowed_urls",
    "default_response_timeout",
    "default_workers_per_model",
    "disable_token_authorization",
    "enable_envvars_config",
    "enable_model_api",
    "grpc_inference_address",
    "grpc_inference_port",
    "grpc_management_address",
    "grpc_management_port",
    "inference_address",
    "install_py_dep_per_model",
    "job_queue_size",
    "load_models",
    "management_address",
    "metrics_address",
    "metrics_mode",
    "model_store",
    "models",
)
"""What the launcher in the image refuses, too; a test holds the two lists together."""


class Runtime(ApiModel):
    """How TorchServe runs the model."""

    image: Image | None = Field(default=None, description="Default: the TorchServe image of the operator's settings.")
    workers: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Worker processes in a pod. Default: one for each GPU, without GPUs one for each whole CPU.",
    )
    batch_size: int = Field(default=1, ge=1, le=1024)
    max_batch_delay: Duration = "50ms"
    job_queue_size: int = Field(default=100, ge=1, le=100000)
    response_timeout: Limit = "60s"
    warmup: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="Predictions of the packaged example by each worker before its pod is ready. 0: only where the "
        "model has no example.",
    )
    config: dict[
        Annotated[str, Field(max_length=128)],
        Annotated[str, Field(max_length=1024, pattern=r"^([^\n\r]*[^\n\r\\])?$")],
    ] = Field(
        default_factory=dict,
        max_length=64,
        description="More lines for TorchServe's config.properties.",
        json_schema_extra=rules(
            rule(
                "self.all(key, key.matches('^[A-Za-z][A-Za-z0-9_]*$'))",
                "a key of spec.runtime.config is a setting of TorchServe, such as prefer_direct_buffer",
            ),
            rule(
                f"self.all(key, !(key in {list(OWNED_SETTINGS)}))",
                "spec.runtime.config must not name what Lamplighter sets: addresses, the model store, workers, queue, "
                "timeouts and tokens; spec.runtime has fields for what can be chosen",
            ),
        ),
    )


class DeploymentSpec(ApiModel):
    """What is served."""

    model: ModelSource
    runtime: Runtime = Field(default_factory=Runtime)
    replicas: int | None = Field(default=None, ge=0, le=1000, description="Pods of the serving revision. Default: 1.")
    resources: Resources = Field(default_factory=Resources)
    template: PodTemplate = Field(default_factory=PodTemplate)
    strategy: Strategy = Field(default_factory=Strategy)
    router: Router = Field(default_factory=Router)
    revision_history_limit: int = Field(default=10, ge=0, le=100, description="Old revisions that are remembered.")


class ResolvedModel(ApiModel):
    """The model of a revision, resolved to a digest."""

    uri: Annotated[str, Field(max_length=1024)]
    sha256: Sha256
    training: Annotated[str, Field(max_length=63)] | None = None
    run: int | None = Field(default=None, ge=1)


class RevisionStatus(ApiModel):
    """A revision that exists in the cluster."""

    revision: RevisionName
    model: ResolvedModel
    since: Timestamp
    ready_replicas: int = Field(default=0, ge=0)
    weight: int = Field(default=100, ge=0, le=100, description="Percent of the requests that it is to answer.")


class CandidateStatus(RevisionStatus):
    """The revision that is on its way, and how far it has come."""

    weight: int = Field(default=0, ge=0, le=100, description="Percent of the requests that it is to answer.")
    mirror: int = Field(default=0, ge=0, le=100, description="Percent of the requests that it gets a copy of.")
    step: int = Field(default=0, ge=0, le=32, description="Steps that are behind it.")
    progress: Annotated[str, Field(max_length=15)] | None = Field(default=None, description="The step it is at: 2/4.")
    step_since: Timestamp | None = Field(
        default=None, description="Since when every router pod has this step's weight."
    )
    advanced_at: Timestamp | None = Field(default=None, description="When its step or its weight changed last.")
    released: bool = Field(default=False, description="True: somebody ended the pause of this step.")


class RetiringStatus(ApiModel):
    """A revision that gets no requests any more, until those that it has are answered."""

    revision: RevisionName
    since: Timestamp
    served: bool = Field(default=False, description="True: it was the stable one.")


class Diversion(ApiModel):
    """Somebody decided that another revision serves than the one which the spec asks for."""

    instead_of: RevisionName
    revision: RevisionName
    reason: Annotated[str, Field(max_length=63)]
    cause: Annotated[str, Field(max_length=512)]
    since: Timestamp


class Change(ApiModel):
    """One line of the history: what happened to a revision."""

    revision: RevisionName
    sha256: Sha256
    outcome: Annotated[str, Field(max_length=63)] = Field(description="Served, Aborted or Replaced.")
    since: Timestamp
    until: Timestamp
    reason: Annotated[str, Field(max_length=512)]


Handled = Annotated[str, Field(max_length=256)] | None


class LastHandled(ApiModel):
    """The values of annotations that were acted on last, so that one that stays behind does nothing."""

    promote: Handled = None
    abort: Handled = None
    pause: Handled = None
    resume: Handled = None
    skip: Handled = None
    undo: Handled = None


class DeploymentStatus(ApiModel):
    """What serves now, and what is on its way."""

    observed_generation: int | None = Field(default=None, ge=0)
    state: Annotated[str, Field(max_length=63)] | None = Field(default=None, description="For people: see conditions.")
    conditions: Conditions = Field(default_factory=list)
    endpoint: Annotated[str, Field(max_length=512)] | None = None
    replicas: int | None = Field(default=None, ge=0, description="Pods of the serving revision.")
    ready_replicas: int | None = Field(default=None, ge=0)
    selector: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="For the scale subresource."
    )
    stable: RevisionStatus | None = Field(default=None, description="The revision that receives requests.")
    candidate: CandidateStatus | None = Field(default=None, description="The revision that is being brought up.")
    retiring: Annotated[list[RetiringStatus], Field(max_length=16, json_schema_extra=list_map("revision"))] = Field(
        default_factory=list, description="Revisions that are going."
    )
    diverted: Diversion | None = Field(default=None, description="After an abort or an undo, until the spec changes.")
    paused: bool = Field(default=False, description="True: no weight rises until somebody says resume or promote.")
    last_handled: LastHandled = Field(default_factory=LastHandled)
    router: RouterStatus = Field(default_factory=RouterStatus)
    history: Annotated[list[Change], Field(max_length=20, json_schema_extra=ATOMIC)] = Field(
        default_factory=list, description="What served and what was given up, newest first."
    )


class ModelDeployment(ApiModel):
    """Serves a packaged model on TorchServe."""

    model_config = ConfigDict(json_schema_extra=rules(NAME_RULE))

    spec: DeploymentSpec
    status: DeploymentStatus = Field(default_factory=DeploymentStatus)
