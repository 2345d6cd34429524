"""Everything the operator knows about TorchServe: the pod that serves a model, and when it is ready.

TorchServe's own /ping says 'healthy' while workers load or crash, so the pod's readiness is asked of
lamplighter-serve (port 8090), which looks at the workers and has each of them predict the packaged example.
"""

from typing import Any

from lamplighter.api.common import seconds
from lamplighter.core.objects import Obj
from lamplighter.core.podtemplate import override
from lamplighter.deployment.model import claim_and_path
from lamplighter.deployment.serving import workers
from lamplighter.deployment.serving.contract import GRPC_INFERENCE, HEALTH, INFERENCE, METRICS
from lamplighter.deployment.serving.revision import Revision

CONTAINER = "torchserve"
DRAIN_SECONDS = 5
"""How long a pod still serves after it was told to stop, until no router or kube-proxy sends requests to it."""
_STOP_SECONDS = 10
_MODELS, _STORE = "/lamplighter/models", "/lamplighter/store"
_USER = 1000
_LOCKED: Obj = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def pod(name: str, revision: Revision, labels: dict[str, str], default_image: str) -> Obj:
    """The pod template of a revision, with the user's overrides.

    ``name`` is the model's name in the URL: ``/predictions/<name>``. An init container checks the archive's digest
    before TorchServe sees it, for an archive executes code.
    """
    runtime = revision.runtime
    image = runtime.image or default_image
    response_timeout = max(1, round(seconds(runtime.response_timeout)))
    claim, path = claim_and_path(revision.model.uri)
    common = {"image": image, "securityContext": _LOCKED, "terminationMessagePolicy": "FallbackToLogsOnError"}
    store = {"name": "store", "mountPath": _STORE}
    tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 (a volume of the pod's own)
    where = {"LAMPLIGHTER_MODEL_NAME": name, "LAMPLIGHTER_MODEL_STORE": _STORE}
    fetch = {
        **common,
        "name": "fetch",
        # Another command where a signature is required, so that an image that cannot verify one does not start.
        "command": ["lamplighter-fetch-signed" if revision.signature else "lamplighter-fetch"],
        "env": [
            *_env(
                **where,
                LAMPLIGHTER_MODEL_PATH=f"{_MODELS}/{path}",
                LAMPLIGHTER_MODEL_SHA256=revision.model.sha256,
            ),
            *_public_key(revision),
        ],
        "volumeMounts": [{"name": "models", "mountPath": _MODELS, "readOnly": True}, store, tmp],
    }
    serve = {
        **common,
        "name": CONTAINER,
        "command": ["lamplighter-serve"],
        "env": _env(
            **where,
            LAMPLIGHTER_WORKERS=workers.workers(runtime, revision.resources),
            LAMPLIGHTER_GPUS=workers.gpus(revision.resources),
            LAMPLIGHTER_PROCESSORS=workers.processors(revision.resources) or "",
            LAMPLIGHTER_BATCH_SIZE=runtime.batch_size,
            LAMPLIGHTER_MAX_BATCH_DELAY_MS=round(seconds(runtime.max_batch_delay) * 1000),
            LAMPLIGHTER_JOB_QUEUE_SIZE=runtime.job_queue_size,
            LAMPLIGHTER_RESPONSE_TIMEOUT_S=response_timeout,
            LAMPLIGHTER_WARMUP=runtime.warmup,
            LAMPLIGHTER_DRAIN_DELAY_S=DRAIN_SECONDS,
            LAMPLIGHTER_TORCHSERVE_CONFIG="\n".join(f"{key}={value}" for key, value in sorted(runtime.config.items())),
        ),
        "ports": [
            {"name": "inference", "containerPort": INFERENCE},
            {"name": "grpc", "containerPort": GRPC_INFERENCE},
            {"name": "metrics", "containerPort": METRICS},
            {"name": "health", "containerPort": HEALTH},
        ],
        "resources": revision.resources.model_dump(),
        "readinessProbe": _probe("/ready", periodSeconds=1, failureThreshold=2),
        "livenessProbe": _probe("/live", periodSeconds=10, failureThreshold=6),
        "volumeMounts": [store, tmp],
    }
    built = {
        "metadata": {"labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": labels},
                }
            ],
            "terminationGracePeriodSeconds": DRAIN_SECONDS + response_timeout + _STOP_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [fetch],
            "containers": [serve],
            "volumes": [
                {"name": "models", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}},
                {"name": "store", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
    return override(built, revision.template)


def _env(**variables: object) -> list[Obj]:
    return [{"name": name, "value": str(value)} for name, value in variables.items()]


def _public_key(revision: Revision) -> list[Obj]:
    """The key that the archive must be signed with. A variable and no volume: the kubelet says which key is missing."""
    if revision.signature is None:
        return []
    source = {"configMapKeyRef": revision.signature.public_key.model_dump()}
    return [{"name": "LAMPLIGHTER_MODEL_PUBLIC_KEY", "valueFrom": source}]


def _probe(path: str, **timing: Any) -> Obj:
    return {"httpGet": {"path": path, "port": HEALTH}, "timeoutSeconds": 5, **timing}
