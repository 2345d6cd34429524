"""The ports on which a router takes requests, as Envoy's listeners."""

from lamplighter.core.objects import Obj
from lamplighter.deployment.traffic.envoy.clusters import duration
from lamplighter.deployment.traffic.envoy.routes import READY_HOST
from lamplighter.deployment.traffic.types import Forwarding

FOLDER = "/lamplighter/router"
"""Where the files lie in the router's pod; its bootstrap.yaml says the same."""
_EXTENSION = "type.googleapis.com/envoy.extensions."
_LOG_LINE = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "revision": "%RESP(X-LAMPLIGHTER-REVISION)%",
    "pod": "%UPSTREAM_HOST%",
    "milliseconds": "%DURATION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


def listener(name: str, port: int, forwarding: Forwarding, routes: Obj) -> Obj:
    """A port and its ``routes``: ``route_config`` or ``rds``. HTTP/1.1 and HTTP/2 without TLS, told by the preface."""
    manager = {
        "@type": f"{_EXTENSION}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        **routes,
        # No client counts as internal: its x-envoy-* headers must not change timeouts and retries.
        "use_remote_address": True,
        "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        "preserve_external_request_id": True,
        "common_http_protocol_options": {"idle_timeout": "300s"},
        "request_headers_timeout": "10s",
        # The route's timeout begins when the request is there in full: this one ends a request that stands still.
        "stream_idle_timeout": duration(forwarding.timeout + 1),
        "http_filters": [
            # A gRPC call that fails is an HTTP request that succeeds: this filter counts what the trailers say.
            _filter("grpc_stats", "grpc_stats.v3.FilterConfig", stats_for_all_methods=False),
            _filter("router", "router.v3.Router", suppress_envoy_headers=True),
        ],
        **({"access_log": [_access_log()]} if forwarding.access_log else {}),
    }
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": name,
        "traffic_direction": "INBOUND",  # what `drain_listeners?inboundonly` goes by
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104 (of the pod)
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def from_file(name: str) -> Obj:
    """The routes of this name from ``rds.json``, read again when the kubelet swaps the folder."""
    source = {
        "resource_api_version": "V3",
        "path_config_source": {"path": f"{FOLDER}/rds.json", "watched_directory": {"path": FOLDER}},
    }
    return {"rds": {"route_config_name": name, "config_source": source}}


def _filter(name: str, message: str, **settings: bool) -> Obj:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{_EXTENSION}filters.http.{message}", **settings},
    }


def _access_log() -> Obj:
    probes = {"name": ":authority", "string_match": {"exact": READY_HOST}, "invert_match": True}
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {"header_filter": {"header": probes}},
        "typed_config": {
            "@type": f"{_EXTENSION}access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": _LOG_LINE},
        },
    }
