"""Traffic as Envoy's routes: who may choose a revision, how the others are shared out, what is copied."""

import re
from typing import Any

from lamplighter.core.objects import Obj
from lamplighter.deployment.traffic.envoy.clusters import GRPC, REST, cluster_name, duration
from lamplighter.deployment.traffic.types import Forwarding, Traffic

PUBLIC, PREVIEW = "public", "preview"
CHOICE_HEADER, CHOICE_COOKIE = "x-lamplighter-revision", "lamplighter-revision"
READY_HOST = "ready.router.lamplighter.dev"
"""Answered by the router itself: that listener and routes are in force is what makes a router ready."""
_PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_ANY: Obj = {"prefix": "/"}
_KEPT = 8 * 2**20
"""Bytes of a request that are kept to be sent to another pod: what TorchServe takes, unless it is told otherwise."""
_UNSERVED = '{"code": 503, "type": "NoRevisionServes", "message": "No revision of this ModelDeployment serves yet."}\n'


def public(traffic: Traffic, forwarding: Forwarding) -> Obj:
    """Header, then cookie, then the split."""
    chosen = [
        _to(revision, protocol, match, forwarding)
        for revision in sorted(traffic.pins)
        for choice in (_header(revision), _cookie(revision))
        for protocol, match in _protocols(headers=[choice])
    ]
    own = {
        "name": "ready",
        "domains": [READY_HOST],
        "routes": [{"match": _ANY, "direct_response": {"status": 200, "body": {"inline_string": "ready\n"}}}],
    }
    return _configuration(PUBLIC, [*chosen, *_split(traffic, forwarding)], own)


def preview(revision: str, forwarding: Forwarding) -> Obj:
    """Everything to one revision."""
    return _configuration(PREVIEW, [_to(revision, protocol, match, forwarding) for protocol, match in _protocols()])


def _configuration(name: str, routes: list[Obj], *more: Obj) -> Obj:
    everybody = {"name": name, "domains": ["*"], "request_body_buffer_limit": _KEPT, "routes": routes}
    # The files are read in any order: routes that come before their clusters would be refused, and not read again.
    return {"name": name, "validate_clusters": False, "virtual_hosts": [everybody, *more]}


def _protocols(**match: Any) -> list[tuple[str, Obj]]:
    """The matches of gRPC (told by its content type) and of everything else, in the order in which they are tried."""
    return [(GRPC, {**_ANY, **match, "grpc": {}}), (REST, {**_ANY, **match})]


def _header(revision: str) -> Obj:
    return {"name": CHOICE_HEADER, "string_match": {"exact": revision}}


def _cookie(revision: str) -> Obj:
    return {
        "name": "cookie",
        "string_match": {"safe_regex": {"regex": rf"(.*;\s*)?{CHOICE_COOKIE}={re.escape(revision)}\s*(;.*)?"}},
    }


def _to(revision: str, protocol: str, match: Obj, forwarding: Forwarding) -> Obj:
    target = {"cluster": cluster_name(protocol, revision), **_forward(forwarding)}
    return {"match": match, "route": target, "response_headers_to_add": _signature(revision)}


def _split(traffic: Traffic, forwarding: Forwarding) -> list[Obj]:
    shares = sorted((revision, weight) for revision, weight in traffic.weights if weight)
    if not shares:
        return [{"match": _ANY, "direct_response": {"status": 503, "body": {"inline_string": _UNSERVED}}}]
    return [
        {
            "match": match,
            "route": {
                "weighted_clusters": {
                    "clusters": [
                        {
                            "name": cluster_name(protocol, revision),
                            "weight": weight,
                            "response_headers_to_add": _signature(revision),
                        }
                        for revision, weight in shares
                    ]
                },
                **_mirror(traffic.mirror, protocol),
                **_forward(forwarding),
            },
        }
        for protocol, match in _protocols()
    ]


def _mirror(mirror: tuple[str, int] | None, protocol: str) -> Obj:
    if mirror is None or not mirror[1]:
        return {}
    revision, percent = mirror
    policy = {
        "cluster": cluster_name(protocol, revision),
        "runtime_fraction": {"default_value": {"numerator": percent, "denominator": "HUNDRED"}},
        "disable_shadow_host_suffix_append": True,
    }
    return {"request_mirror_policies": [policy]}


def _signature(revision: str) -> list[Obj]:
    header = {"key": CHOICE_HEADER, "value": revision}
    return [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]


def _forward(forwarding: Forwarding) -> Obj:
    return {
        "timeout": duration(forwarding.timeout),
        "retry_policy": {
            # All three mean that no pod has seen the request: a prediction is never made twice.
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 3,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {"@type": f"type.googleapis.com/{_PREVIOUS_HOSTS}"},
                }
            ],
            "host_selection_retry_max_attempts": 5,
        },
    }
