"""The train stage: torchrun on every node; the ranks meet at the first pod."""

from lamplighter.api.common import seconds
from lamplighter.api.progress import PROGRESS_AUDIENCE
from lamplighter.api.training import TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.core.podtemplate import override
from lamplighter.core.resources import accelerators
from lamplighter.training.stages import output, placement
from lamplighter.training.stages.base import Stage, StageRun, variable

CONTAINER = "trainer"
MASTER_PORT = 29500
_TOKEN_MOUNT = "/var/run/secrets/lamplighter.dev/progress"  # noqa: S105 (a path, no secret)
_TOKEN_SECONDS = 3600
_GRACE = 30
"""Seconds that Kubernetes gives a pod between SIGTERM and SIGKILL unless its template says otherwise."""
_PATIENCE_DAYS = 7
"""How long a pod waits for its peers when spec.failurePolicy.startTimeout is not set."""
_ELASTIC_MEETING = "last_call_timeout=30,keep_alive_interval=5"
"""Seconds that a gang with enough members waits for more, and seconds between two keep-alives of a member."""
_LAUNCH = """\
command -v lamplighter-train >/dev/null 2>&1 && exec lamplighter-train "$@"
exec python -m torch.distributed.run "$@"
"""
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
_BACKENDS = {
    "aws.amazon.com": "xla",
    "cambricon.com": "cncl",
    "google.com": "xla",
    "gpu.intel.com": "xccl",
    "habana.ai": "hccl",
    "huawei.com": "hccl",
}
_MOST = 64
"""Most processes of a pod; as in the schema."""


def processes_per_node(spec: TrainingSpec) -> int | str:
    """The number that the user sets; otherwise one per GPU of the pod; otherwise one.

    ``gpu`` where GPUs may come only from a resource claim: torchrun counts them when it starts.
    """
    if spec.procs_per_node is not None:
        return spec.procs_per_node
    gpus = sum(accelerators(spec.resources).values())
    return min(gpus, _MOST) or ("gpu" if spec.resource_claims else 1)


def backend(spec: TrainingSpec) -> str:
    """The backend of torch.distributed that fits the devices."""
    gpus = accelerators(spec.resources)
    for domain, name in _BACKENDS.items():
        if any(resource.startswith(f"{domain}/") for resource in gpus):
            return name
    return "nccl" if gpus or spec.resource_claims else "gloo"


def pod(own: StageRun) -> Obj:
    """The pod template of the train stage, with the user's overrides."""
    spec = own.spec
    reports = bool(own.progress_url)
    token = {"name": "progress", "mountPath": _TOKEN_MOUNT, "readOnly": True}
    container = {
        "name": CONTAINER,
        "command": ["/bin/sh", "-c", _LAUNCH, "lamplighter", spec.entrypoint, *spec.args],
        "env": [*_environment(own), *(entry.model_dump(exclude_none=True) for entry in spec.env)],
        **placement.devices(own),
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 (a volume of the pod's own)
            *([token] if reports else []),
        ],
    }
    shared_memory = {"name": "shm", "emptyDir": {"medium": "Memory"}}
    subdomain = {"subdomain": own.job} if own.gang else {}
    built = own.pod(container, shared_memory, *([_token()] if reports else []), **subdomain)
    overridden = override(placement.placed(own, built), own.template())
    return placement.avoiding(own.avoided, overridden)


def _environment(own: StageRun) -> list[Obj]:
    spec, policy = own.spec, own.spec.failure_policy
    processes = processes_per_node(spec)
    variables: dict[str, object] = {
        "LAMPLIGHTER_NODES": spec.nodes,
        "LAMPLIGHTER_PROCS_PER_NODE": processes,
        "LAMPLIGHTER_BACKEND": backend(spec),
        "LAMPLIGHTER_CHECKPOINT_DIR": f"{output.MOUNT}/checkpoints/attempt-{own.attempt}",
        "LAMPLIGHTER_CHECKPOINT_EVERY_S": _whole(spec.checkpoint.every),
        "LAMPLIGHTER_CHECKPOINT_KEEP": spec.checkpoint.keep,
        "LAMPLIGHTER_LOG_DIR": f"{output.MOUNT}/logs/attempt-{own.attempt}",
        "LAMPLIGHTER_GRACE_S": spec.template.spec.get("terminationGracePeriodSeconds", _GRACE),
        "PET_NPROC_PER_NODE": processes,
    }
    if own.progress_url:
        variables["LAMPLIGHTER_PROGRESS_URL"] = own.progress_url
        variables["LAMPLIGHTER_PROGRESS_TOKEN_FILE"] = f"{_TOKEN_MOUNT}/token"
    if policy.hang_timeout:
        variables["LAMPLIGHTER_HANG_TIMEOUT_S"] = _whole(policy.hang_timeout)
    if spec.progress.from_output:
        variables["LAMPLIGHTER_METRICS_FROM_OUTPUT"] = 1
    if own.gang:
        patience = _whole(policy.start_timeout or f"{_PATIENCE_DAYS}d")
        variables |= {"LAMPLIGHTER_DNS_TIMEOUT_S": patience, "LAMPLIGHTER_RENDEZVOUS_TIMEOUT_S": patience}
    return [
        *own.environment(),
        *(variable(name, value) for name, value in variables.items()),
        *_rendezvous(own),
    ]


def _rendezvous(own: StageRun) -> list[Obj]:
    """How the launchers of the nodes find each other."""
    spec = own.spec
    host = f"{own.job}-0.{own.job}.{own.namespace}.svc"
    if spec.elastic is not None:
        # How many workers the gang may lose in place: each costs every survivor one restart.
        restarts = spec.failure_policy.max_infrastructure_restarts
        return [
            variable("LAMPLIGHTER_ELASTIC", 1),
            variable("PET_NNODES", f"{spec.elastic.min_nodes}:{spec.elastic.max_nodes}"),
            variable("PET_MAX_RESTARTS", restarts),
            variable("PET_RDZV_BACKEND", "c10d"),
            variable("PET_RDZV_ENDPOINT", f"{host}:{MASTER_PORT}"),
            variable("PET_RDZV_ID", own.job),
            variable("PET_RDZV_CONF", _ELASTIC_MEETING),
            {"name": "PET_LOCAL_ADDR", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}},
        ]
    common = [variable("PET_NNODES", spec.nodes), variable("PET_MAX_RESTARTS", 0)]
    if spec.nodes == 1:
        return [*common, variable("PET_STANDALONE", 1)]
    return [
        *common,
        {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}},
        variable("PET_RDZV_BACKEND", "static"),
        variable("PET_MASTER_ADDR", host),
        variable("PET_MASTER_PORT", MASTER_PORT),
    ]


def _token() -> Obj:
    source = {"audience": PROGRESS_AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    return {"name": "progress", "projected": {"sources": [{"serviceAccountToken": source}]}}


def _whole(duration: str) -> int:
    """Whole seconds, at least one."""
    return max(round(seconds(duration)), 1)


STAGE = Stage(
    name="train",
    container=CONTAINER,
    state_word="",
    job_infix="",  # Jobs of the first versions had no stage in their names
    pod=pod,
    is_wanted=lambda _: True,
    width=lambda spec: spec.nodes,
    elastic=lambda spec: spec.elastic,
    service_port=MASTER_PORT,
    reports_progress=True,
)
