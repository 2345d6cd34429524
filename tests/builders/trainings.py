"""ModelTrainings, their sources and their Jobs."""

from typing import Any, Self

from tests.builders.objects import Builder, Obj, at, owned_by

from lamplighter.core.report import Measured, ProgressReport

SHA = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
RETRAIN = "lamplighter.dev/retrain"


class Training(Builder):
    """A ModelTraining."""

    def with_source(self, config_map: str) -> Self:
        """Its scripts come from a ConfigMap."""
        return self.spec(source={"configMap": config_map})

    def nodes(self, count: int) -> Self:
        """It runs on so many pods."""
        return self.spec(nodes=count)

    def packaged(self, **package: Any) -> Self:
        """Its model becomes an archive."""
        return self.spec(package={"handler": "handler.py", **package})

    def suspended(self) -> Self:
        """It is held."""
        return self.spec(suspend=True)

    def on_change(self, what: str) -> Self:
        """What a changed spec does: Queue, Restart, Ignore."""
        return self.spec(onChange=what)

    def elastic(self, fewest: int, most: int) -> Self:
        """It goes on with fewer nodes."""
        return self.spec(elastic={"minNodes": fewest, "maxNodes": most})

    def queued(self, queue: str = "gpus") -> Self:
        """A queue of Kueue says when it runs."""
        return self.spec(queueName=queue)

    def may_fail(self, **policy: Any) -> Self:
        """With these fields of spec.failurePolicy."""
        return self.spec(failurePolicy={**self._obj["spec"].get("failurePolicy", {}), **policy})

    def retrain(self, value: str) -> Self:
        """A new run is asked for."""
        return self.annotated({RETRAIN: value})


class Job(Builder):
    """The Job of one attempt."""

    def suspended(self) -> Self:
        """It is held."""
        return self.spec(suspend=True)

    def started(self, since: float = 0.0) -> Self:
        """Its controller has started it, ``since`` seconds after NOW."""
        return self.status(startTime=at(since), active=self._obj["spec"]["parallelism"])

    def succeeding(self, since: float = 0.0) -> Self:
        """All its pods succeeded; some may still be terminating."""
        return self.condition("SuccessCriteriaMet", since=since)

    def succeeded(self, since: float = 0.0) -> Self:
        """It is complete."""
        return self.succeeding(since).condition("Complete", since=since)

    def failing(self, since: float = 0.0) -> Self:
        """A pod failed, the others are being deleted."""
        return self.condition("FailureTarget", since=since, reason="BackoffLimitExceeded", message="too many failures")

    def failed(self, since: float = 0.0) -> Self:
        """It failed and all its pods have ended."""
        return self.failing(since).condition(
            "Failed", since=since, reason="BackoffLimitExceeded", message="too many failures"
        )


def a_training(name: str = "digits") -> Training:
    """The smallest ModelTraining."""
    spec = {"image": "lamplighter/pytorch:dev", "entrypoint": "train.py"}
    return Training("lamplighter.dev/v1alpha1", "ModelTraining", name, spec=spec)


def a_job(training: Obj, run: int = 1, stage: str = "train", attempt: int = 1) -> Job:
    """The Job of an attempt, as the API server shows it when it was created."""
    owner = training["metadata"]["name"]
    middle = "" if stage == "train" else f"{stage}-"
    pods = training["spec"].get("nodes", 1) if stage == "train" else 1
    spec = {"suspend": False, "parallelism": pods, "completions": pods}
    job = Job("batch/v1", "Job", f"{owner}-{run}-{middle}{attempt}", spec=spec)
    labels = {
        "app.kubernetes.io/managed-by": "lamplighter",
        "lamplighter.dev/training": owner,
        "lamplighter.dev/owner-uid": training["metadata"]["uid"],
        "lamplighter.dev/run": str(run),
        "lamplighter.dev/stage": stage,
        "lamplighter.dev/attempt": str(attempt),
    }
    return job.meta(labels=labels, ownerReferences=owned_by(training), namespace=training["metadata"]["namespace"])


def a_config_map(name: str = "code", **files: str) -> Obj:
    """A ConfigMap; ``train_py="..."`` is the file train.py."""
    data = {file.replace("_", "."): text for file, text in (files or {"train_py": "print('hello')"}).items()}
    return Builder("v1", "ConfigMap", name, data=data).obj()


def reported(step: int) -> ProgressReport:
    """A report of the first attempt of the first run."""
    return ProgressReport(1, "train", 1, Measured(step=step))
