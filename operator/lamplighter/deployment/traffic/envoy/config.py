"""Traffic in Envoy's words: the three files that a router reads, and their version."""

import json
from dataclasses import fields

from lamplighter.core.naming import digest
from lamplighter.core.objects import Obj
from lamplighter.deployment.traffic.envoy.clusters import clusters
from lamplighter.deployment.traffic.envoy.listeners import from_file, listener
from lamplighter.deployment.traffic.envoy.routes import PREVIEW, PUBLIC, preview, public
from lamplighter.deployment.traffic.types import Options, Traffic

_ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
PUBLIC_PORT, PREVIEW_PORT, STATUS_PORT = 8080, 8081, 9902


def files(traffic: Traffic, options: Options, version: str) -> dict[str, str]:
    """The content of ``cds.json``, ``lds.json`` and ``rds.json``, all of the same version."""
    return {
        f"{kind}.json": json.dumps({"version_info": version, "resources": listed}, sort_keys=True) + "\n"
        for kind, listed in _resources(traffic, options).items()
    }


def fingerprint(traffic: Traffic, options: Options) -> str:
    """Names what the files are about: eight hexadecimal digits.

    How it is put in Envoy's words does not count, nor what is left at its default: a newer operator that does either
    in another way changes nothing of what runs.
    """
    split = {
        "backends": sorted([backend.revision, backend.host, backend.max_ready] for backend in traffic.backends),
        "weights": sorted(entry for entry in traffic.weights if entry[1]),
        "pins": sorted(traffic.pins),
        "mirror": traffic.mirror,
        "preview": traffic.preview,
    }
    chosen = {field.name: getattr(options, field.name) for field in fields(options)}
    defaults = {field.name: field.default for field in fields(options)}
    return digest([split, {name: value for name, value in chosen.items() if value != defaults[name]}])


def _resources(traffic: Traffic, options: Options) -> dict[str, list[Obj]]:
    backends = sorted(traffic.backends, key=lambda backend: backend.revision)
    listeners = [listener(PUBLIC, PUBLIC_PORT, options, from_file(PUBLIC))]
    if traffic.preview is not None:  # Envoy takes one set of routes from a file, so these come with their listener
        inline = {"route_config": preview(traffic.preview, options)}
        listeners.append(listener(PREVIEW, PREVIEW_PORT, options, inline))
    return {
        "cds": [cluster for backend in backends for cluster in clusters(backend, options)],
        "lds": listeners,
        "rds": [{"@type": _ROUTES, **public(traffic, options)}],
    }
