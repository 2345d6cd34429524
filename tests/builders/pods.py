"""Pods of a Job or of a Deployment, and what can become of them."""

import json
from typing import Any, Self

from tests.builders.objects import Builder, Obj, at, uid_of

_CONTAINER = {"train": "trainer"}
"""The container of a stage that does not have the stage's name."""


class Pod(Builder):
    """A pod with one container of interest."""

    container = "trainer"

    def pending(self) -> Self:
        """It waits for its containers."""
        return self.status(phase="Pending")

    def unschedulable(self, message: str = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.") -> Self:
        """The scheduler finds no node."""
        return self.pending().condition("PodScheduled", status="False", reason="Unschedulable", message=message)

    def waiting(self, reason: str, message: str = "", init: str | None = None) -> Self:
        """Its container does not start."""
        return self.pending()._container({"waiting": {"reason": reason, "message": message}}, init)

    def running(self) -> Self:
        """It runs."""
        return self.status(phase="Running")._container({"running": {"startedAt": at()}})

    def ready(self) -> Self:
        """It runs and is ready."""
        return self.running().condition("Ready")

    def succeeded(self, **told: Any) -> Self:
        """It ended well; ``told`` is the JSON of its termination message."""
        return self.status(phase="Succeeded")._ended(0, "Completed", json.dumps(told) if told else "")

    def failed(self, code: int = 1, message: str = "", reason: str = "Error", ended: float = 0.0) -> Self:
        """Its container ended with an error and a termination message, ``ended`` seconds after NOW."""
        return self.status(phase="Failed")._ended(code, reason, message, ended=ended)

    def told(self, code: int = 1, ended: float = 0.0, **told: Any) -> Self:
        """Our launcher failed and left a JSON in the termination message."""
        return self.failed(code, json.dumps(told), ended=ended)

    def oom_killed(self) -> Self:
        """The kernel killed it."""
        return self.failed(137, reason="OOMKilled")

    def unseen(self, message: str = "The container could not be located when the pod was terminated") -> Self:
        """Its container was gone when the kubelet came back, which knows no time."""
        end = {"exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": None, "message": message}
        return self.status(phase="Failed")._container({"terminated": end})

    def evicted(self, reason: str = "Evicted", message: str = "The node was low on resource: memory.") -> Self:
        """The kubelet ended it, no container says why."""
        return self.status(phase="Failed", reason=reason, message=message)

    def shut_down(self, reason: str = "Terminated") -> Self:
        """Its Node shuts down and ended it."""
        return self.evicted(reason, "Pod was terminated in response to imminent node shutdown.")

    def disrupted(self, reason: str, message: str = "", since: float = 0.0) -> Self:
        """It is about to be removed, and Kubernetes says why."""
        return self.condition("DisruptionTarget", since=since, reason=reason, message=message)

    def with_device(self, health: str, device: str = "GPU-7", resource: str = "nvidia.com/gpu") -> Self:
        """The kubelet tells of the health of a device that it runs on."""
        running = self.running()
        entry = {"name": resource, "resources": [{"resourceID": device, "health": health}]}
        running._obj["status"]["containerStatuses"][0]["allocatedResourcesStatus"] = [entry]
        return running

    def deleted(self, grace_ends: float = 30.0) -> Self:
        """Somebody deleted it; its grace period ends so many seconds after NOW."""
        return self.meta(deletionTimestamp=at(grace_ends))

    def created(self, seconds: float) -> Self:
        """It was made ``seconds`` after NOW."""
        return self.meta(creationTimestamp=at(seconds))

    def replacing(self, life: int = 2) -> Self:
        """Another pod of the same index, which the Job made when the first was gone."""
        name = f"{self._obj['metadata']['name'][:-1]}{life}"
        return self.meta(name=name, uid=uid_of("Pod", name))

    def init_failed(self, code: int, **told: Any) -> Self:
        """Its init container ``fetch`` failed and is started again."""
        end = {"exitCode": code, "reason": "Error", "finishedAt": at(), "message": json.dumps(told)}
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
        return self.pending()._container(state, "fetch", last={"terminated": end})

    def with_sidecar(self, state: Obj, last: Obj | None = None) -> Self:
        """It has an init container ``mesh`` that stays and is started again when it ends."""
        return self._container(state, "mesh", last=last)

    def crashed(self, code: int, **told: Any) -> Self:
        """Its container ended with an error and runs again, not ready yet."""
        end = {"exitCode": code, "reason": "Error", "finishedAt": at(), "message": json.dumps(told)}
        state = {"running": {"startedAt": at(1)}}
        return (
            self.status(phase="Running")._container(state, last={"terminated": end}).condition("Ready", status="False")
        )

    def on(self, node: str) -> Self:
        """It was bound to a node."""
        return self.spec(nodeName=node)

    def _ended(self, code: int, reason: str, message: str, ended: float = 0.0) -> Self:
        end = {"exitCode": code, "reason": reason, "finishedAt": at(ended), "message": message}
        return self._container({"terminated": end})

    def _container(self, state: Obj, init: str | None = None, last: Obj | None = None) -> Self:
        name = init or self.container
        status = {"name": name, "image": "lamplighter/pytorch:dev", "state": state, "lastState": last or {}}
        return self.status(**{"initContainerStatuses" if init else "containerStatuses": [status]})


def a_pod(owner: Obj, index: int = 0) -> Pod:
    """A pod of a Job or of a Deployment, just created."""
    meta = owner["metadata"]
    pod = Pod("v1", "Pod", f"{meta['name']}-{index}-x7k2p", spec={}, status={"phase": "Pending"})
    stage = meta["labels"].get("lamplighter.dev/stage", "")
    pod.container = "torchserve" if owner["kind"] == "Deployment" else _CONTAINER.get(stage, stage)
    controller = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    place = {"batch.kubernetes.io/job-completion-index": str(index)} if owner["kind"] == "Job" else {}
    return pod.meta(
        labels=dict(meta["labels"]) | place,
        namespace=meta["namespace"],
        ownerReferences=[{**controller, "controller": True}],
    )
