"""ModelDeployments, what they follow, and what runs their revisions."""

from copy import deepcopy
from typing import Any, Self

from tests.builders.objects import Builder, Obj, at
from tests.builders.trainings import SHA, Training, a_training


class Deployment(Builder):
    """A ModelDeployment."""

    def of(self, training: str, run: int | None = None) -> Self:
        """It follows a training, or serves one run of it."""
        pinned = {} if run is None else {"run": run}
        return self.spec(model={"trainingRef": {"name": training, **pinned}})

    def serving(self, uri: str, sha256: str = SHA) -> Self:
        """It serves an archive."""
        return self.spec(model={"uri": uri, "sha256": sha256})

    def signed_by(self, name: str, key: str) -> Self:
        """Its archive must be signed by the key in a ConfigMap."""
        return self.spec(model={**self._obj["spec"]["model"], "signature": {"publicKey": {"name": name, "key": key}}})

    def resources(self, **limits: Any) -> Self:
        """With these limits."""
        return self.spec(resources={"limits": limits})

    def replicas(self, count: int) -> Self:
        """It wants so many pods."""
        return self.spec(replicas=count)

    def runtime(self, **fields: Any) -> Self:
        """With these fields of spec.runtime."""
        return self.spec(runtime={**self._obj["spec"].get("runtime", {}), **fields})


class Trained(Training):
    """A ModelTraining with results."""

    def with_model(self, run: int, sha256: str = SHA) -> Self:
        """A run left a model: it is the latest."""
        record = {
            "run": run,
            "state": "Succeeded",
            "startTime": at(-60),
            "completionTime": at(),
            "artifact": {"uri": f"pvc://digits-models/digits-0/run-{run}/model.mar", "sha256": sha256},
        }
        return self._remember(record).status(latest=record)

    def with_failure(self, run: int) -> Self:
        """A run failed."""
        failure = {"reason": "UserError", "message": "boom"}
        return self._remember({"run": run, "state": "Failed", "failure": failure, "completionTime": at()})

    def _remember(self, record: Obj) -> Self:
        return self.status(history=[*self._obj.get("status", {}).get("history", []), record])


class Workload(Builder):
    """The Deployment of a revision: one that exists."""

    def ready(self, count: int | None = None) -> Self:
        """So many of its pods are ready (default: all), and its controller has seen its newest spec."""
        wanted = self._obj["spec"]["replicas"]
        generation = self._obj["metadata"].get("generation", 1)
        ready = wanted if count is None else count
        return self.status(replicas=wanted, readyReplicas=ready, observedGeneration=generation)


def a_deployment(name: str = "digits") -> Deployment:
    """The smallest ModelDeployment: it follows the ModelTraining of its name."""
    return Deployment("lamplighter.dev/v1alpha1", "ModelDeployment", name, spec={}).of("digits")


def a_trained(name: str = "digits") -> Trained:
    """A ModelTraining of which some runs are over."""
    trained = Trained("lamplighter.dev/v1alpha1", "ModelTraining", name, spec={})
    return trained.spec(**a_training(name).obj()["spec"])


def a_workload(existing: Obj) -> Workload:
    """A Deployment that exists already, to be changed as its controller does."""
    workload = Workload("apps/v1", "Deployment", existing["metadata"]["name"])
    workload._obj = deepcopy(existing)
    return workload
