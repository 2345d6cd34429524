"""What every model server keeps to, so that routers, probes and people need not know which one it is.

REST and gRPC are served on the ports below. ``/ready`` on the port HEALTH answers 200 once the server predicts, and
before that 503 with ``{"reason", "message"}``. ``/live`` answers 503 when the server is stuck. A pod that was told to
stop says so at ``/ready`` at once, and still serves for a while.
"""

GRPC_INFERENCE, INFERENCE, METRICS, HEALTH = 7070, 8080, 8082, 8090
CONTAINERS = ("torchserve",)
"""The containers that serve, one name for each model server."""


def endpoint(service: str, namespace: str) -> str:
    """The URL that predicts."""
    return f"http://{service}.{namespace}.svc/predictions/{service}"
