"""What manifests/base grants and runs. tests/integration/manifests renders it and asks a real API server."""

from typing import Any

import pytest
import yaml
from tests import tools

from lamplighter.api.kinds import KINDS
from lamplighter.core.naming import LEADER, OPERATOR
from lamplighter.engine.resources import VERBS
from lamplighter.progress.endpoint import PATH
from lamplighter.settings import Settings

BASE = tools.ROOT / "manifests" / "base"
OBJECTS: list[dict[str, Any]] = [
    obj for path in sorted(BASE.glob("*.yaml")) for obj in yaml.safe_load_all(path.read_text())
]
ROLES = [obj for obj in OBJECTS if obj["kind"] in {"Role", "ClusterRole"}]


def one(kind: str, name: str = "lamplighter-operator") -> dict[str, Any]:
    """The object of this kind and name."""
    (found,) = [obj for obj in OBJECTS if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


def granted(role: dict[str, Any]) -> dict[str, set[str]]:
    """``group/plural[/subresource]`` -> verbs of a role."""
    verbs: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for key in (f"{group}/{resource}" for group in rule["apiGroups"] for resource in rule["resources"]):
            verbs.setdefault(key, set()).update(rule["verbs"])
    return verbs


def test_the_operator_may_do_what_it_does_and_nothing_else() -> None:
    assert granted(one("ClusterRole")) == {key: set(verbs) for key, verbs in VERBS.items()}


def test_the_operator_changes_no_lease_but_its_own_and_labels_pods_of_its_namespace() -> None:
    lease = Settings.model_fields["lease_name"].default
    create, change, label = one("Role")["rules"]
    assert create == {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]}
    assert change == {**create, "resourceNames": [lease], "verbs": ["get", "update", "patch"]}
    assert label == {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: f"{role['kind']} {role['metadata']['name']}")
def test_no_role_has_a_wildcard_or_touches_secrets(role: dict[str, Any]) -> None:
    for rule in role["rules"]:
        assert not any("*" in entry for entries in rule.values() for entry in entries)
        assert not any(resource.startswith("secrets") for resource in rule["resources"])


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_a_binding_gives_the_role_to_the_account_of_the_pods(kind: str) -> None:
    binding, account = one(kind), one("ServiceAccount")["metadata"]["name"]
    assert binding["roleRef"]["kind"] == kind.removesuffix("Binding")
    assert [(s["kind"], s["name"], s["namespace"]) for s in binding["subjects"]] == [
        ("ServiceAccount", account, "lamplighter-system")
    ]
    assert one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account


@pytest.mark.parametrize(("role", "writes"), [("lamplighter-edit", True), ("lamplighter-view", False)])
def test_people_get_both_kinds_with_the_clusters_own_roles(role: str, writes: bool) -> None:
    found = one("ClusterRole", role)
    verbs = granted(found)
    for kind in KINDS:
        assert {"get", "list", "watch"} <= verbs[f"lamplighter.dev/{kind.plural}"]
        assert ("create" in verbs[f"lamplighter.dev/{kind.plural}"]) == writes
        assert verbs[f"lamplighter.dev/{kind.plural}/status"] == {"get"}
    labels = found["metadata"]["labels"]
    assert labels[f"rbac.authorization.k8s.io/aggregate-to-{role.removeprefix('lamplighter-')}"] == "true"


def test_probes_service_and_policy_meet_at_the_port_that_the_operator_listens_on() -> None:
    port, progress = (Settings.model_fields[name].default for name in ("port", "progress_port"))
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [
        {"name": "http", "containerPort": port},
        {"name": "progress", "containerPort": progress},
    ]
    probes = {name: probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert one("Service")["spec"]["ports"][0]["targetPort"] == "http"
    ports = [{"protocol": "TCP", "port": number} for number in (port, progress)]
    assert one("NetworkPolicy")["spec"]["ingress"] == [{"ports": ports}]


def test_pods_find_the_leader_where_the_settings_tell_them_to_look() -> None:
    service = one("Service", "lamplighter-operator-progress")
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == {**labels, LEADER: "true"}
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] == "progress"
    assert (
        Settings().progress_url == f"http://{service['metadata']['name']}.lamplighter-system.svc:{port['port']}{PATH}"
    )


def test_everything_selects_the_pods_of_the_operator() -> None:
    deployment = one("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert one("Service")["spec"]["selector"] == labels
    assert one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels == OPERATOR


def test_an_eviction_leaves_one_of_two_replicas() -> None:
    assert one("Deployment")["spec"]["replicas"] == 2
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_every_setting_in_the_manifests_is_one_that_the_operator_knows() -> None:
    patch = yaml.safe_load((BASE.parent / "overlays" / "kind" / "operator.yaml").read_text())
    known = {f"LAMPLIGHTER_{name.upper()}" for name in Settings.model_fields} | {
        "POD_NAME",
        "POD_NAMESPACE",
        "NODE_NAME",
    }
    for obj in (patch, one("Deployment")):
        (container,) = obj["spec"]["template"]["spec"]["containers"]
        assert {variable["name"] for variable in container["env"]} <= known
