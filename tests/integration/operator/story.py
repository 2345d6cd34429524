"""What a user does to one name, and waits for, while a real operator and kwok do the rest."""

import json
from typing import Any

from tests.integration.engine.watches import Watches

from lamplighter.core.objects import Obj, Ref, labels, ref

HOLD: Obj = {"template": {"metadata": {"annotations": {"lamplighter.dev/kwok": "hold"}}}}
"""Pods of this training run until the end of the test."""
FAIL: Obj = {"template": {"metadata": {"annotations": {"lamplighter.dev/kwok": "fail"}}}}
PACKAGE: Obj = {"package": {"handler": "image_classifier"}}


class Story:
    """The objects of one name in one namespace."""

    def __init__(self, watches: Watches, name: str = "digits") -> None:
        self.watches = watches
        self.name = name

    async def create(self, obj: Obj) -> Obj:
        """Create an object in the namespace."""
        body = obj | {"metadata": {**obj["metadata"], "namespace": self.watches.namespace}}
        return await self.watches.server.create(body)

    async def change(self, kind: str, **spec: Any) -> None:
        """Change fields of the spec of the primary object, as a user does."""
        await self.watches.server.change(self.get(kind), **spec)

    async def annotate(self, kind: str, key: str, value: str) -> None:
        """Set an annotation of the primary object, as a user does with kubectl."""
        obj = self.get(kind)
        meta = {field: obj["metadata"][field] for field in ("name", "namespace", "uid")} | {"annotations": {key: value}}
        await self.watches.server.patch({"apiVersion": obj["apiVersion"], "kind": kind, "metadata": meta})

    async def delete(self, kind: str) -> None:
        """Delete the primary object, as kubectl does."""
        await self.watches.server.delete(Ref(kind, self.watches.namespace, self.name, self.uid(kind)))

    async def end_pods(self) -> None:
        """All pods of the name succeed, as the kubelet tells it."""
        for pod in self.pods():
            now = await self.watches.server.get(ref(pod))
            assert now is not None
            message = {"exitCode": 0, "message": json.dumps({"reason": "Succeeded"})}
            ended = [entry | {"state": {"terminated": message}} for entry in now["status"]["containerStatuses"]]
            status = now["status"] | {"phase": "Succeeded", "containerStatuses": ended}
            await self.watches.server.replace_status(now | {"status": status})

    def pods(self) -> list[Obj]:
        """All pods of the name."""
        return [obj for obj in self.watches.of_owner(self.name).values() if obj["kind"] == "Pod"]

    def get(self, kind: str, name: str | None = None) -> Obj:
        """An object as the watches told it last; empty when there is none."""
        return self.watches.of_owner(self.name).get((kind, name or self.name), {})

    def uid(self, kind: str, name: str | None = None) -> str | None:
        """The uid of an object; None when there is none."""
        found: str | None = self.get(kind, name).get("metadata", {}).get("uid")
        return found

    def status(self, kind: str = "ModelTraining") -> Obj:
        """The status of the primary object."""
        found: Obj = self.get(kind).get("status", {})
        return found

    async def until(self, what: str, true: Any) -> None:
        """Wait for a condition."""
        await self.watches.until(self.name, what, true)

    async def until_state(self, state: str, kind: str = "ModelTraining") -> None:
        """Wait for a state."""
        await self.until(f"{kind} {state}", lambda: self.status(kind).get("state") == state)

    def condition(self, kind: str = "ModelTraining", type_: str = "Ready") -> Obj:
        """A condition of the primary object."""
        return next(entry for entry in self.status(kind)["conditions"] if entry["type"] == type_)

    def jobs(self) -> dict[str, set[str]]:
        """Every Job that there ever was: its uids by its name. More than one uid: it was made twice."""
        uids = self.watches.uids
        return {name: found for (kind, name), found in uids.items() if kind == "Job" and name.startswith(self.name)}

    def children(self) -> list[str]:
        """What exists and carries our labels, without pods: ``Job digits-1-1``."""
        own = [obj for obj in self.watches.of_owner(self.name).values() if obj["kind"] != "Pod" and labels(obj)]
        return sorted(f"{obj['kind']} {obj['metadata']['name']}" for obj in own)

    def __str__(self) -> str:
        return json.dumps({kind: self.status(kind) for kind in ("ModelTraining", "ModelDeployment")})
