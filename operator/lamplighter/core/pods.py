"""Why a pod does not run, or why it ended, as its status says. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lamplighter.api.failures import Cause, Failure
from lamplighter.core.conditions import reason_word
from lamplighter.core.objects import Obj, condition

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
UNSEEN = "ContainerStatusUnknown"
"""The kubelet's reason for a container that was gone when it looked for it, with exit code 137 and no time."""
_UNSEEN = frozenset({UNSEEN, "Unknown"})
"""The other is containerd's, with exit code 255."""
KILLED = frozenset({137, 143})
"""Exit codes of SIGKILL and SIGTERM: the program was ended by something else."""
_ECHOES = frozenset({"PeerLost", "Terminated"})
_PEER_LOST = re.compile(
    r"(gloo|nccl|distributed).*(closed|reset) by peer|ncclRemoteError|ncclSystemError|remote process exited", re.I
)
"""How PyTorch's collectives say that a peer process is gone, where our launcher does not say it."""
_OF_JOB, _LONGEST = re.compile(r"(.+)-[0-9]+-[a-z0-9]{5}"), 63
_LOG_LINES, _LOG_WIDTH = 20, 512
NEVER = "9999"
"""Later than any moment that the kubelet writes."""


@dataclass(frozen=True, slots=True)
class TerminationMessage:
    """The JSON that our programs leave in their termination message, or the plain text that others leave."""

    reason: str | None
    message: str
    data: dict[str, Any]


def termination_message(text: str) -> TerminationMessage:
    """Read a termination message. Anything but our JSON is taken as log lines, of which the last one counts."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        lines = [line for line in text.splitlines() if line.strip()]
        return TerminationMessage(None, lines[-1].strip() if lines else "", {"tail": lines})
    reason = data.get("reason")
    return TerminationMessage(
        reason if isinstance(reason, str) and reason_word(reason, "") == reason else None,
        str(data.get("message") or ""),
        data,
    )


def is_of_job(name: str, job: str) -> bool:
    """True when an indexed Job of this name creates pods of that name, which is cut off at 63 characters."""
    parts = _OF_JOB.fullmatch(name)
    return parts is not None and (parts[1] == job or (len(name) == _LONGEST and job.startswith(parts[1])))


def containers(pod: Obj) -> Iterator[Obj]:
    """The statuses of all containers, init containers first."""
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def terminated(container: Obj) -> Obj | None:
    """How the container ended: its current end, or the last one if it was restarted."""
    for state in (container.get("state"), container.get("lastState")):
        if state and "terminated" in state:
            return dict(state["terminated"])
    return None


def failure(pod: Obj) -> Failure | None:
    """Why a container of this pod ended with an error; None when none did."""
    status = pod.get("status", {})
    told = status.get("phase") == "Failed" and status.get("reason")
    for container in containers(pod):
        end = terminated(container)
        if end is not None and end.get("exitCode") != 0 and not (told and end.get("reason") in _UNSEEN):
            return _ended(pod, container["name"], end)
    if status.get("phase") == "Failed":
        reason = status.get("reason") or "PodFailed"
        message = status.get("message") or f"pod {_name(pod)} failed without giving a reason"
        return blame(pod, reason, message)
    return None


def without_sidecars(pod: Obj) -> Obj:
    """A Job's pod without sidecars: init containers that run beside the others and are restarted when they end.

    An ordinary init container that failed has failed the pod before any other container started.
    """
    status = pod.get("status", {})
    states = [container.get("state") or {} for container in status.get("containerStatuses") or ()]
    begun = any("running" in state or "terminated" in state for state in states)
    if status.get("phase") == "Failed" and not begun:
        return pod
    return {**pod, "status": {**status, "initContainerStatuses": []}}


def first_failure(pods: Iterable[Obj]) -> Failure | None:
    """The failure that came first: those of the other pods are often its consequences (SIGTERM, lost connection)."""
    found: list[tuple[bool, str, Failure]] = []
    for pod in pods:
        cause = failure(pod)
        if cause is not None:
            found.append((echoes(cause), ended_at(pod), cause))
    return min(found, key=lambda entry: entry[:2])[2] if found else None


def echoes(cause: Failure) -> bool:
    """True when a failure is usually the consequence of another pod's."""
    return cause.reason in _ECHOES or (cause.exit_code in KILLED and cause.reason not in ("OOMKilled", UNSEEN))


def ready(pod: Obj) -> bool:
    """True when the kubelet calls the pod ready."""
    return condition(pod, "Ready") is not None


def failed(pod: Obj) -> bool:
    """True when the pod as a whole has failed, as its Job sees it."""
    return bool(pod.get("status", {}).get("phase") == "Failed")


def over(pod: Obj) -> bool:
    """True when all containers have ended for good."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def obstacle(pod: Obj) -> Failure | None:
    """Why a pod does not start: cannot be scheduled, image, configuration, volume; None when nothing is known."""
    for container in containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message") or "no details"
        if reason in _IMAGE:
            return blame(
                pod,
                "ImagePullFailed",
                f"container {container['name']} cannot pull {container.get('image')}: {message}. "
                "Check the image's name, its registry and imagePullSecrets",
            )
        if reason in _CONFIG:
            return blame(pod, "ContainerConfigError", f"container {container['name']} cannot start: {message}")
    for entry in pod.get("status", {}).get("conditions") or ():
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            return blame(pod, "Unschedulable", f"pod {_name(pod)} cannot be scheduled: {entry.get('message', '')}")
    return None


def _ended(pod: Obj, container: str, end: Obj) -> Failure:
    said = termination_message(end.get("message") or "")
    code = end.get("exitCode")
    if end.get("reason") == "OOMKilled":
        return blame(
            pod,
            "OOMKilled",
            f"container {container} of pod {_name(pod)} used more memory than its limit. Raise the memory limit, or "
            "lower the batch size or the number of data workers",
            code=code,
            log=said.data.get("tail"),
        )
    what = f"container {container} of pod {_name(pod)} ended with exit code {code}"
    if end.get("reason") in ("StartError", "ContainerCannotRun"):
        return blame(
            pod, "ContainerCannotRun", f"{what}: {said.message or 'its command could not be started'}", code=code
        )
    if end.get("reason") in _UNSEEN and said.reason is None:
        words = (
            f"the kubelet lost track of container {container} of pod {_name(pod)}, for example because its Node "
            "restarted; how the container ended is unknown"
        )
        log = said.data.get("tail") if end.get("reason") != UNSEEN else ()  # the kubelet's sentence is no log line
        return blame(pod, "ContainerStatusUnknown", words, code=code, log=log)
    words = f"{what}: {said.message or 'no termination message'}"
    lost = said.reason is None and any(_PEER_LOST.search(line) for line in (end.get("message") or "").splitlines())
    return blame(pod, said.reason or ("PeerLost" if lost else "UserError"), words, code=code, log=said.data.get("tail"))


def blame(
    pod: Obj, reason: str, message: str, cause: Cause | None = None, code: int | None = None, log: Any = ()
) -> Failure:
    """A failure of this pod. ``log``: the last lines that it wrote; anything but a list of lines is ignored."""
    lines = [line for line in log if isinstance(line, str)] if isinstance(log, list) else []
    return Failure(
        reason=reason_word(reason, "PodFailed"),
        message=message.encode(errors="replace").decode()[:4096],  # a program's JSON may hold half a character
        pod=_name(pod),
        node=(pod.get("spec") or {}).get("nodeName"),
        exit_code=code,
        cause=cause,
        log=[line.encode(errors="replace").decode()[:_LOG_WIDTH] for line in lines[-_LOG_LINES:]],
    )


def _name(pod: Obj) -> str:
    return str(pod["metadata"]["name"])


def ended_at(pod: Obj) -> str:
    """When the first of its containers ended, as the kubelet writes it; NEVER when none did."""
    ends = [end["finishedAt"] for c in containers(pod) if (end := terminated(c)) and end.get("finishedAt")]
    return min(ends, default=NEVER)
