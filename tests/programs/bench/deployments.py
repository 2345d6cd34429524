"""Many deployments at once: until all are Ready, and until a new revision of some has gone through its steps."""

import functools
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from tests import tools
from tests.programs.bench import cluster, figures, measure, objects, process
from tests.programs.bench.figures import rounded
from tests.programs.bench.operator_process import Operator
from tests.programs.bench.router_pods import RouterPods
from tests.programs.bench.server import PATHS, Connection, Obj
from tests.programs.bench.sightings import Sightings
from tests.samples.objects import deployment as sample

from lamplighter.core.naming import CONFIG
from lamplighter.core.plan import Snapshot
from lamplighter.deployment.plan import plan, view_of
from lamplighter.deployment.traffic.envoy.provider import ENVOY
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


def raw(here: cluster.Cluster, count: int, promoted: int) -> dict[str, float]:
    """Seconds for the same objects without the operator, hence without status and Events: what the cluster needs.

    ``ready_s``: created by 8 threads, until all their pods are ready. ``promoted_<n>_s``: second revisions are created,
    and when their pods are ready, three configurations brought to the router pods: clusters, 20 % for a second, 100 %.
    """
    namespace = measure.namespace(here.server)
    ready = Sightings("with all pods", _all_pods)
    names = [f"md-{number}" for number in range(count)]
    with here.server.watch("Deployment", namespace, ready):
        children = _children(namespace, 1)
        begun = time.perf_counter()
        measure.by_threads(here.server, names, lambda connection, name: _create_all(connection, children, name))
        workloads = {child["metadata"]["name"] for child in children if child["kind"] == "Deployment"}
        wanted = [workload.replace(_TEMPLATE, name) for workload in workloads for name in names]
        ready_s = max(ready.wait(wanted, PATIENCE_S).values()) - begun
        pods = _router_pods(here, namespace)
        again = time.perf_counter()
        second = [child for child in _children(namespace, 2) if _named(child) not in map(_named, children)]
        changed = names[:promoted]
        measure.by_threads(here.server, changed, lambda connection, name: _create_all(connection, second, name))
        workloads = {child["metadata"]["name"] for child in second if child["kind"] == "Deployment"}
        ready.wait([workload.replace(_TEMPLATE, name) for workload in workloads for name in changed], PATIENCE_S)
        (config_map,) = [child for child in children if child["kind"] == "ConfigMap"]
        for version, hold_s in enumerate((0, 1, 0)):
            told = functools.partial(_configure, config_map=config_map, pods=pods, version=str(version))
            measure.by_threads(here.server, changed, told)
            time.sleep(hold_s)
        promoted_s = time.perf_counter() - again
    return {"ready_s": ready_s, f"promoted_{promoted}_s": promoted_s}


def _router_pods(here: cluster.Cluster, namespace: str) -> dict[str, list[str]]:
    """Names of the router pods, by deployment."""
    found: dict[str, list[str]] = {}
    for pod in here.server.call("GET", PATHS["Pod"].format(namespace))["items"]:
        owner, router, _ = pod["metadata"]["name"].rpartition("-router-")
        if router:
            found.setdefault(owner, []).append(pod["metadata"]["name"])
    return found


def _configure(connection: Connection, name: str, config_map: Obj, pods: dict[str, list[str]], version: str) -> None:
    """Another configuration, and what has kubelets bring it to the router pods."""
    namespace, mark = config_map["metadata"]["namespace"], {"metadata": {"annotations": {CONFIG: version}}}
    data = {file: f"{text}\n# {version}" for file, text in config_map["data"].items()}
    place = config_map["metadata"]["name"].replace(_TEMPLATE, name)
    connection.patch(f"{PATHS['ConfigMap'].format(namespace)}/{place}", orjson.dumps(mark | {"data": data}))
    for pod in pods[name]:
        connection.patch(f"{PATHS['Pod'].format(namespace)}/{pod}", orjson.dumps(mark))


def _named(obj: Obj) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def _children(namespace: str, digit: int) -> list[Obj]:
    """What the operator creates for one deployment of this model, without its owner."""
    obj: Obj = orjson.loads(_body(_TEMPLATE, digit))
    obj["metadata"] |= {"namespace": namespace, "uid": "00000000-0000-0000-0000-000000000000", "generation": 1}
    planned = plan(view_of(Snapshot(obj), datetime.now(UTC)), ENVOY)
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
