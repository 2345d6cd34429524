"""What Envoy says at ``/status``: which configuration it serves, and how it sees the pods of each revision."""

import re
from collections.abc import Iterator
from typing import Any

from lamplighter.deployment.traffic.verification import Reading

_VERSIONS = frozenset(
    {"cluster_manager.cds.version_text", "listener_manager.lds.version_text", "http.public.rds.public.version_text"}
)
_WARMING = frozenset({"cluster_manager.warming_clusters", "listener_manager.total_listeners_warming"})
_REFUSED = ".update_rejected"
"""Not ``update_failure``: that counts a file that was swapped while it was read, too, and is then read again."""
_CLUSTER = re.compile(r"cluster\.(?:rest|grpc)-([^.]+)\.(membership_healthy|upstream_rq_active)")


def reading(body: Any) -> Reading:
    """Understand the JSON of ``/status``. Whatever is strange in it is passed over, as if it were not there."""
    stats = dict(_pairs(body))
    versions = {stats.get(name) for name in _VERSIONS}
    version = versions.pop() if len(versions) == 1 else None
    settled = all(stats.get(name) == 0 for name in _WARMING)
    healthy: dict[str, int] = {}
    active: dict[str, int] = {}
    for name, value in stats.items():
        if (match := _CLUSTER.fullmatch(name)) and (count := _count(value)) is not None:
            revision, what = match.groups()
            if what == "membership_healthy":
                healthy[revision] = min(healthy.get(revision, count), count)
            else:
                active[revision] = active.get(revision, 0) + count
    return Reading(
        version=version if settled and isinstance(version, str) and version else None,
        rejected=any(name.endswith(_REFUSED) and bool(_count(value)) for name, value in stats.items()),
        healthy=healthy,
        active=active,
    )


def _pairs(body: Any) -> Iterator[tuple[str, Any]]:
    """Names and values; those that no dictionary or set could hold are left out."""
    listed = body.get("stats") if isinstance(body, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("value"), str | int):
            yield entry["name"], entry["value"]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
