"""Many deployments at once: until all are Ready, and until a new revision of some has gone through its steps."""

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from tests import tools
from tests.bench import cluster, figures, measure, objects, process
from tests.bench.figures import rounded
from tests.bench.operator_process import Operator
from tests.bench.router_pods import RouterPods
from tests.bench.server import PATHS, Connection, Obj
from tests.bench.sightings import Sightings
from tests.samples.objects import deployment as sample

from lamplighter.core.plan import Snapshot
from lamplighter.deployment.plan import plan
from lamplighter.deployment.view import Options
from lamplighter.engine.resources import RESOURCES

STEPS = [{"weight": 20, "hold": "1s"}]
PATIENCE_S = 900.0
_TEMPLATE = "md-template"


def deployments(here: cluster.Cluster, count: int, promoted: int, profile: Path | None = None) -> dict[str, Any]:
    """Create so many deployments of one pod by 8 threads, then give some of them a new revision.

    ``first_child_p50_ms``: create accepted -> its first child on an open watch. ``ready_s``: first create -> all Ready.
    ``promoted_<n>_s``: first change -> the new revision of each is the stable one: 20 %, held for a second, 100 %.
    ``requests_per_object``: what the operator sent until all were Ready. ``rss_mib``: then, and after the promotions.
    """
    namespace = measure.namespace(here.server)
    pods = RouterPods()
    children = Sightings("with a child", _owner)
    ready = Sightings("Ready", _ready)
    moved = Sightings("promoted", _promoted)
    names = [f"md-{number}" for number in range(count)]
    with (
        pods.serving(here.server, namespace) as url,
        Operator(here.kubeconfig, tools.STATE / "bench-deployments.log", profile, ROUTER_STATUS=url) as operator,
        here.server.watch("ControllerRevision", namespace, children),
        here.server.watch("ModelDeployment", namespace, ready, moved),
    ):
        accepted: dict[str, float] = {}
        begun, idle_mib = time.perf_counter(), operator.rss_mib()
        used = process.cpu_s(operator.pid)

        def create(connection: Connection, name: str) -> None:
            accepted[name] = connection.create(PATHS["ModelDeployment"].format(namespace), _body(name, 1))

        measure.by_threads(here.server, names, create)
        first = children.wait(names, PATIENCE_S)
        done = max(ready.wait(names, PATIENCE_S).values())
        cpu_ms = (process.cpu_s(operator.pid) - used) * 1000 / count
        sent = sum(operator.quiet().values())
        ready_mib = operator.rss_mib()
        changed = names[:promoted]
        again = time.perf_counter()
        measure.by_threads(here.server, changed, lambda connection, name: _change(connection, namespace, name))
        over = max(moved.wait(changed, PATIENCE_S).values())
        operator.quiet()
        return {
            "first_child_p50_ms": rounded(statistics.median(first[name] - accepted[name] for name in names) * 1000),
            "ready_s": rounded(done - begun),
            f"promoted_{promoted}_s": rounded(over - again),
            "requests_per_object": rounded(sent / count),
            "cpu_ms_per_object": rounded(cpu_ms),
            "idle_mib": rounded(idle_mib),
            "ready_mib": rounded(ready_mib),
            "rss_mib": rounded(operator.rss_mib()),
        }


def raw_ready_s(here: cluster.Cluster, count: int) -> float:
    """Seconds until the same objects stand without the operator: created by 8 threads, until all their pods are ready.

    What is left of ours beside it is the operator's; the rest is the cluster's.
    """
    namespace = measure.namespace(here.server)
    ready = Sightings("with all pods", _all_pods)
    names = [f"md-{number}" for number in range(count)]
    with here.server.watch("Deployment", namespace, ready):
        children = _children(namespace)
        begun = time.perf_counter()
        measure.by_threads(here.server, names, lambda connection, name: _create_all(connection, children, name))
        workloads = {child["metadata"]["name"] for child in children if child["kind"] == "Deployment"}
        wanted = [workload.replace(_TEMPLATE, name) for workload in workloads for name in names]
        return max(ready.wait(wanted, PATIENCE_S).values()) - begun


def _children(namespace: str) -> list[Obj]:
    """What the operator creates for one deployment, without its owner."""
    obj: Obj = orjson.loads(_body(_TEMPLATE, 1))
    obj["metadata"] |= {"namespace": namespace, "uid": "00000000-0000-0000-0000-000000000000", "generation": 1}
    planned = plan(Snapshot(obj), datetime.now(UTC), Options())
    children = [child for wave in planned.create for child in wave]
    for child in children:
        del child["metadata"]["ownerReferences"]
        # The operator's own would be told of them.
        child["metadata"]["labels"] = {}
    return children


def _create_all(connection: Connection, children: list[Obj], name: str) -> None:
    for child in children:
        kind = RESOURCES[child["kind"]]
        path = f"{kind.path}/namespaces/{child['metadata']['namespace']}/{kind.plural}"
        connection.create(path, orjson.dumps(child).replace(_TEMPLATE.encode(), name.encode()))


def _all_pods(obj: Obj) -> str | None:
    there = (obj.get("status") or {}).get("readyReplicas", 0) >= obj["spec"]["replicas"]
    return str(obj["metadata"]["name"]) if there else None


def _model(digit: int) -> Obj:
    return {"uri": f"pvc://{objects.CLAIM}/model.mar", "sha256": str(digit) * 64}


def _body(name: str, digit: int) -> bytes:
    return orjson.dumps(sample(name, model=_model(digit), replicas=1, strategy={"canary": {"steps": STEPS}}))


def _change(connection: Connection, namespace: str, name: str) -> None:
    path = f"{PATHS['ModelDeployment'].format(namespace)}/{name}"
    connection.patch(path, orjson.dumps({"spec": {"model": _model(2)}}))


def _owner(obj: Obj) -> str | None:
    return (obj["metadata"].get("labels") or {}).get("lamplighter.dev/deployment")


def _ready(obj: Obj) -> str | None:
    return str(obj["metadata"]["name"]) if (obj.get("status") or {}).get("state") == "Ready" else None


def _promoted(obj: Obj) -> str | None:
    stable = (obj.get("status") or {}).get("stable") or {}
    return str(obj["metadata"]["name"]) if (stable.get("model") or {}).get("sha256", "").startswith("2") else None


AIMS = (
    figures.Aim(("deployments_1000", "first_child_p50_ms"), 6),
    figures.Aim(("deployments_1000", "ready_s"), 44),
    figures.Aim(("deployments_1000", "promoted_200_s"), 18),
    figures.Aim(("deployments_1000", "rss_mib"), 200),
)
