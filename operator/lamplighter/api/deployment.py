"""ModelDeployment (``md``): which model to serve, how to serve it, and what serves now."""

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
        default=None, ge=1, description="Pins a run. Default: the deployment follows the newest packaged run."
    )


class PublicKeyRef(ApiModel):
    """A key of a ConfigMap in the same namespace. It cannot be optional: then nothing would be verified."""

    name: DnsSubdomain
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class ModelSignature(ApiModel):
    """The archive must carry an OpenSSF Model Signing signature: `<file>.sig`, next to the archive."""

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
    signature: ModelSignature | None = Field(default=None, description="Unset: no signature is verified.")


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
"""The launcher in the image refuses the same settings; a test compares the two lists."""


class Runtime(ApiModel):
    """How TorchServe runs the model."""

    image: Image | None = Field(default=None, description="Default: the TorchServe image in the operator's settings.")
    workers: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Worker processes in a pod. Default: one per GPU; without GPUs, one per whole CPU.",
    )
    batch_size: int = Field(default=1, ge=1, le=1024)
    max_batch_delay: Duration = "50ms"
    job_queue_size: int = Field(default=100, ge=1, le=100000)
    response_timeout: Limit = "60s"
    warmup: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="How often each worker must predict the packaged example before its pod is ready. Use 0 only if "
        "the model has no example.",
    )
    config: dict[
        Annotated[str, Field(max_length=128)],
        Annotated[str, Field(max_length=1024, pattern=r"^([^\n\r]*[^\n\r\\])?$")],
    ] = Field(
        default_factory=dict,
        max_length=64,
        description="More settings for TorchServe's config.properties.",
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
    """What to serve."""

    model: ModelSource
    runtime: Runtime = Field(default_factory=Runtime)
    replicas: int | None = Field(default=None, ge=0, le=1000, description="Pods of the serving revision. Default: 1.")
    resources: Resources = Field(default_factory=Resources)
    template: PodTemplate = Field(default_factory=PodTemplate)
    strategy: Strategy = Field(default_factory=Strategy)
    router: Router = Field(default_factory=Router)
    revision_history_limit: int = Field(
        default=10, ge=0, le=100, description="How many old revisions are kept for undo."
    )


class ResolvedModel(ApiModel):
    """The model of a revision, resolved to a digest."""

    uri: Annotated[str, Field(max_length=1024)]
    sha256: Sha256
    training: Annotated[str, Field(max_length=63)] | None = None
    run: int | None = Field(default=None, ge=1)


class RevisionStatus(ApiModel):
    """A revision that runs in the cluster."""

    revision: RevisionName
    model: ResolvedModel
    since: Timestamp
    ready_replicas: int = Field(default=0, ge=0)
    weight: int = Field(default=100, ge=0, le=100, description="Percent of the requests that it should receive.")


class CandidateStatus(RevisionStatus):
    """The revision that is being rolled out, and how far it has come."""

    weight: int = Field(default=0, ge=0, le=100, description="Percent of the requests that it should receive.")
    mirror: int = Field(default=0, ge=0, le=100, description="Percent of the requests that are also copied to it.")
    step: int = Field(default=0, ge=0, le=32, description="How many steps it has completed.")
    progress: Annotated[str, Field(max_length=15)] | None = Field(
        default=None, description="The current step, such as 2/4."
    )
    step_since: Timestamp | None = Field(default=None, description="When every router pod had this step's weight.")
    advanced_at: Timestamp | None = Field(default=None, description="When its step or weight last changed.")
    released: bool = Field(default=False, description="True: an annotation ended the pause of this step.")


class RetiringStatus(ApiModel):
    """A revision that receives no more requests. It is removed once its last requests are answered."""

    revision: RevisionName
    since: Timestamp
    served: bool = Field(default=False, description="True: it was the stable revision.")


class Diversion(ApiModel):
    """After an abort or undo: the revision that serves instead of the one that the spec asks for."""

    instead_of: RevisionName
    revision: RevisionName
    reason: Annotated[str, Field(max_length=63)]
    cause: Annotated[str, Field(max_length=512)]
    since: Timestamp


class Change(ApiModel):
    """One entry of the history: what happened to a revision."""

    revision: RevisionName
    sha256: Sha256
    outcome: Annotated[str, Field(max_length=63)] = Field(description="Served, Aborted or Replaced.")
    since: Timestamp
    until: Timestamp
    reason: Annotated[str, Field(max_length=512)]


Handled = Annotated[str, Field(max_length=256)] | None


class LastHandled(ApiModel):
    """The last value of each annotation that was acted on. The same value is not acted on again."""

    promote: Handled = None
    abort: Handled = None
    pause: Handled = None
    resume: Handled = None
    skip: Handled = None
    undo: Handled = None


class DeploymentStatus(ApiModel):
    """What serves now, and what is being rolled out."""

    observed_generation: int | None = Field(default=None, ge=0)
    state: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="For people. Programs read the conditions."
    )
    conditions: Conditions = Field(default_factory=list)
    endpoint: Annotated[str, Field(max_length=512)] | None = None
    replicas: int | None = Field(default=None, ge=0, description="Pods of the serving revision.")
    ready_replicas: int | None = Field(default=None, ge=0)
    selector: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="For the scale subresource."
    )
    stable: RevisionStatus | None = Field(default=None, description="The revision that serves.")
    candidate: CandidateStatus | None = Field(default=None, description="The revision that is being rolled out.")
    retiring: Annotated[list[RetiringStatus], Field(max_length=16, json_schema_extra=list_map("revision"))] = Field(
        default_factory=list, description="Revisions that are being removed."
    )
    diverted: Diversion | None = Field(default=None, description="After an abort or an undo, until the spec changes.")
    paused: bool = Field(default=False, description="True: no weight rises until a resume or promote annotation.")
    last_handled: LastHandled = Field(default_factory=LastHandled)
    router: RouterStatus = Field(default_factory=RouterStatus)
    history: Annotated[list[Change], Field(max_length=20, json_schema_extra=ATOMIC)] = Field(
        default_factory=list, description="Revisions that served, were aborted or were replaced, newest first."
    )


class ModelDeployment(ApiModel):
    """Serves a packaged model on TorchServe."""

    model_config = ConfigDict(json_schema_extra=rules(NAME_RULE))

    spec: DeploymentSpec
    status: DeploymentStatus = Field(default_factory=DeploymentStatus)
