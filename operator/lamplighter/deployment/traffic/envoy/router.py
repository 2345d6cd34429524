"""What carries requests to the revisions: router pods, their configuration, and the Services in front and behind."""

import math
from typing import Any

from lamplighter.api.router import Router
from lamplighter.core.naming import (
    COMPONENT,
    CONFIG,
    OPERATOR,
    OWNER_LABEL,
    REVISION,
    ROUTER,
    child,
    child_labels,
    digest,
)
from lamplighter.core.objects import Obj, partial
from lamplighter.core.plan import Snapshot
from lamplighter.core.podtemplate import override
from lamplighter.deployment.serving.contract import GRPC_INFERENCE, HEALTH, INFERENCE, METRICS
from lamplighter.deployment.traffic.envoy.config import PREVIEW_PORT, PUBLIC_PORT, STATUS_PORT, files
from lamplighter.deployment.traffic.envoy.listeners import FOLDER
from lamplighter.deployment.traffic.split import Split
from lamplighter.deployment.traffic.types import Forwarding

_COMPONENT = "router"
DRAIN_SECONDS = 5
"""How long a router that was told to stop still takes new requests: until no kube-proxy sends it any."""
_STOP_SECONDS = 10
_USER = 1000
_PORTS = {"http": PUBLIC_PORT, "preview": PREVIEW_PORT, "status": STATUS_PORT}


def router_name(name: str) -> str:
    """Name of the router's ConfigMap and PodDisruptionBudget."""
    return f"{name}-{_COMPONENT}"


def selector(snapshot: Snapshot) -> dict[str, str]:
    """Labels that select the router's pods."""
    return {OWNER_LABEL["ModelDeployment"]: snapshot.name, COMPONENT: _COMPONENT}


def preview_name(snapshot: Snapshot) -> str:
    """Name of the Service that reaches the revision under preview."""
    return f"{snapshot.name}-preview"


def config_map(snapshot: Snapshot, split: Split) -> Obj:
    """What the routers are to do now."""
    data = files(split.traffic, split.forwarding, split.version)
    made = _child(snapshot, "v1", "ConfigMap", router_name(snapshot.name), data=data)
    made["metadata"]["annotations"] = {CONFIG: split.version}
    return made


def configure(config_map: Obj, split: Split) -> Obj:
    """The patch that makes a ConfigMap tell the routers this."""
    data = files(split.traffic, split.forwarding, split.version)
    return partial(config_map, {CONFIG: split.version}, data=data)


def kick(pod: Obj, version: str) -> Obj:
    """The patch that makes the kubelet bring a pod its ConfigMap at once: it looks when the pod changes."""
    return partial(pod, {CONFIG: version})


def pods(snapshot: Snapshot) -> list[Obj]:
    """All router pods."""
    return snapshot.all_owned("Pod", **{COMPONENT: _COMPONENT})


def deployments(snapshot: Snapshot) -> list[Obj]:
    """All Deployments of router pods: more than one while other pods take over."""
    return snapshot.all_owned("Deployment", **{COMPONENT: _COMPONENT})


def deployment_name(snapshot: Snapshot, router: Router) -> str:
    """Name of the Deployment that the spec asks for: by what its pods depend on."""
    return f"{router_name(snapshot.name)}-{_mark(router)}"


def deployment(snapshot: Snapshot, router: Router, split: Split, default_image: str) -> Obj:
    """The router's Deployment. Of the split it holds the version that its pods find when they start, and no shares.

    So its pods stay when a weight changes. Its pod template never changes: where the user wants other pods, another
    Deployment takes over.
    """
    mark = {ROUTER: _mark(router)}
    pod = override(_pod(snapshot, router, split.forwarding, default_image), router.template)
    pod["metadata"]["labels"] |= mark
    # A pod that starts with this version needs no kick; one that starts later is kicked when the version differs.
    pod["metadata"]["annotations"] = {**pod["metadata"].get("annotations", {}), CONFIG: split.version}
    return child(
        snapshot.obj,
        "apps/v1",
        "Deployment",
        deployment_name(snapshot, router),
        _labels(snapshot) | mark,
        spec={
            "replicas": router.replicas,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector(snapshot) | mark},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pod,
        },
    )


def service(snapshot: Snapshot) -> Obj:
    """The Service that people send requests to. Both ports take both protocols: each is where a client looks for it."""
    ports = [_port("http", 80, PUBLIC_PORT), _port("grpc", GRPC_INFERENCE, PUBLIC_PORT)]
    return _child(snapshot, "v1", "Service", snapshot.name, spec={"selector": selector(snapshot), "ports": ports})


def preview_service(snapshot: Snapshot) -> Obj:
    """The Service that reaches the revision under preview, and no other."""
    ports = [_port("http", 80, PREVIEW_PORT), _port("grpc", GRPC_INFERENCE, PREVIEW_PORT)]
    spec = {"selector": selector(snapshot), "ports": ports}
    return _child(snapshot, "v1", "Service", preview_name(snapshot), spec=spec)


def disruption_budget(snapshot: Snapshot) -> Obj:
    """Routers are evicted one after the other."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(snapshot)}}
    return _child(snapshot, "policy/v1", "PodDisruptionBudget", router_name(snapshot.name), spec=spec)


def network_policy(snapshot: Snapshot) -> Obj:
    """Models are reached through the routers alone, for TorchServe has no access control; metrics are open."""
    models = {
        "matchLabels": {OWNER_LABEL["ModelDeployment"]: snapshot.name},
        "matchExpressions": [{"key": REVISION, "operator": "Exists"}],
    }
    ingress = [
        {
            "from": [{"podSelector": {"matchLabels": selector(snapshot)}}],
            "ports": [{"protocol": "TCP", "port": port} for port in (INFERENCE, GRPC_INFERENCE, HEALTH)],
        },
        {  # the operator, in whatever namespace: it asks a pod that is not ready why
            "from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": OPERATOR}}],
            "ports": [{"protocol": "TCP", "port": HEALTH}],
        },
        {"ports": [{"protocol": "TCP", "port": METRICS}]},
    ]
    spec = {"podSelector": models, "policyTypes": ["Ingress"], "ingress": ingress}
    labels = child_labels(snapshot.obj)
    return child(snapshot.obj, "networking.k8s.io/v1", "NetworkPolicy", snapshot.name, labels, spec=spec)


def _mark(router: Router) -> str:
    return digest(router.model_dump(mode="json", exclude_defaults=True, include={"image", "resources", "template"}))


def _pod(snapshot: Snapshot, router: Router, forwarding: Forwarding, default_image: str) -> Obj:
    patience = math.ceil(forwarding.timeout)
    envoy = {
        "name": _COMPONENT,
        "image": router.image or default_image,
        "args": ["--concurrency", "$(LAMPLIGHTER_CONCURRENCY)", "--log-level", "$(LAMPLIGHTER_LOG_LEVEL)"],
        "env": [
            {"name": "LAMPLIGHTER_CONCURRENCY", "value": "2"},
            {"name": "LAMPLIGHTER_LOG_LEVEL", "value": "warning"},
            {"name": "LAMPLIGHTER_DRAIN_DELAY_S", "value": str(DRAIN_SECONDS)},
            {"name": "LAMPLIGHTER_DRAIN_LIMIT_S", "value": str(patience)},
        ],
        "ports": [{"name": name, "containerPort": port} for name, port in _PORTS.items()],
        "resources": router.resources.model_dump(),
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": STATUS_PORT},
            "periodSeconds": 2,
            "timeoutSeconds": 3,
            "failureThreshold": 2,
        },
        "livenessProbe": {"tcpSocket": {"port": STATUS_PORT}, "periodSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["lamplighter-router-drain"]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "config", "mountPath": FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (a volume of the pod's own)
        ],
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(snapshot)},
    }
    return {
        "metadata": {"labels": _labels(snapshot)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": DRAIN_SECONDS + patience + _STOP_SECONDS,
            "topologySpreadConstraints": [spread],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [envoy],
            "volumes": [
                {"name": "config", "configMap": {"name": router_name(snapshot.name)}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }


def _labels(snapshot: Snapshot) -> dict[str, str]:
    return child_labels(snapshot.obj, **{COMPONENT: _COMPONENT})


def _child(snapshot: Snapshot, api_version: str, kind: str, name: str, **body: Any) -> Obj:
    return child(snapshot.obj, api_version, kind, name, _labels(snapshot), **body)


def _port(name: str, port: int, target: int) -> Obj:
    return {"name": name, "port": port, "targetPort": target}
