"""The tiny HTTP server that the kubelet probes: /ready and /live."""

import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lamplighter_runtime.serving.readiness import Readiness

PORT = 8090


def serve(readiness: Readiness, port: int = PORT) -> ThreadingHTTPServer:
    """Answer probes in a thread of its own; return the server, whose shutdown() ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/ready":
                verdict = readiness.verdict()
                self._answer(verdict.ready, {"reason": verdict.reason, "message": verdict.message})
            elif self.path == "/live":
                alive = readiness.alive(time.monotonic())
                self._answer(alive, {"reason": "Alive" if alive else "Stuck"})
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer(self, good: bool, document: dict[str, str]) -> None:
            body = json.dumps(document, ensure_ascii=False).encode()
            self.send_response(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            del code, size  # a probe every few seconds is not worth a log line

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)  # noqa: S104 - the kubelet comes from outside the pod
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
