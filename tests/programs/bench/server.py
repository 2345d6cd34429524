"""The API server as the benchmark sees it: raw requests and watches, so that the client adds little of its own.

A client that parses and validates would use a good part of two cores and measure itself.
"""

import contextlib
import http.client
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import orjson
from kubernetes import client, config

Obj = dict[str, Any]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ControllerRevision": "/apis/apps/v1/namespaces/{}/controllerrevisions",
    "ModelDeployment": "/apis/lamplighter.dev/v1alpha1/namespaces/{}/modeldeployments",
    "ModelTraining": "/apis/lamplighter.dev/v1alpha1/namespaces/{}/modeltrainings",
}


_WATCH_S = 3600


class Listener(Protocol):
    """Is told what a watch brings."""

    def tell(self, obj: Obj, arrived: float) -> None:
        """An object as an event brought it."""

    def fail(self, why: str) -> None:
        """Nothing more will come."""


class Connection:
    """One keep-alive connection; for one thread."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, timeout: float) -> None:
        self._http = http.client.HTTPSConnection(host, port, context=context, timeout=timeout)

    def send(self, method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """Send a request; the answer's body is not read yet.

        Raises:
            RuntimeError: the API server refused the request.
        """
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self._http.request(method, path, body, {"Content-Type": content, "Accept": "application/json"})
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

    def patch(self, path: str, body: bytes) -> None:
        """Merge a partial object."""
        self.send("PATCH", path, body).read()

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
    def watch(self, kind: str, namespace: str, *listeners: Listener) -> Iterator[None]:
        """While inside, the listeners are told every object that is added or changed, and when its event arrived.

        Without a namespace: in all of them.
        """
        path = PATHS[kind].format(namespace).replace("/namespaces//", "/")
        since = self.call("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        with self.connection(_WATCH_S) as connection:
            watch = _Watch(connection, path, since, listeners)
            thread = threading.Thread(target=watch.follow, name=f"watch-{kind}", daemon=True)
            watch.open()
            thread.start()
            try:
                yield
            finally:
                watch.ended = True
                connection.hang_up()
                thread.join(5)


class _Watch:
    """Goes on where it was when the server closes it, as it does with watchers that do not read fast enough."""

    def __init__(self, connection: Connection, path: str, since: str, listeners: Sequence[Listener]) -> None:
        self._connection = connection
        self._path = path
        self._since = since
        self._listeners = listeners
        self._response: http.client.HTTPResponse | None = None
        self.ended = False

    def open(self) -> None:
        query = urlencode({"watch": "1", "resourceVersion": self._since, "timeoutSeconds": _WATCH_S})
        self._response = self._connection.send("GET", f"{self._path}?{query}")

    def follow(self) -> None:
        try:
            while not self.ended:
                self._read()
                if not self.ended:
                    print(f"the API server closed the watch of {self._path}; it goes on", file=sys.stderr)
                    self._connection.hang_up()
                    self.open()
        except Exception as error:  # whatever it is, nobody else would hear of it
            if not self.ended:
                for listener in self._listeners:
                    listener.fail(f"the watch of {self._path} broke: {error!r}")

    def _read(self) -> None:
        rest = b""
        while self._response is not None and (chunk := self._response.read1(1 << 20)):
            arrived = time.perf_counter()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._tell(orjson.loads(line), arrived)

    def _tell(self, event: Obj, arrived: float) -> None:
        obj = event["object"]
        if event["type"] == "ERROR":
            raise RuntimeError(obj.get("message"))
        self._since = obj["metadata"]["resourceVersion"]
        if event["type"] in ("ADDED", "MODIFIED"):
            for listener in self._listeners:
                listener.tell(obj, arrived)
