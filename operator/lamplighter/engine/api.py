"""The calls of the Kubernetes API that the engine makes. kube.py implements them; tests make them fail."""

from typing import Protocol

from lamplighter.core.objects import Obj, Ref


class ApiError(Exception):
    """The API server rejected a request, failed, or could not be reached (status 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def already_exists(self) -> bool:
        """A create found an object of that name."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def gone(self) -> bool:
        """There is no such object."""
        return self.status == 404

    @property
    def refused(self) -> bool:
        """The request itself is invalid or forbidden: repeating it does not help."""
        return self.status in (400, 403, 413, 422)


class Api(Protocol):
    """The calls of a reconcile. Objects carry their kind; every write returns what the server stored."""

    async def get(self, ref: Ref) -> Obj | None:
        """The object, or None."""

    async def create(self, obj: Obj) -> Obj:
        """POST."""

    async def patch(self, obj: Obj) -> Obj:
        """Merge a partial object; rejected when ``metadata.uid`` is not the object's."""

    async def replace_status(self, obj: Obj) -> Obj:
        """PUT the status; rejected when ``metadata.resourceVersion`` is not the newest."""

    async def delete(self, ref: Ref) -> None:
        """DELETE the object with this uid, its dependents in the background; nothing when it is gone."""
