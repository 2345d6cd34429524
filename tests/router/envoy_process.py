"""A real Envoy with the image's bootstrap, fed as the kubelet feeds it: a folder that is swapped at once."""

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import yaml
from tests.router.pods import free_port
from tests.tools import ROOT

from lamplighter.deployment.traffic.envoy.listeners import FOLDER
from lamplighter.deployment.traffic.envoy.stats import reading
from lamplighter.deployment.traffic.verification import Reading

_IMAGE = ROOT / "training_images" / "router"
DRAIN = _IMAGE / "drain.py"
_RESOLVER = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
_OWN = ("0.0.0.0", "127.0.0.1")


def binary() -> Path:
    """The Envoy that `make test-router` has installed."""
    found = list((ROOT / ".state" / "envoy").glob("lib/python*/site-packages/envoy/_bin/envoy"))
    if not found:
        raise FileNotFoundError("there is no Envoy in .state/envoy: run `make test-router`")
    return found[0]


class Router:
    """One router on ports of its own. ``pod_ports``: where its pods listen instead of the real ports."""

    def __init__(self, folder: Path, pod_ports: dict[int, int], names: int | None = None) -> None:
        self.folder, self.log = folder / "config", folder / "log"
        self.folder.mkdir(parents=True)
        self.ports = {port: free_port() for port in (8080, 8081, 9901, 9902)}
        self._pod_ports, self._names, self._generation = pod_ports, names, itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where people send requests."""
        return f"http://127.0.0.1:{self.ports[8080]}"

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self, files: dict[str, str]) -> Self:
        """Run Envoy with these files."""
        self.swap(files)
        bootstrap = yaml.safe_load((_IMAGE / "bootstrap.yaml").read_text())
        if self._names is not None:
            bootstrap["typed_dns_resolver_config"] = {
                "name": "envoy.network.dns_resolver.cares",
                "typed_config": {
                    "@type": f"type.googleapis.com/{_RESOLVER}",
                    "resolvers": [{"socket_address": {"address": "127.0.0.1", "port_value": self._names}}],
                    "dns_resolver_options": {"no_default_search_domain": True},
                },
            }
        path = self.folder.parent / "bootstrap.json"
        path.write_text(self._moved(json.dumps(bootstrap), keep=self._names))
        command = [str(binary()), "--config-path", str(path), "--disable-hot-restart", "--log-level", "warning"]
        with self.log.open("wb") as log:
            more = ["--concurrency", "1", "--file-flush-interval-msec", "50", "--reject-unknown-dynamic-fields"]
            self._process = subprocess.Popen([*command, *more], stdout=log, stderr=log)
        return self

    def swap(self, files: dict[str, str]) -> None:
        """Give it other files, all at once, as the kubelet does with a ConfigMap."""
        new = self.folder / f"..{next(self._generation)}"
        new.mkdir()
        for name, text in files.items():
            (new / name).write_text(self._moved(text))
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        before = (self.folder / "..data").resolve() if (self.folder / "..data").exists() else None
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        if before is not None:
            shutil.rmtree(before)

    def ask(self, path: str, method: str = "GET", port: int = 9902) -> tuple[int, str]:
        """Status and body of an answer; 0 when there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=5)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def listens(self, port: int) -> bool:
        """Whether somebody takes connections there."""
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.ports[port])) == 0

    def reading(self) -> Reading:
        """What it says of itself."""
        status, body = self.ask("/status")
        return reading(json.loads(body)) if status == 200 else Reading()

    def accepts(self, files: dict[str, str], version: str) -> bool:
        """Whether it takes these files: False as soon as one is refused."""
        before, end = self._refusals(), time.monotonic() + 10
        self.swap(files)
        while self.reading().version != version:
            if self._refusals() > before:
                return False
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.005)
        return self._refusals() == before

    def _refusals(self) -> int:
        status, body = self.ask("/status")
        stats = json.loads(body)["stats"] if status == 200 else []
        return sum(entry["value"] for entry in stats if entry["name"].endswith("rejected"))

    def metric(self, name: str, **labels: str) -> float | None:
        """A sample of /metrics."""
        for line in self.ask("/metrics")[1].splitlines():
            wanted = (f'{key}="{value}"' for key, value in labels.items())
            if line.startswith(name + "{") and all(label in line for label in wanted):
                return float(line.rsplit(" ", 1)[1])
        return None

    def drain(self, delay: float, limit: float) -> "subprocess.Popen[bytes]":
        """Begin what the pod's preStop does."""
        environment = {
            "LAMPLIGHTER_ADMIN": f"127.0.0.1:{self.ports[9901]}",
            "LAMPLIGHTER_DRAIN_DELAY_S": str(delay),
            "LAMPLIGHTER_DRAIN_LIMIT_S": str(limit),
        }
        return subprocess.Popen([str(DRAIN)], env=os.environ | environment)

    def stop(self) -> None:
        """SIGTERM, as the kubelet's."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _moved(self, text: str, keep: int | None = None) -> str:
        try:
            return json.dumps(self._move(json.loads(text), keep)).replace(FOLDER, str(self.folder))
        except ValueError:
            return text

    def _move(self, value: Any, keep: int | None) -> Any:
        if isinstance(value, list):
            return [self._move(item, keep) for item in value]
        if not isinstance(value, dict):
            return value
        moved = {key: self._move(item, keep) for key, item in value.items()}
        port = moved.get("port_value")
        if port is not None and port != keep:
            own = moved.get("address") in _OWN
            moved["port_value"] = (self.ports if own else self._pod_ports).get(port, port)
            if own:
                moved["address"] = "127.0.0.1"
        return moved
