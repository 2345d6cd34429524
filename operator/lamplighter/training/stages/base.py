"""One attempt of one stage: what the pod builders need to know about it, and what all stages' pods have in common."""

from dataclasses import dataclass
from typing import Any

from lamplighter.api.common import PodTemplate
from lamplighter.api.training import TrainingSpec
from lamplighter.core.objects import Obj
from lamplighter.training.stages import output

SOURCE_MOUNT = "/lamplighter/source"
USER = 1000
STAGE_CONTAINERS = ("trainer", "package")


@dataclass(frozen=True, slots=True)
class StageRun:
    """An attempt of a stage of a run, of the training ``owner``, with the run's frozen spec."""

    owner: Obj
    spec: TrainingSpec
    run: int
    stage: str
    attempt: int
    job: str
    labels: dict[str, str]
    claim: str
    path: str
    source: str | None
    avoided: tuple[str, ...] = ()
    progress_url: str = ""

    @property
    def gang(self) -> bool:
        """True when its pods have to find each other."""
        return self.spec.nodes > 1 or self.spec.elastic is not None

    @property
    def namespace(self) -> str:
        """The namespace of the training."""
        return str(self.owner["metadata"]["namespace"])

    def template(self, container: str, *, alone: bool = False) -> PodTemplate:
        """The user's overrides for this stage's pod: those of other stages' containers do not belong there.

        ``alone``: no container of the user's own goes along, either.
        """
        spec = dict(self.spec.template.spec)
        if isinstance(spec.get("containers"), list):
            others = {name for name in STAGE_CONTAINERS if name != container}
            spec["containers"] = [
                entry
                for entry in spec["containers"]
                if not isinstance(entry, dict)  # the API server says what is wrong with it
                or entry.get("name") == container
                or not (alone or entry.get("name") in others)
            ]
        if alone:
            spec.pop("initContainers", None)
        return self.spec.template.model_copy(update={"spec": spec})

    def environment(self) -> list[Obj]:
        """What every stage's program learns about where it is."""
        return [
            variable("LAMPLIGHTER_NAMESPACE", self.namespace),
            variable("LAMPLIGHTER_TRAINING", self.owner["metadata"]["name"]),
            variable("LAMPLIGHTER_RUN", self.run),
            variable("LAMPLIGHTER_STAGE", self.stage),
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
