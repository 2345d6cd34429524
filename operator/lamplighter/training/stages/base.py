"""What a stage is, and one attempt of it: what its pods are built from, and what the pods of all stages share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lamplighter.api.common import PodTemplate
from lamplighter.api.failures import Failure
from lamplighter.api.placement import Elastic
from lamplighter.api.training import Artifact, Run, TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.training.stages import output

SOURCE_MOUNT = "/lamplighter/source"
USER = 1000


def _one_pod(_: TrainingSpec) -> int:
    return 1


def _fixed_width(_: TrainingSpec) -> Elastic | None:
    return None


def _nothing_to_keep(_run: Run, _spec: TrainingSpec, _said: Obj) -> Artifact | Failure | None:
    return None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a run. Everything that the operator needs to know about one is here; ``order`` lists them."""

    name: str
    """What labels, ``status.run.stage`` and messages call it."""
    container: str
    """The container that does its work, and whose termination message counts."""
    state_word: str
    """What stands before the state in the STATE column: ``Package`` as in PackageRunning; may be empty."""
    job_infix: str
    """What stands between run and attempt in the names of its Jobs; may be empty."""
    pod: "Callable[[StageRun], Obj]"
    """Builds the pod template of an attempt."""
    is_wanted: Callable[[TrainingSpec], bool]
    """Whether a run of this spec goes through it."""
    width: Callable[[TrainingSpec], int] = _one_pod
    """How many pods its Job has."""
    elastic: Callable[[TrainingSpec], Elastic | None] = _fixed_width
    """How far its Job may grow and shrink while it runs; None: not at all."""
    service_port: int | None = None
    """Where the pods of a gang find each other, by a headless Service; None: they do not look for each other."""
    reports_progress: bool = False
    """Whether its pods may report progress."""
    conclude: Callable[[Run, TrainingSpec, Obj], Artifact | Failure | None] = _nothing_to_keep
    """What its success leaves to the run, given the data of its termination message: a model, nothing, or a failure
    if the stage did not do what it is for. The failure is final."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One attempt of a stage in a run of the training ``owner``, with the run's frozen spec."""

    owner: Obj
    spec: TrainingSpec
    run: int
    stage: Stage
    attempt: int
    job: str
    labels: dict[str, str]
    claim: str
    path: str
    source: str | None
    stage_containers: frozenset[str] = frozenset()
    avoided: tuple[str, ...] = ()
    progress_url: str = ""

    @property
    def gang(self) -> bool:
        """True when several pods work together, or may do so later."""
        return self.stage.width(self.spec) > 1 or self.stage.elastic(self.spec) is not None

    @property
    def namespace(self) -> str:
        """The namespace of the training."""
        return str(self.owner["metadata"]["namespace"])

    def template(self, *, alone: bool = False) -> PodTemplate:
        """The user's overrides for this stage's pod, without those for the containers of other stages.

        ``alone``: also without containers that the user adds.
        """
        container = self.stage.container
        spec = dict(self.spec.template.spec)
        if isinstance(spec.get("containers"), list):
            others = self.stage_containers - {container}
            spec["containers"] = [
                entry
                for entry in spec["containers"]
                if not isinstance(entry, dict)  # the API server reports what is wrong with it
                or entry.get("name") == container
                or not (alone or entry.get("name") in others)
            ]
        if alone:
            spec.pop("initContainers", None)
        return self.spec.template.model_copy(update={"spec": spec})

    def environment(self) -> list[Obj]:
        """Variables that tell the program of every stage where it runs."""
        return [
            variable("LAMPLIGHTER_NAMESPACE", self.namespace),
            variable("LAMPLIGHTER_TRAINING", self.owner["metadata"]["name"]),
            variable("LAMPLIGHTER_RUN", self.run),
            variable("LAMPLIGHTER_STAGE", self.stage.name),
            variable("LAMPLIGHTER_ATTEMPT", self.attempt),
            variable("LAMPLIGHTER_OUTPUT_DIR", output.MOUNT),
            *([variable("LAMPLIGHTER_SOURCE_DIR", SOURCE_MOUNT)] if self.source else []),
        ]

    def pod(self, container: Obj, *volumes: Obj, **spec: Any) -> Obj:
        """A pod that fits the restricted Pod Security Standard, with the run's volumes around one container."""
        mounts = [
            {"name": "output", "mountPath": output.MOUNT, "subPath": self.path},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (a volume of the pod's own)
            *([{"name": "source", "mountPath": SOURCE_MOUNT, "readOnly": True}] if self.source else []),
        ]
        full = {
            "image": self.spec.image,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            **({"workingDir": SOURCE_MOUNT} if self.source else {}),
            **container,
            "volumeMounts": [*mounts, *container.get("volumeMounts", [])],
        }
        return {
            "metadata": {"labels": self.labels},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": USER,
                    "runAsGroup": USER,
                    "fsGroup": USER,
                    "fsGroupChangePolicy": "OnRootMismatch",
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [full],
                "volumes": [
                    {"name": "output", "persistentVolumeClaim": {"claimName": self.claim}},
                    {"name": "tmp", "emptyDir": {}},
                    *([{"name": "source", "configMap": {"name": self.source}}] if self.source else []),
                    *volumes,
                ],
                **spec,
            },
        }


def variable(name: str, value: object) -> Obj:
    """An environment variable with a plain value."""
    return {"name": name, "value": str(value)}
