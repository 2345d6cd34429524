"""An Api that records its calls and answers as the test says."""

from collections import defaultdict
from typing import Any

from tests.builders.objects import Obj

from lamplighter.core.objects import Ref, ref
from lamplighter.engine.api import ApiError

EXISTS = ApiError(409, "AlreadyExists", "exists")
CONFLICT = ApiError(409, "Conflict", "the object has been modified")
GONE = ApiError(404, "NotFound", "not found")
INVALID = ApiError(422, "Invalid", "spec.template: Invalid value")
BROKEN = ApiError(500, "InternalError", "etcdserver: leader changed")


class Recorder:
    """``calls`` lists verb and object; ``fail`` has the next call of a verb on a kind raise."""

    def __init__(self, *existing: Obj) -> None:
        self.calls: list[tuple[str, str]] = []
        self.sent: list[Obj] = []
        self.objects = {ref_of(obj): obj for obj in existing}
        self._errors: defaultdict[tuple[str, str], list[Exception]] = defaultdict(list)
        self._version = 100

    def fail(self, verb: str, kind: str, *errors: Exception) -> None:
        """Have the next calls raise these errors, one each."""
        self._errors[verb, kind] += errors

    async def get(self, ref: Ref) -> Obj | None:
        """The object, or None."""
        self._note("get", ref.kind, ref.name)
        return self.objects.get((ref.kind, ref.name))

    async def create(self, obj: Obj) -> Obj:
        """POST."""
        return self._send("create", obj)

    async def patch(self, obj: Obj) -> Obj:
        """Merge."""
        return self._send("patch", obj)

    async def replace_status(self, obj: Obj) -> Obj:
        """PUT the status."""
        return self._send("status", obj)

    async def delete(self, ref: Ref) -> None:
        """DELETE."""
        self._note("delete", ref.kind, ref.name)

    def _send(self, verb: str, obj: Obj) -> Obj:
        self.sent.append(obj)
        self._note(verb, obj["kind"], obj["metadata"]["name"])
        self._version += 1
        known: dict[str, Any] = {"uid": f"uid-{self._version}", "generation": 1}
        return {**obj, "metadata": {**known, **obj["metadata"], "resourceVersion": str(self._version)}}

    def _note(self, verb: str, kind: str, name: str) -> None:
        self.calls.append((verb, kind if kind == "Event" else f"{kind} {name}"))
        if self._errors[verb, kind]:
            raise self._errors[verb, kind].pop(0)


def ref_of(obj: Obj) -> tuple[str, str]:
    """Kind and name."""
    found = ref(obj)
    return found.kind, found.name
