"""What the soak does to the cluster beside what the operator does."""

from typing import Any

import aiohttp
import orjson
import yaml
from tests import tools
from tests.integration.engine.server import Server

from lamplighter.core.naming import OWNER_LABEL
from lamplighter.core.objects import Obj, labels, timestamp
from lamplighter.engine.reconcile import utc_now

KWOK = "lamplighter.dev/kwok"
_LATE = frozenset({404, 409, 422, 429})
"""Answers to somebody who comes too late: it is gone, another one by now, or cannot be changed that way any more."""
_MERGE, _STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class Ground(Server):
    """A connection for those who do harm, and for those who play the kubelet. What comes too late does nothing."""

    async def send(self, method: str, path: str, body: Obj | None = None, kind: str = "application/json") -> bool:
        """One request; False when it came too late.

        Raises:
            RuntimeError: the API server refuses it for another reason.
        """
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": kind}
        async with self._session.request(method, self._host + path, data=data, headers=headers) as response:
            said = await response.text()
            if response.status < 400:
                return True
            if response.status in _LATE:
                return False
            raise RuntimeError(f"{method} {path}: the API server answered {response.status}: {said[:300]}")

    async def annotate(self, pod: Obj, kwok: str) -> bool:
        """Steer a pod."""
        body = {"metadata": {"uid": pod["metadata"]["uid"], "annotations": {KWOK: kwok}}}
        return await self.send("PATCH", pod_path(pod), body, _MERGE)

    async def tell(self, pod: Obj, status: Obj) -> bool:
        """Write fields of a pod's status, as its kubelet does."""
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        return await self.send("PATCH", f"{pod_path(pod)}/status", body, _MERGE)

    async def disrupt(self, pod: Obj, reason: str) -> bool:
        """Say of a pod that it is disrupted."""
        entry = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": reason,
            "message": "by the dice",
            "lastTransitionTime": timestamp(utc_now()),
        }
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": [entry]}}
        return await self.send("PATCH", f"{pod_path(pod)}/status", body, _STRATEGIC)

    async def remove(self, pod: Obj, **options: Any) -> bool:
        """Delete a pod."""
        body = {"preconditions": {"uid": pod["metadata"]["uid"]}, **options}
        return await self.send("DELETE", pod_path(pod), body)

    async def evict(self, pod: Obj) -> bool:
        """Evict a pod through the Eviction API, as a drain does."""
        meta = {field: pod["metadata"][field] for field in ("name", "namespace")}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
        return await self.send("POST", f"{pod_path(pod)}/eviction", body)

    async def silence(self, node: str) -> None:
        """The node's kubelet is not heard any more."""
        await self.send("PATCH", _node_path(node), {"metadata": {"annotations": {KWOK: "manual"}}}, _MERGE)
        entry = {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": timestamp(utc_now()),
        }
        await self.send("PATCH", f"{_node_path(node)}/status", {"status": {"conditions": [entry]}}, _STRATEGIC)

    async def heal(self, node: str) -> None:
        """The node's kubelet is heard again; kwok writes that it is ready."""
        await self.send("PATCH", _node_path(node), {"metadata": {"annotations": {KWOK: None}}}, _MERGE)

    async def add_node(self, node: str) -> None:
        """A node of this name joins."""
        template = (tools.ROOT / "tests" / "cluster" / "kwok" / "node.yaml").read_text()
        await self.send("POST", "/api/v1/nodes", next(yaml.safe_load_all(template.replace("NAME", node))))

    async def remove_node(self, node: str) -> None:
        """The node leaves, and nobody ends its pods."""
        await self.send("DELETE", _node_path(node))

    async def all_nodes_ready(self) -> bool:
        """True when every node that exists is."""
        async with self._session.get(f"{self._host}/api/v1/nodes", timeout=aiohttp.ClientTimeout(10)) as response:
            response.raise_for_status()
            items = orjson.loads(await response.read())["items"]
        ready = [
            any(
                entry["type"] == "Ready" and entry["status"] == "True" for entry in item["status"].get("conditions", ())
            )
            for item in items
        ]
        return all(ready)


def pod_path(pod: Obj) -> str:
    """Where a pod is."""
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def training_of(pod: Obj) -> str:
    """The training that a pod belongs to."""
    return labels(pod)[OWNER_LABEL["ModelTraining"]]


def _node_path(node: str) -> str:
    return f"/api/v1/nodes/{node}"
