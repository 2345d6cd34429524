"""The pods of the train stage: torchrun on every node, rank 0 of the first pod is the master."""

from lamplighter.api.training import TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.core.podtemplate import override
from lamplighter.training.stage import STAGE_CONTAINERS, StageRun, variable

CONTAINER = STAGE_CONTAINERS[0]
MASTER_PORT = 29500
_LAUNCH = """\
command -v lamplighter-train >/dev/null 2>&1 && exec lamplighter-train "$@"
exec python -m torch.distributed.run "$@"
"""
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def processes_per_node(spec: TrainingSpec) -> int:
    """What the user says; otherwise one per GPU of the pod; otherwise one."""
    if spec.procs_per_node is not None:
        return spec.procs_per_node
    wanted = {**spec.resources.requests, **spec.resources.limits}
    gpus = sum(int(count) for name, count in wanted.items() if _is_gpu(name) and count.isdigit())
    return max(gpus, 1)


def pod(own: StageRun) -> Obj:
    """The pod template of the train stage, with the user's overrides."""
    spec = own.spec
    container = {
        "name": CONTAINER,
        "command": ["/bin/sh", "-c", _LAUNCH, "lamplighter", spec.entrypoint, *spec.args],
        "env": [*_environment(own), *(entry.model_dump(exclude_none=True) for entry in spec.env)],
        "resources": spec.resources.model_dump(),
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108 (a volume of the pod's own)
    }
    shared_memory = {"name": "shm", "emptyDir": {"medium": "Memory"}}
    subdomain = {"subdomain": own.job} if spec.nodes > 1 else {}
    return override(own.pod(container, shared_memory, **subdomain), own.template(CONTAINER))


def _environment(own: StageRun) -> list[Obj]:
    spec = own.spec
    processes = processes_per_node(spec)
    common = [
        *own.environment(),
        variable("LAMPLIGHTER_NODES", spec.nodes),
        variable("LAMPLIGHTER_PROCS_PER_NODE", processes),
        variable("PET_NNODES", spec.nodes),
        variable("PET_NPROC_PER_NODE", processes),
        variable("PET_MAX_RESTARTS", 0),
    ]
    if spec.nodes == 1:
        return [*common, variable("PET_STANDALONE", 1)]
    return [
        *common,
        {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}},
        variable("PET_RDZV_BACKEND", "static"),
        variable("PET_MASTER_ADDR", f"{own.job}-0.{own.job}.{own.namespace}.svc"),
        variable("PET_MASTER_PORT", MASTER_PORT),
    ]


def _is_gpu(resource: str) -> bool:
    domain, _, name = resource.partition("/")
    return bool(name) and ("gpu" in name or name.startswith("mig-") or domain == "gpu.intel.com")
