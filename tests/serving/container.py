"""A container of a serving pod: the program, the environment and the restrictions that the operator gives it."""

import http.client
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.builders import Scene, a_deployment, a_trained
from tests.builders.deployments import Deployment
from tests.waiting import wait_until

from lamplighter_runtime.archive import mar

Obj = dict[str, Any]
NAME = "digits"
PATIENCE = 180.0


def docker(*arguments: str, check: bool = True) -> str:
    """What docker prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def package(folder: Path, handler: str, example: str = "{}") -> str:
    """Write model.mar into a folder; gives its digest."""
    (folder / "handler.py").write_text(handler)
    (folder / "example.json").write_text(example)
    members = {name: folder / name for name in ("handler.py", "example.json")}
    return mar.write(folder / "model.mar", mar.Model(NAME, "1.0", "handler.py", example="example.json"), members).sha256


def until(what: str, condition: Callable[[], object]) -> None:
    """Wait until something is so; starting a model server takes its time."""
    wait_until(what, condition, PATIENCE, every=0.02)


class Container:
    """One container, from the pod template that the operator builds for a deployment."""

    def __init__(self, image: str, store: Path, deployment: Deployment, **environment: str) -> None:
        """Start it on what lamplighter-fetch left in `store`."""
        self.name = f"serving-{uuid4().hex[:8]}"
        self.log = store.parent / f"{self.name}.log"
        self.log.touch(mode=0o666)
        self.log.chmod(0o666)
        _, container = pod(deployment)
        variables = {**variables_of(container), **environment}
        variables["LAMPLIGHTER_MODEL_STORE"] = "/lamplighter/store"
        docker(
            *("run", "--detach", "--name", self.name, *RESTRICTED, "--cpus", "2", "--memory", "3g"),
            *("--volume", f"{store}:/lamplighter/store", "--volume", f"{self.log}:/dev/termination-log"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            image,
            *container["command"],
        )
        self.address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def ask(self, port: int, path: str, body: Obj | None = None, timeout: float = 30) -> tuple[int, Any]:
        """Status and answer of an HTTP request from outside the container; status 0 when it cannot be connected to."""
        connection = http.client.HTTPConnection(self.address, port, timeout=timeout)
        try:
            content = None if body is None else json.dumps(body)
            method = "GET" if body is None else "POST"
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        except OSError:
            return 0, None
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text

    def predict(self, **body: Any) -> tuple[int, Any]:
        """Status and answer of a prediction."""
        return self.ask(8080, f"/predictions/{NAME}", body)

    def ready(self) -> bool:
        """What the kubelet sees."""
        return self.ask(8090, "/ready", timeout=5)[0] == 200

    def until_ready(self) -> "Container":
        """Wait for it."""
        until("the container is ready", lambda: self.ready() or not self.running())
        assert self.running(), self.logs()
        return self

    def running(self) -> bool:
        """Whether it has not ended."""
        return docker("inspect", "-f", "{{.State.Running}}", self.name) == "true"

    def ended(self, seconds: float = PATIENCE) -> tuple[int, Obj]:
        """Wait for its end: exit code and termination message."""
        wait_until(f"{self.name} ends", lambda: not self.running(), seconds)
        text = self.log.read_text()
        return int(docker("inspect", "-f", "{{.State.ExitCode}}", self.name)), json.loads(text) if text else {}

    def stop(self) -> None:
        """As the kubelet does."""
        docker("kill", "--signal", "TERM", self.name)

    def run(self, *command: str) -> str:
        """What a command inside prints."""
        return docker("exec", self.name, *command)

    def logs(self) -> str:
        """All that it wrote."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def remove(self) -> None:
        """Leave nothing behind."""
        docker("rm", "--force", self.name, check=False)


RESTRICTED = (
    *("--user", "1000:1000", "--read-only", "--tmpfs", "/tmp:rw,exec,mode=1777,size=1g"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)
"""The pod's security context, in docker's words: emptyDirs are all that can be written."""


def pod(deployment: Deployment) -> tuple[Obj, Obj]:
    """The init container and the container of the pod that the operator makes."""
    plan = Scene(deployment, a_trained().with_model(1)).plan()
    made = [obj for wave in plan.create for obj in wave if obj["kind"] == "Deployment"]
    (workload,) = [obj for obj in made if "lamplighter.dev/revision" in obj["metadata"]["labels"]]
    spec = workload["spec"]["template"]["spec"]
    return spec["initContainers"][0], spec["containers"][0]


def variables_of(container: Obj) -> dict[str, str]:
    """Its environment, without what comes from other objects."""
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def fetch(image: str, models: Path, store: Path, sha256: str, public_key: str | None = None) -> tuple[int, Obj]:
    """Run the pod's init container: exit code and termination message."""
    store.mkdir(exist_ok=True)
    store.chmod(0o777)
    log = store.parent / f"fetch-{uuid4().hex[:8]}.log"
    log.touch()
    log.chmod(0o666)
    deployment = a_deployment(NAME).serving("pvc://claim/model.mar", sha256)
    if public_key is not None:
        deployment = deployment.signed_by("keys", "models.pub")
    container, _ = pod(deployment)
    variables = variables_of(container) | ({} if public_key is None else {"LAMPLIGHTER_MODEL_PUBLIC_KEY": public_key})
    done = subprocess.run(
        ["docker", "run", "--rm", *RESTRICTED]
        + ["--volume", f"{models}:/lamplighter/models:ro", "--volume", f"{store}:/lamplighter/store"]
        + ["--volume", f"{log}:/dev/termination-log"]
        + [f"--env={name}={value}" for name, value in variables.items()]
        + [image, *container["command"]],
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads(log.read_text() or "{}")
