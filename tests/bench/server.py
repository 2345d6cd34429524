"""The API server as the benchmark sees it: raw requests and watches, so that the client adds little of its own.

A client that parses and validates would use a good part of two cores and measure itself.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from kubernetes import client, config

Obj = dict[str, Any]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ModelTraining": "/apis/lamplighter.dev/v1alpha1/namespaces/{}/modeltrainings",
}


class Connection:
    """One keep-alive connection; for one thread."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, timeout: float) -> None:
        self._http = http.client.HTTPSConnection(host, port, context=context, timeout=timeout)

    def send(self, method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """Send a request; the answer's body is not read yet.

        Raises:
            RuntimeError: the API server refused the request.
        """
        self._http.request(method, path, body, {"Content-Type": "application/json", "Accept": "application/json"})
        response = self._http.getresponse()
        if response.status >= 400:
            said = response.read().decode(errors="replace")[:500]
            raise RuntimeError(f"{method} {path}: the API server answered {response.status}: {said}")
        return response

    def create(self, path: str, body: bytes) -> float:
        """POST; gives the moment (perf_counter) at which the answer was there."""
        response = self.send("POST", path, body)
        accepted = time.perf_counter()
        response.read()
        return accepted

    def hang_up(self) -> None:
        """Close, also under a thread that is reading."""
        if self._http.sock is not None:
            with contextlib.suppress(OSError):
                self._http.sock.shutdown(socket.SHUT_RDWR)
        self._http.close()


class Server:
    """Where the API server is and who we are, from a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        loaded = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=loaded)
        address = urlsplit(loaded.host)
        self._host, self._port = address.hostname or "", address.port or 443
        self._tls = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
        self._tls.load_cert_chain(loaded.cert_file, loaded.key_file)

    @contextlib.contextmanager
    def connection(self, timeout: float = 60.0) -> Iterator[Connection]:
        """A connection while inside."""
        made = Connection(self._host, self._port, self._tls, timeout)
        try:
            yield made
        finally:
            made.hang_up()

    def call(self, method: str, path: str, body: Obj | None = None) -> Obj:
        """One request on a connection of its own; for what is not measured."""
        with self.connection() as connection:
            raw = connection.send(method, path, orjson.dumps(body) if body is not None else None).read()
        answer: Obj = orjson.loads(raw)
        return answer

    def count(self, kind: str, namespace: str) -> int:
        """How many objects of a kind there are."""
        page = self.call("GET", PATHS[kind].format(namespace) + "?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    @contextlib.contextmanager
    def watch(self, kind: str, namespace: str, tell: Callable[[Obj, float], None]) -> Iterator[None]:
        """While inside, ``tell`` gets every object that is added or changed, and when its event arrived."""
        path = PATHS[kind].format(namespace)
        since = self.call("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        query = urlencode({"watch": "1", "resourceVersion": since, "timeoutSeconds": 3600})
        with self.connection(timeout=3600.0) as connection:
            response = connection.send("GET", f"{path}?{query}")
            thread = threading.Thread(target=_follow, args=(response, tell), name=f"watch-{kind}", daemon=True)
            thread.start()
            try:
                yield
            finally:
                connection.hang_up()
                thread.join(5)


def _follow(response: http.client.HTTPResponse, tell: Callable[[Obj, float], None]) -> None:
    rest = b""
    with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
        while chunk := response.read1(1 << 20):
            arrived = time.perf_counter()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = orjson.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    tell(event["object"], arrived)
