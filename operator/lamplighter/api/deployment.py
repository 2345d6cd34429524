"""ModelDeployment (``md``): which model is served, how, and what is serving now."""

from typing import Annotated

from pydantic import ConfigDict, Field

from lamplighter.api.common import (
    NAME_RULE,
    ApiModel,
    Conditions,
    Duration,
    Image,
    ObjectName,
    PodTemplate,
    Resources,
    Sha256,
    Timestamp,
    rule,
    rules,
)


class TrainingRef(ApiModel):
    """A ModelTraining in the same namespace."""

    name: ObjectName
    run: int | None = Field(
        default=None, ge=1, description="Pins a run. Without it the deployment follows the newest model."
    )


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


OWNED_SETTINGS = (
    "allowed_urls",
    "default_response_timeout",
    "default_workers_per_model",
    "disable_token_authorization",
    "enable_envvars_config",
    "enable_model_api",
    "grpc_inference_address",
    "grpc_management_address",
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
    workers: int = Field(default=1, ge=1, le=64, description="Worker processes in a pod.")
    batch_size: int = Field(default=1, ge=1, le=1024)
    max_batch_delay: Duration = "50ms"
    job_queue_size: int = Field(default=100, ge=1, le=100000)
    response_timeout: Duration = "60s"
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
    revision_history_limit: int = Field(default=10, ge=0, le=100, description="Old revisions that are remembered.")


class ResolvedModel(ApiModel):
    """The model of a revision, resolved to a digest."""

    uri: Annotated[str, Field(max_length=1024)]
    sha256: Sha256
    training: Annotated[str, Field(max_length=63)] | None = None
    run: int | None = Field(default=None, ge=1)


class RevisionStatus(ApiModel):
    """A revision that exists in the cluster."""

    revision: Annotated[str, Field(max_length=63)]
    model: ResolvedModel
    since: Timestamp
    ready_replicas: int = Field(default=0, ge=0)


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
    candidate: RevisionStatus | None = Field(default=None, description="The revision that is being brought up.")


class ModelDeployment(ApiModel):
    """Serves a packaged model on TorchServe."""

    model_config = ConfigDict(json_schema_extra=rules(NAME_RULE))

    spec: DeploymentSpec
    status: DeploymentStatus = Field(default_factory=DeploymentStatus)
