"""A namespace of the cluster as a test sees it: apply something, wait for what it becomes, read what people read."""

import json
from dataclasses import dataclass
from typing import Any

from tests.e2e import cluster
from tests.programs.demo.cluster import condition, kubectl
from tests.waiting import wait_until

from lamplighter.api.training import RunState

Obj = dict[str, Any]
PATIENCE = 600.0
"""Seconds: nobody waits so long on a machine of its own, and nothing here is a benchmark."""


def plain_pod(name: str, command: list[str], **more: Any) -> Obj:
    """A pod of ours that the restricted Pod Security Standard admits; ``more``: fields of its container."""
    locked = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"image": "lamplighter/pytorch:dev", "command": command, "securityContext": locked, **more}
    user = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"securityContext": user, "containers": [{"name": "main", **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class World:
    """One namespace."""

    namespace: str

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints, in this namespace."""
        return kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def patch(self, kind: str, name: str, **spec: Any) -> None:
        """Change fields of a spec; None removes one."""
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def annotate(self, kind: str, name: str, **wishes: str) -> None:
        """Set lamplighter.dev/<name>."""
        notes = [f"lamplighter.dev/{name}={value}" for name, value in wishes.items()]
        self.kubectl("annotate", kind, name, "--overwrite", *notes)

    def get(self, kind: str, name: str) -> Obj:
        """An object; empty when there is none."""
        return cluster.get(kind, name, self.namespace)

    def all(self, kind: str, selector: str) -> list[Obj]:
        """All objects of a kind, or of several (``jobs,pods``), that a label selector matches."""
        return cluster.items(kind, selector, self.namespace)

    def apply(self, obj: Obj) -> None:
        """Create or change an object."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(obj))

    def source(self, name: str, **files: str) -> None:
        """A ConfigMap of scripts: ``source("boom", train="raise ValueError()")`` has train.py."""
        data = {f"{file}.py": text for file, text in files.items()}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def train(self, name: str, source: str = "digits-code", **spec: Any) -> None:
        """A ModelTraining of train.py in a source; one small pod unless the spec says otherwise."""
        self.apply(
            {
                "apiVersion": "lamplighter.dev/v1alpha1",
                "kind": "ModelTraining",
                "metadata": {"name": name},
                "spec": {
                    "image": "lamplighter/pytorch:dev",
                    "source": {"configMap": source},
                    "entrypoint": "train.py",
                    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                    "output": {"size": "1Gi"},
                    **spec,
                },
            }
        )

    def deploy(self, name: str, **spec: Any) -> None:
        """A ModelDeployment."""
        body = {"apiVersion": "lamplighter.dev/v1alpha1", "kind": "ModelDeployment"}
        self.apply({**body, "metadata": {"name": name}, "spec": spec})

    def ready(self, kind: str, name: str, reason: str, *, status: str | None = None, seconds: float = PATIENCE) -> Obj:
        """Wait until the Ready condition of the newest spec has this reason (and status); gives the condition."""

        def there() -> Obj | None:
            obj = self.get(kind, name)
            found = condition(obj, "Ready")
            current = found.get("observedGeneration") == obj.get("metadata", {}).get("generation")
            matches = found.get("reason") == reason and status in (None, found.get("status"))
            return found if current and matches else None

        try:
            found: Obj = wait_until(f"{kind} {name} is Ready={status or '*'} because of {reason}", there, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.kubectl('describe', kind, name)}") from None
        return found

    def succeeded(self, name: str, run: int = 1, seconds: float = PATIENCE) -> Obj:
        """Wait until a run of a training has succeeded; gives the status."""

        def there() -> Obj | None:
            status: Obj = self.get("modeltraining", name).get("status", {})
            current = status.get("run", {})
            ended = current.get("number") == run and RunState(current.get("state", "Pending")).final
            if ended and current["state"] != "Succeeded":
                raise AssertionError(self.kubectl("describe", "modeltraining", name))
            return status if ended else None

        try:
            status: Obj = wait_until(f"run {run} of {name} has succeeded", there, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.kubectl('describe', 'modeltraining', name)}") from None
        return status
