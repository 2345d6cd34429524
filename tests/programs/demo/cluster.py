"""What the demo and the end-to-end tests do to a cluster: kubectl, and installing the operator that was built here."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import tools

OPERATOR_NAMESPACE = "lamplighter-system"
OPERATOR = "deployment/lamplighter-operator"
_BUILT_LAST = "lamplighter/operator:dev"
CRDS = ("crd/modeltrainings.lamplighter.dev", "crd/modeldeployments.lamplighter.dev")


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """What kubectl prints; an error tells the command and what it complained of."""
    command = [tools.kubectl(), "--kubeconfig", str(tools.kubeconfig("kind")), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=1200, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(arguments)} exited {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def forwarded(namespace: str, target: str, port: int) -> Iterator[str]:
    """The address under which a port of a Service or pod can be reached from here."""
    command = [tools.kubectl(), "--kubeconfig", str(tools.kubeconfig("kind")), "-n", namespace]
    with subprocess.Popen([*command, "port-forward", target, f":{port}"], stdout=subprocess.PIPE, text=True) as tunnel:
        try:
            assert tunnel.stdout is not None
            yield tunnel.stdout.readline().split()[2]  # Forwarding from 127.0.0.1:41783 -> 8080
        finally:
            tunnel.terminate()


def get(*arguments: str) -> dict[str, Any]:
    """An object, or a list, as the API server has it; empty when there is none."""
    found = kubectl("get", *arguments, "-o", "json", "--ignore-not-found")
    return json.loads(found) if found else {}


def condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    """A condition of an object; empty when it has none of this type."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == kind), {})


def install_operator(overlay: str = "manifests/overlays/kind") -> None:
    """Install the CRDs and the operator, with the image that was built last, and wait until it runs.

    The image is put in before anything is applied: where nothing is new, no pod of the operator is replaced.
    """
    manifests = kubectl("kustomize", str(tools.ROOT / overlay))
    assert _BUILT_LAST in manifests
    manifests = manifests.replace(_BUILT_LAST, tools.image("operator"))
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifests)
    kubectl("wait", "--for=condition=Established", "--timeout=180s", *CRDS)
    kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", OPERATOR, "--timeout=600s")
