"""Questions that a plan asks by a name (``Ref.kind``), and who answers them. The engine knows none of these names."""

from collections.abc import Mapping
from typing import Protocol

from lamplighter.core.objects import Obj, Ref
from lamplighter.core.plan import Snapshot


class Reader(Protocol):
    """Answers one kind of question."""

    async def __call__(self, target: Ref, snapshot: Snapshot) -> Obj | None:
        """The answer, which the plan finds in ``snapshot.related``; None: there is none.

        Raises:
            ApiError: the question is asked again with the next try of the reconcile.
        """


Readers = Mapping[str, Reader]
"""Readers by the kind of the Refs that they answer."""
