"""A revision as Envoy's clusters: how its pods are found, watched, and spared. One for REST, one for gRPC."""

from typing import Any

from lamplighter.core.objects import Obj
from lamplighter.deployment.serving.contract import GRPC_INFERENCE, HEALTH, INFERENCE
from lamplighter.deployment.traffic.types import Backend, Forwarding

REST, GRPC = "rest", "grpc"
_TYPE = "type.googleapis.com/envoy."
_PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_IDLE = "60s"


def cluster_name(protocol: str, revision: str) -> str:
    """What a cluster is called, in routes and statistics."""
    return f"{protocol}-{revision}"


def duration(seconds: float) -> str:
    """Seconds as Envoy's JSON has them."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def clusters(backend: Backend, forwarding: Forwarding) -> list[Obj]:
    """Both clusters of a revision. Nothing in them depends on weights: a changed cluster opens new connections."""
    return [
        _cluster(backend, forwarding, REST, INFERENCE, {"http_protocol_options": {}}),
        _cluster(backend, forwarding, GRPC, GRPC_INFERENCE, {"http2_protocol_options": {}}),
    ]


def _cluster(backend: Backend, forwarding: Forwarding, protocol: str, port: int, codec: Obj) -> Obj:
    name = cluster_name(protocol, backend.revision)
    endpoint = {
        "address": {"socket_address": {"address": backend.host, "port_value": port}},
        "health_check_config": {"port_value": HEALTH},
    }
    return {
        "@type": f"{_TYPE}config.cluster.v3.Cluster",
        "name": name,
        "cluster_type": {"name": "envoy.clusters.dns", "typed_config": _EVERY_ADDRESS},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {
            # Only when no pod is known to be healthy are all of them tried: checks that time out on a busy machine
            # must not become an outage. Never earlier, or pods that drain would be sent new requests.
            "healthy_panic_threshold": {"value": 1},
            "ignore_new_hosts_until_first_hc": True,
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "health_checks": [_HEALTH_CHECK],
        "outlier_detection": _outlier(backend, forwarding),
        "circuit_breakers": {"thresholds": [_limits(forwarding)]},
        "typed_extension_protocol_options": {
            _PROTOCOLS: {
                "@type": f"type.googleapis.com/{_PROTOCOLS}",
                "common_http_protocol_options": {"idle_timeout": _IDLE},
                "explicit_http_config": codec,
            }
        },
    }


# What used to be called STRICT_DNS: each address that the headless Service has is a pod of its own.
_EVERY_ADDRESS: Obj = {
    "@type": f"{_TYPE}extensions.clusters.dns.v3.DnsCluster",
    "dns_refresh_rate": "1s",
    "dns_failure_refresh_rate": {"base_interval": "0.5s", "max_interval": "1s"},
    "dns_lookup_family": "V4_PREFERRED",
}

# A pod that says 503, as one does that drains, is left at once; the threshold counts only checks without an answer.
# A pod that DNS does not name any more is kept as long as it is healthy: a minute without a name server costs nothing.
_HEALTH_CHECK: Obj = {
    "interval": "1s",
    "no_traffic_interval": "1s",
    "timeout": "2s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "http_health_check": {"path": "/ready"},
}


def _outlier(backend: Backend, forwarding: Forwarding) -> Obj:
    # TorchServe answers 503 when a handler raises, which a bad input does on every pod: counted like a dead server's
    # it would take half of the pods away. So no answer counts, only connections that fail; whether a revision's
    # answers are good is judged of the revision, and a pod that hangs by its own check. An only pod is never given up.
    enforced = 100 if backend.max_ready > 1 and forwarding.max_ejected else 0
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": forwarding.consecutive_failures,
        "enforcing_consecutive_local_origin_failure": enforced,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": duration(forwarding.interval),
        "base_ejection_time": duration(forwarding.ejection_time),
        "max_ejection_time": duration(max(300.0, forwarding.ejection_time)),
        "max_ejection_percent": forwarding.max_ejected,
    }


def _limits(forwarding: Forwarding) -> dict[str, Any]:
    return {
        "max_connections": forwarding.max_connections,
        "max_pending_requests": forwarding.max_requests,
        "max_requests": forwarding.max_requests,
        "max_retries": forwarding.max_requests,  # a request that is tried again has reached no pod: it adds no load
    }
