"""Answers for router pods, which run nothing on fake nodes: each follows the newest ConfigMap and sees ready pods."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
from tests.builders.routers import router_says
from tests.programs.bench.server import Obj, Server

_DEPLOYMENT, _REVISION, _CONFIG = "lamplighter.dev/deployment", "lamplighter.dev/revision", "lamplighter.dev/config"


class RouterPods:
    """What the watches told of configurations and of ready pods, by deployment. Tell it ConfigMaps and Deployments."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], str] = {}
        self._ready: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)

    def tell(self, obj: Obj, _: float) -> None:
        """An object as an event brought it."""
        meta = obj["metadata"]
        labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
        if _DEPLOYMENT not in labels:
            return
        owner = meta["namespace"], labels[_DEPLOYMENT]
        if _CONFIG in notes and "data" in obj:
            self._versions[owner] = notes[_CONFIG]
        elif _REVISION in labels and "spec" in obj:
            self._ready[owner][labels[_REVISION]] = (obj.get("status") or {}).get("readyReplicas", 0)

    def fail(self, why: str) -> None:
        """Nothing more will come; the benchmark notices by what does not happen."""

    def says(self, namespace: str, pod: str) -> bytes:
        """What a router pod answers, by its name: <deployment>-router-<...>."""
        owner = namespace, pod.rpartition("-router-")[0]
        return orjson.dumps(router_says(self._versions.get(owner), dict(self._ready[owner])))

    @contextlib.contextmanager
    def serving(self, server: Server, namespace: str = "") -> Iterator[str]:
        """Answer while inside; gives the URL for LAMPLIGHTER_ROUTER_STATUS. Without a namespace: for all of them."""
        pods = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                said = pods.says(*self.path.strip("/").split("/"))
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        answering = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        answering.daemon_threads = True
        thread = threading.Thread(target=answering.serve_forever, daemon=True)
        thread.start()
        with server.watch("ConfigMap", namespace, self), server.watch("Deployment", namespace, self):
            try:
                yield f"http://127.0.0.1:{answering.server_address[1]}/{{namespace}}/{{pod}}"
            finally:
                answering.shutdown()
