"""A split of the requests as Envoy's configuration: the three files that a router reads."""

import json

from lamplighter.core.objects import Obj
from lamplighter.deployment.traffic.envoy.clusters import clusters
from lamplighter.deployment.traffic.envoy.listeners import from_file, listener
from lamplighter.deployment.traffic.envoy.routes import PREVIEW, PUBLIC, preview, public
from lamplighter.deployment.traffic.types import Forwarding, Traffic

_ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
PUBLIC_PORT, PREVIEW_PORT, STATUS_PORT = 8080, 8081, 9902


def files(traffic: Traffic, forwarding: Forwarding, version: str) -> dict[str, str]:
    """The content of ``cds.json``, ``lds.json`` and ``rds.json``, all of the same version."""
    return {
        f"{kind}.json": json.dumps({"version_info": version, "resources": listed}, sort_keys=True) + "\n"
        for kind, listed in _resources(traffic, forwarding).items()
    }


def _resources(traffic: Traffic, forwarding: Forwarding) -> dict[str, list[Obj]]:
    backends = sorted(traffic.backends, key=lambda backend: backend.revision)
    listeners = [listener(PUBLIC, PUBLIC_PORT, forwarding, from_file(PUBLIC))]
    if traffic.preview is not None:  # Envoy takes one set of routes from a file, so these come with their listener
        inline = {"route_config": preview(traffic.preview, forwarding)}
        listeners.append(listener(PREVIEW, PREVIEW_PORT, forwarding, inline))
    return {
        "cds": [cluster for backend in backends for cluster in clusters(backend, forwarding)],
        "lds": listeners,
        "rds": [{"@type": _ROUTES, **public(traffic, forwarding)}],
    }
