"""An operator that cannot begin says why, and ends."""

from pathlib import Path

import yaml
from kubernetes import client
from tests.integration.operator.line import Line
from tests.integration.operator.operator_process import Operator
from tests.waiting import until


async def ends_with(operator: Operator, *words: str) -> None:
    """Wait for the end, and check what was logged as an error."""
    await until("the operator ends", lambda: operator.exit_code is not None)
    assert operator.exit_code == 1
    errors = [entry["message"] for entry in operator.log_entries() if entry["level"] == "ERROR"]
    assert len(errors) == 1, operator.log
    for word in words:
        assert word in errors[0]


def rewrite(kubeconfig: Path, copy: Path, token: str) -> None:
    """Make a kubeconfig of the same cluster for whom this token stands for."""
    content = yaml.safe_load(kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    copy.write_text(yaml.safe_dump(content))


async def test_without_permissions(api: client.ApiClient, namespace: str, kubeconfig: Path, tmp_path: Path) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "nobody"}})
    body = {"spec": {"expirationSeconds": 600}}
    token = core.create_namespaced_service_account_token("nobody", namespace, body)
    rewrite(kubeconfig, tmp_path / "kubeconfig", token.status.token)
    with Operator(tmp_path / "kubeconfig", tmp_path / "log", (namespace,)) as operator:
        await ends_with(operator, "cannot list ModelTrainings: 403", "RBAC")


async def test_without_an_api_server(kubeconfig: Path, tmp_path: Path) -> None:
    async with Line.to(kubeconfig, tmp_path / "kubeconfig") as line:
        line.cut()
        with Operator(tmp_path / "kubeconfig", tmp_path / "log") as operator:
            await ends_with(operator, "cannot list ModelTrainings")
