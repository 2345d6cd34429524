"""The world around the operator: the user, and the Job controller and the kubelets, which the tests play.

Jobs are handed to the tests through ``spec.managedBy``, so that each step comes when a scenario says so. Deployments
are left to the real controllers and to kwok.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.builders.routers import router_says
from tests.integration.engine.faults import Trap
from tests.integration.engine.process import Process
from tests.integration.engine.server import Server
from tests.integration.engine.watches import Watches, owner_name

from lamplighter.core.naming import CONFIG, REVISION
from lamplighter.core.objects import Obj, Ref, annotations, labels, ref, timestamp
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.traffic.envoy.pods import STATUS
from lamplighter.engine.api import ApiError
from lamplighter.engine.questions import Readers

SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class PlayedServer(Server):
    """Hands the Jobs that are created through it to the test, and answers for the router pods, which run nothing."""

    watches: "Watches"

    @property
    def readers(self) -> Readers:
        """Router pods answer, though they run nothing; models do not."""
        return {STATUS: self._router_status}

    async def _router_status(self, target: Ref, snapshot: Snapshot) -> Obj | None:
        """A router pod follows the newest ConfigMap, and sees the pods that are ready."""
        pod = snapshot.owned("Pod", target.name)
        if pod is None:
            return None
        objects = self.watches.of_owner(owner_name(pod))
        workloads = [obj for (kind, _), obj in objects.items() if kind == "Deployment" and REVISION in labels(obj)]
        ready = {labels(obj)[REVISION]: obj.get("status", {}).get("readyReplicas", 0) for obj in workloads}
        told = [obj for (kind, _), obj in objects.items() if kind == "ConfigMap" and CONFIG in annotations(obj)]
        return router_says(annotations(told[0])[CONFIG], ready) if told else None

    async def create(self, obj: Obj) -> Obj:
        """POST."""
        if obj["kind"] == "Job":
            obj = obj | {"spec": obj["spec"] | {"managedBy": "lamplighter.dev/test"}}
        return await super().create(obj)


class World:
    """What happens to one name: the user's deeds, and those of the cluster."""

    def __init__(self, watches: Watches, name: str, trap: Trap | None = None, **options: Any) -> None:
        self.name = name
        self.trap = trap or Trap()
        self.watches = watches
        self.server = watches.server
        self.process = Process(watches, name, self.trap, **options)

    @contextlib.asynccontextmanager
    async def undisturbed(self) -> AsyncIterator[None]:
        """No fault strikes inside, since another story has its faults there."""
        self.trap.armed = False
        yield
        await self.until_resting()
        self.trap.armed = True

    async def create(self, obj: Obj) -> Obj:
        """Create an object in the namespace of the test."""
        body = obj | {"metadata": {**obj["metadata"], "namespace": self.watches.namespace}}
        return await self.server.create(body)

    async def change(self, kind: str, **spec: Any) -> None:
        """Change fields of the spec, as a user does."""
        await self.until_resting()
        await self.server.change(self.the(kind, self.name), **spec)

    async def annotate(self, kind: str, key: str, value: str) -> None:
        """Set an annotation, as a user does with kubectl."""
        await self.until_resting()
        obj = self.the(kind, self.name)
        meta = {field: obj["metadata"][field] for field in ("name", "namespace", "uid")} | {"annotations": {key: value}}
        await self.server.patch({"apiVersion": obj["apiVersion"], "kind": kind, "metadata": meta})

    def get(self, kind: str, name: str) -> Obj | None:
        """An object as the watches told it last."""
        return self.watches.of_owner(self.name).get((kind, name))

    def the(self, kind: str, name: str) -> Obj:
        """An object that must exist."""
        found = self.get(kind, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    async def pod(self, name: str) -> Obj:
        """A pod that was made: the watch of pods may be behind that of the Jobs."""
        await self.until(f"Pod {name} is seen", lambda: self.get("Pod", name))
        return self.the("Pod", name)

    def status(self, kind: str = "ModelTraining") -> Obj:
        """The status of the primary object; empty before the first write."""
        return (self.get(kind, self.name) or {}).get("status") or {}

    async def until(self, what: str, true: Any) -> None:
        """Wait for a condition."""
        await self.watches.until(self.name, f"{what}; {json.dumps(self.status('ModelTraining'))}", true)

    async def until_state(self, state: str, kind: str = "ModelTraining", **run: Any) -> None:
        """Wait for a state, and for these fields of status.run."""

        def reached() -> bool:
            status = self.status(kind)
            return status.get("state") == state and run.items() <= (status.get("run") or {}).items()

        await self.until(f"state {state} {run or ''}", reached)

    async def until_gone(self, kind: str, name: str) -> None:
        """Wait until an object does not exist."""
        await self.until(f"{kind} {name} is gone", lambda: self.get(kind, name) is None)

    async def until_resting(self) -> None:
        """Wait until the operator has nothing left to do."""
        await self.watches.until(self.name, "the operator rests", self.process.rests)

    async def run_job(self, suffix: str) -> None:
        """The Job gets its pods, and they run."""
        name = f"{self.name}-{suffix}"
        await self.until(f"Job {name} is started", lambda: _started(self.get("Job", name)))
        await self.until_resting()
        job = self.the("Job", name)
        for index in range(job["spec"]["parallelism"]):
            pod = await self._pod(job, index)
            await self._pod_status(pod, "Running", {"running": {"startedAt": timestamp(self.process.clock())}})
        started = timestamp(self.process.clock())
        counts = {"active": job["spec"]["parallelism"], "ready": job["spec"]["parallelism"]}
        resumed = [entry | {"status": "False"} for entry in job.get("status", {}).get("conditions") or ()]
        begun = {"startTime": started, "conditions": resumed, **counts}
        await self._replace_status(self.the("Job", name), begun)

    async def end_job(self, suffix: str, exit_code: int = 0, **said: Any) -> None:
        """All pods of the Job end with this code and last words, then the Job does."""
        await self.until_resting()
        name, now = f"{self.name}-{suffix}", timestamp(self.process.clock())
        job = self.the("Job", name)
        end = {"exitCode": exit_code, "startedAt": now, "finishedAt": now, "message": json.dumps(said)}
        for index in range(job["spec"]["parallelism"]):
            phase = "Failed" if exit_code else "Succeeded"
            await self._pod_status(await self.pod(f"{name}-{index}"), phase, {"terminated": end})
        result = ("FailureTarget", "Failed") if exit_code else ("SuccessCriteriaMet", "Complete")
        conditions = [_condition(kind, now) for kind in result]
        pods = job["spec"]["parallelism"]
        indexes = f"0-{pods - 1}" if pods > 1 else "0"
        success = {"succeeded": pods, "completedIndexes": indexes, "completionTime": now}
        counts = {"failed": pods} if exit_code else success
        ended = {"active": 0, "ready": 0, "conditions": conditions, **counts}
        await self._replace_status(self.the("Job", name), ended)

    async def succeed(self, suffix: str, **said: Any) -> None:
        """The Job runs and succeeds."""
        await self.run_job(suffix)
        await self.end_job(suffix, **({"reason": "Succeeded"} | said))

    async def stop_job(self, suffix: str) -> None:
        """The suspended Job loses its pods, and its controller forgets when it was started."""
        name = f"{self.name}-{suffix}"
        await self.until(f"Job {name} is suspended", lambda: self.the("Job", name)["spec"]["suspend"])
        await self.until_resting()
        for index in range(self.the("Job", name)["spec"]["parallelism"]):
            await self.server.delete(ref(await self.pod(f"{name}-{index}")))
            await self.until_gone("Pod", f"{name}-{index}")
        suspended = [_condition("Suspended", timestamp(self.process.clock()))]
        await self._replace_status(
            self.the("Job", name), {"active": 0, "ready": 0, "conditions": suspended}, "startTime"
        )

    async def write_status(self, kind: str, **status: Any) -> None:
        """Write fields of a status as their owner would."""
        await self.until_resting()
        await self._replace_status(self.the(kind, self.name), status)

    async def _pod(self, job: Obj, index: int) -> Obj:
        owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True, "blockOwnerDeletion": True}
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        meta = {
            "name": f"{name}-{index}",
            "namespace": self.watches.namespace,
            "labels": job["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [owner | {"name": name, "uid": uid}],
        }
        spec = job["spec"]["template"]["spec"] | {"schedulerName": "nobody"}
        return await self.server.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})

    async def _pod_status(self, pod: Obj, phase: str, state: Obj) -> None:
        container = pod["spec"]["containers"][0]
        its = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        await self._replace_status(pod, {"phase": phase, "containerStatuses": [its]})

    async def _replace_status(self, obj: Obj, status: Obj, without: str = "") -> None:
        """Write fields of the status, again when somebody was faster."""
        while True:
            new = {field: value for field, value in (obj.get("status", {}) | status).items() if field != without}
            try:
                await self.server.replace_status(obj | {"status": new})
            except ApiError as error:
                newest = await self.server.get(ref(obj))
                if error.reason != "Conflict" or newest is None:
                    raise
                obj = newest
            else:
                return


Scenario = Callable[[World], Awaitable[None]]


def _started(job: Obj | None) -> bool:
    return job is not None and not job["spec"].get("suspend")


def _condition(kind: str, now: str) -> Obj:
    told = {"lastTransitionTime": now, "lastProbeTime": now, "reason": "Test", "message": "told by the test"}
    return {"type": kind, "status": "True", **told}
