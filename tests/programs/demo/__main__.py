"""`make demo`: cluster, images, operator, a real training, a served model, 360 predictions; then what each part took.

Needs nothing but Python's standard library. Run again, it does only what is new.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from tests import tools
from tests.programs.demo.cluster import condition, get, install_operator, kubectl

SAMPLE = "manifests/samples/digits/"
NAMESPACE = "default"
WANTED_ACCURACY = 0.95
_HERE = tools.ROOT / "tests/programs/demo"

_CHECK = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "digits-check"},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "check",
                        "image": "lamplighter/pytorch:dev",
                        "command": ["python", "/check/predict.py"],
                        "env": [{"name": "PYTHONPATH", "value": "/source"}],
                        "volumeMounts": [
                            {"name": "check", "mountPath": "/check"},
                            {"name": "source", "mountPath": "/source"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "check", "configMap": {"name": "digits-check"}},
                    {"name": "source", "configMap": {"name": "digits-code"}},
                ],
            }
        },
    },
}


class Clock:
    """Takes down how long each part took."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Print the name of a part, and remember its seconds."""
        print(f"\n=== {name}", flush=True)
        begin = time.monotonic()
        yield
        self.parts[name] = time.monotonic() - begin


def follow() -> None:
    """Show `kubectl get mt,md` whenever it changes, until the model is trained and served.

    Raises:
        RuntimeError: the training or the deployment is stalled; the message says why.
    """
    shown = ""
    while True:
        objects = {kind: get("-n", NAMESPACE, kind, "digits") for kind in ("modeltraining", "modeldeployment")}
        view = kubectl("-n", NAMESPACE, "get", "mt,md", "--no-headers=false")
        plain = "\n".join(line.rsplit(maxsplit=1)[0] for line in view.splitlines() if line)
        if plain != shown:
            print(view, flush=True)
            shown = plain
        for kind, obj in objects.items():
            stalled = condition(obj, "Stalled")
            if stalled.get("status") == "True" and stalled["observedGeneration"] == obj["metadata"]["generation"]:
                raise RuntimeError(f"{kind} digits is stalled: {stalled['message']}")
        if all(_current(obj) for obj in objects.values()) and _serves_latest(objects):
            return
        time.sleep(1)


def check(url: str) -> dict[str, Any]:
    """Predict the held-out images through the Service, from a pod in the cluster."""
    kubectl("-n", NAMESPACE, "delete", "job", "digits-check", "--ignore-not-found", "--wait=true")
    script = kubectl(
        "create", "configmap", "digits-check", f"--from-file={_HERE / 'predict.py'}", "--dry-run=client", "-o", "yaml"
    )
    kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=script)
    job = json.loads(json.dumps(_CHECK))
    job["spec"]["template"]["spec"]["containers"][0]["command"].append(url)
    kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(job))
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Complete", "--timeout=900s", "job/digits-check")
    result: dict[str, Any] = json.loads(kubectl("-n", NAMESPACE, "logs", "job/digits-check").splitlines()[-1])
    return result


def main() -> int:
    """Everything, in order. Returns the exit status."""
    clock = Clock()
    with clock.part("build what is missing, side by side: programs, node image, our images"):
        subprocess.run([tools.ROOT / "tests/cluster/prepare.sh"], check=True)
    with clock.part("cluster"):
        _make("cluster")
    with clock.part("load our images into the cluster"):
        _make("images")
    with clock.part("operator"):
        install_operator()
    with clock.part(f"train and serve: kubectl apply -f {SAMPLE}"):
        print(kubectl("-n", NAMESPACE, "apply", "-f", str(tools.ROOT / SAMPLE)), end="", flush=True)
        follow()
    served = get("-n", NAMESPACE, "modeldeployment", "digits")
    url = served["status"]["endpoint"]
    with clock.part(f"predict the held-out images at {url}"):
        result = check(url)
        print(f"{result['right']} of {result['asked']} right, in {result['seconds']} s", flush=True)
    _summary(clock, result, url)
    return 0 if result["accuracy"] >= WANTED_ACCURACY else 1


def _current(obj: dict[str, Any]) -> bool:
    ready = condition(obj, "Ready")
    return ready.get("status") == "True" and ready.get("observedGeneration") == obj["metadata"]["generation"]


def _serves_latest(objects: dict[str, dict[str, Any]]) -> bool:
    latest = objects["modeltraining"]["status"]["latest"]["artifact"]["sha256"]
    served: str = objects["modeldeployment"]["status"]["stable"]["model"]["sha256"]
    return bool(latest == served)


def _make(target: str) -> None:
    subprocess.run(["make", "--no-print-directory", "-C", str(tools.ROOT), target], check=True)


def _summary(clock: Clock, result: dict[str, Any], url: str) -> None:
    print("\n=== what is there now")
    print(kubectl("-n", NAMESPACE, "get", "mt,md,pods"))
    print("\n".join(f"{seconds:7.1f} s  {name}" for name, seconds in clock.parts.items()))
    verdict = "ok" if result["accuracy"] >= WANTED_ACCURACY else f"too low, {WANTED_ACCURACY} is wanted"
    print(f"\naccuracy {result['accuracy']:.4f} on {result['asked']} held-out images ({verdict})")
    print(f"\nLook around:  export KUBECONFIG={tools.kubeconfig('kind')}")
    print("              kubectl describe mt digits; kubectl describe md digits")
    print(f"Ask it:       from any pod, POST to {url}")
    print("Remove all:   make demo-down")


if __name__ == "__main__":
    sys.exit(main())
