"""Where the tests find what `make kwok` and `make cluster` leave behind."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATE = ROOT / ".state"
_CACHE = Path(os.environ.get("LAMPLIGHTER_CACHE", Path.home() / ".cache" / "lamplighter"))


def kubectl() -> str:
    """The kubectl that was built for the test clusters, or else the one on the PATH."""
    built = _CACHE / "bin" / "kubectl"
    found = str(built) if built.is_file() else shutil.which("kubectl")
    if found is None:
        raise FileNotFoundError(f"kubectl is neither {built} nor on the PATH: run `make kwok`, or install kubectl")
    return found


def kubeconfig(cluster: str) -> Path:
    """The kubeconfig of a test cluster, ``kwok`` or ``kind``."""
    path = STATE / f"{cluster}.kubeconfig"
    if not path.is_file():
        target = {"kwok": "kwok", "kind": "cluster"}[cluster]
        raise FileNotFoundError(f"{path} is missing: the {cluster} cluster is not up; run `make {target}`")
    return path


def image(name: str) -> str:
    """The image that `make images` loaded last, by its content: ``image("operator")``."""
    path = STATE / "images"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `make images`")
    loaded = dict(line.split("=", 1) for line in path.read_text().split())
    return loaded[name]


def serving_image() -> str:
    """The torchserve image that `make test-serving` built, by its content."""
    path = STATE / "serving-image"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `make test-serving`")
    return path.read_text().strip()
