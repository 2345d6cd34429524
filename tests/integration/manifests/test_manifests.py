"""Base and overlays, rendered by kubectl and judged by a real API server that enforces restricted pod security."""

from typing import Any

import pytest
import yaml
from kubernetes import client, dynamic
from tests import tools
from tests.integration.conftest import Kubectl

FOLDERS = ["base", "overlays/kind"]
SYSTEM = "lamplighter-system"
Obj = dict[str, Any]


@pytest.fixture(params=FOLDERS)
def objects(kubectl: Kubectl, request: pytest.FixtureRequest) -> list[Obj]:
    """What a folder renders to."""
    return list(yaml.safe_load_all(kubectl("kustomize", str(tools.ROOT / "manifests" / request.param))))


@pytest.fixture
def restricted(api: client.ApiClient, namespace: str, objects: list[Obj]) -> str:
    """The namespace of the test with the labels of the operator's own, and with its account."""
    (system,) = [obj for obj in objects if obj["kind"] == "Namespace"]
    core = client.CoreV1Api(api)
    core.patch_namespace(namespace, {"metadata": {"labels": system["metadata"]["labels"]}})
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "lamplighter-operator"}})
    return namespace


def test_every_object_is_accepted_by_strict_validation(
    api: client.ApiClient, restricted: str, objects: list[Obj]
) -> None:
    resources = dynamic.DynamicClient(api).resources
    for obj in objects:
        resource = resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
        place = {"namespace": restricted} if obj["metadata"].pop("namespace", None) else {}
        resource.server_side_apply(
            body=obj,
            name=obj["metadata"]["name"],
            field_manager="test",
            force_conflicts=True,
            query_params=[("dryRun", "All"), ("fieldValidation", "Strict")],
            **place,
        )


def test_what_has_a_namespace_is_in_the_operators_own(objects: list[Obj]) -> None:
    namespaced = [obj for obj in objects if "namespace" in obj["metadata"]]
    assert {obj["metadata"]["namespace"] for obj in namespaced} == {SYSTEM}
    assert {"Deployment", "Role", "RoleBinding", "Service", "NetworkPolicy"} <= {obj["kind"] for obj in namespaced}


def test_a_pod_of_the_operator_meets_the_restricted_standard(
    api: client.ApiClient, restricted: str, objects: list[Obj]
) -> None:
    core = client.CoreV1Api(api)
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    pod = {"metadata": {"name": "operator", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    created = core.create_namespaced_pod(restricted, pod, dry_run="All")
    assert created.spec.containers[0].security_context.read_only_root_filesystem

    del pod["spec"]["securityContext"]
    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        core.create_namespaced_pod(restricted, pod, dry_run="All")


def test_the_kind_overlay_runs_the_images_that_were_built_here(kubectl: Kubectl) -> None:
    rendered = kubectl("kustomize", str(tools.ROOT / "manifests" / "overlays" / "kind"))
    (deployment,) = [obj for obj in yaml.safe_load_all(rendered) if obj["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "lamplighter/operator:dev"
    assert container["imagePullPolicy"] == "IfNotPresent"
