"""ModelTraining (``mt``): what to train, on how many nodes, what to keep, and how it went."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from lamplighter.api.common import (
    NAME_RULE,
    ApiModel,
    Argument,
    Conditions,
    DnsSubdomain,
    Duration,
    EnvVar,
    FileName,
    Image,
    Limit,
    PodTemplate,
    Quantity,
    Resources,
    Sha256,
    Timestamp,
    list_map,
    rule,
    rules,
)
from lamplighter.api.failures import Failure, FailurePolicy
from lamplighter.api.placement import Elastic, GangScheduling, Rdma, ResourceClaim, Topology
from lamplighter.api.progress import CheckpointPolicy, Metrics, Progress, ProgressOptions


class Source(ApiModel):
    """The source of the scripts, if they are not in the image."""

    config_map: DnsSubdomain = Field(description="A ConfigMap whose keys are the files. Each run keeps its own copy.")


class Output(ApiModel):
    """The volume for everything that a run writes. It stays when the ModelTraining is deleted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.claimName) || !has(self.storageClassName)",
                "storageClassName is for the claim that the operator makes; leave it out when claimName names one",
            ),
            rule(
                "!has(self.accessModes) || !('ReadWriteOncePod' in self.accessModes) || size(self.accessModes) == 1",
                "ReadWriteOncePod cannot be combined with another access mode",
            ),
        )
    )

    claim_name: DnsSubdomain | None = Field(
        default=None, description="An existing PersistentVolumeClaim. Default: the operator creates <name>-models."
    )
    size: Quantity = Field(default="5Gi", description="Size of the claim that the operator creates.")
    storage_class_name: DnsSubdomain | None = None
    access_modes: Annotated[
        list[Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]],
        Field(min_length=1, max_length=3, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(
        default=["ReadWriteOnce"],
        description="Use ReadWriteMany if ranks run on several nodes and the storage supports it.",
    )


class Package(ApiModel):
    """How the model becomes a TorchServe archive (.mar). Files are looked up in the source, then in the output."""

    handler: Annotated[
        FileName,
        Field(
            json_schema_extra=rules(
                rule("!self.contains('..')", "a file is named without '..'"),
                rule(
                    "self.endsWith('.py') || "
                    "self in ['image_classifier', 'image_segmenter', 'object_detector', 'text_classifier']",
                    "spec.package.handler is a Python file such as handler.py, or one of TorchServe's own: "
                    "image_classifier, image_segmenter, object_detector, text_classifier",
                ),
            )
        ),
    ]
    model_file: FileName | None = Field(default=None, description="The file that defines the model's class.")
    weights: FileName = Field(default="model.pt", description="The file with the state_dict that the script wrote.")
    extra_files: Annotated[list[FileName], Field(max_length=64)] = Field(default_factory=list)
    example: FileName | None = Field(
        default=None, description="A request body. A revision is ready only when it has predicted this."
    )
    version: Annotated[str, Field(min_length=1, max_length=64)] = "1.0"


class OnChange(StrEnum):
    """What a changed spec does: wait for the current run, stop it, or nothing until an annotation asks."""

    QUEUE = "Queue"
    RESTART = "Restart"
    IGNORE = "Ignore"


class TrainingSpec(ApiModel):
    """What to run. Each run freezes this; a later change applies to the next run."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.package) || !has(self.package.modelFile) || self.package.modelFile.endsWith('.py')",
                "spec.package.modelFile must be a Python file",
            ),
            rule(
                "!has(self.nodes) || !has(self.procsPerNode) || self.nodes * self.procsPerNode <= 16384",
                "spec.nodes times spec.procsPerNode must be at most 16384 processes",
            ),
            rule(
                "self.nodes == 1 || !('ReadWriteOncePod' in self.output.accessModes)",
                "spec.output.accessModes: ReadWriteOncePod is for one pod; with several nodes take ReadWriteMany",
            ),
            rule(
                "!has(self.elastic) || (self.nodes >= self.elastic.minNodes && self.nodes <= self.elastic.maxNodes)",
                "spec.nodes must lie between spec.elastic.minNodes and spec.elastic.maxNodes",
            ),
        )
    )

    image: Image = Field(
        description="An image with PyTorch and torchrun. With Lamplighter's launcher, failures are explained better."
    )
    source: Source | None = None
    entrypoint: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            json_schema_extra=rules(
                rule("!self.contains('..')", "spec.entrypoint must not contain '..'"),
                rule(
                    "self.endsWith('.py')",
                    "spec.entrypoint is the Python script that torchrun starts, such as train.py; "
                    "put its arguments into spec.args",
                ),
            ),
        ),
    ]
    args: Annotated[list[Argument], Field(max_length=256)] = Field(default_factory=list)
    env: Annotated[list[EnvVar], Field(max_length=256, json_schema_extra=list_map("name"))] = Field(
        default_factory=list
    )
    nodes: int = Field(default=1, ge=1, le=1024, description="Number of pods.")
    procs_per_node: int | None = Field(
        default=None, ge=1, le=64, description="Processes per pod. Default: the number of its GPUs, else 1."
    )
    resources: Resources = Field(default_factory=Resources)
    resource_claims: Annotated[list[ResourceClaim], Field(max_length=16, json_schema_extra=list_map("name"))] = Field(
        default_factory=list,
        description="Devices through Dynamic Resource Allocation; torchrun counts GPUs unless procsPerNode is set.",
    )
    elastic: Elastic | None = None
    topology: Topology | None = None
    priority_class_name: DnsSubdomain | None = None
    queue_name: DnsSubdomain | None = Field(
        default=None, description="A LocalQueue of Kueue, which decides when the pods start, and may stop them."
    )
    gang_scheduling: GangScheduling | None = None
    rdma: Rdma | None = None
    template: PodTemplate = Field(default_factory=PodTemplate)
    output: Output = Field(default_factory=Output)
    package: Package | None = None
    checkpoint: CheckpointPolicy = Field(default_factory=CheckpointPolicy)
    progress: ProgressOptions = Field(default_factory=ProgressOptions)
    failure_policy: FailurePolicy = Field(default_factory=FailurePolicy)
    active_deadline: Limit | None = Field(
        default=None,
        description="How long a run may take, including restarts, not counting suspensions. Unset: no limit.",
    )
    suspend: bool = Field(
        default=False, description="True: the pods of the run stop. On resume the script starts again."
    )
    on_change: OnChange = Field(
        default=OnChange.QUEUE,
        description="What a changed spec does: Queue (run it next), Restart (stop the current run first), Ignore.",
    )
    ttl_after_finished: Duration = Field(
        default="24h", description="How long the Jobs and pods of a finished run are kept."
    )
    history_limit: int = Field(default=10, ge=1, le=100, description="How many finished runs status.history keeps.")


class RunState(StrEnum):
    """The state of a run. The last four are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    LOST = "Lost"
    SUPERSEDED = "Superseded"

    @property
    def final(self) -> bool:
        """True when the state will not change again."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.LOST, RunState.SUPERSEDED})


class Artifact(ApiModel):
    """A packaged model. The digest is its identity."""

    uri: Annotated[str, Field(max_length=1024)]
    sha256: Sha256
    size_bytes: int | None = Field(default=None, ge=0, le=2**53)


class RunRecord(ApiModel):
    """One run in the history, or the latest model."""

    run: int = Field(ge=1)
    state: RunState
    artifact: Artifact | None = None
    failure: Failure | None = None
    start_time: Timestamp | None = None
    completion_time: Timestamp | None = None
    restarts: int = Field(default=0, ge=0)
    executions: int = Field(default=0, ge=0)
    metrics: Metrics = Field(default_factory=dict, description="The last value of each metric.")


class Run(ApiModel):
    """The current run, or the last one."""

    number: int = Field(ge=1)
    state: RunState = RunState.PENDING
    stage: Annotated[str, Field(max_length=63)]
    attempt: int = Field(default=1, ge=1, description="Each attempt has its own Job.")
    attempt_start_time: Timestamp | None = None
    not_before: Timestamp | None = Field(
        default=None, description="The Job of this attempt is not created before this time."
    )
    executions: int = Field(
        default=0, ge=0, description="How often the pods were started: by stages, restarts, preemptions and resumes."
    )
    executed_at: Timestamp | None = Field(default=None, description="When they were last started.")
    restarts: int = Field(default=0, ge=0, description="How many failures were followed by a new attempt.")
    failures: Annotated[dict[str, int], Field(max_length=16)] = Field(
        default_factory=dict, description="Failed attempts of this stage, by cause."
    )
    failures_in_a_row: int = Field(default=0, ge=0, description="Decides the length of the next pause.")
    last_failure: Failure | None = Field(default=None, description="Why the previous attempt ended.")
    avoided_nodes: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=64)] = Field(
        default_factory=list, description="Nodes with broken hardware, which further attempts avoid."
    )
    suspended_since: Timestamp | None = None
    suspended_seconds: int = Field(default=0, ge=0, description="Not counted towards spec.activeDeadline.")
    progress: Progress | None = None
    job: Annotated[str, Field(max_length=63)] = Field(description="The Job of this stage and attempt.")
    claim_name: Annotated[str, Field(max_length=253)] = Field(description="The claim that this run writes to.")
    path: Annotated[str, Field(max_length=1024)] = Field(description="The folder of this run in that claim.")
    artifact: Artifact | None = None
    failure: Failure | None = None
    start_time: Timestamp
    completion_time: Timestamp | None = None


class LastHandled(ApiModel):
    """The last value of each annotation that was acted on."""

    retrain: Annotated[str, Field(max_length=256)] | None = None


class TrainingStatus(ApiModel):
    """How the training stands, and what it produced."""

    observed_generation: int | None = Field(default=None, ge=0)
    state: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="For people. Programs read the conditions."
    )
    conditions: Conditions = Field(default_factory=list)
    run: Run | None = None
    latest: RunRecord | None = Field(default=None, description="The newest run that produced a packaged model.")
    history: Annotated[list[RunRecord], Field(max_length=100, json_schema_extra=list_map("run"))] = Field(
        default_factory=list
    )
    last_handled: LastHandled = Field(default_factory=LastHandled)


class ModelTraining(ApiModel):
    """Trains a PyTorch model as Jobs and packages it for TorchServe."""

    model_config = ConfigDict(json_schema_extra=rules(NAME_RULE))

    spec: TrainingSpec
    status: TrainingStatus = Field(default_factory=TrainingStatus)
