"""The compute resources of a container: processors and accelerators. Pure."""

import re
from decimal import Decimal

from lamplighter.api.common import Resources

_ACCELERATORS = frozenset(
    {
        "aws.amazon.com/neuron",
        "aws.amazon.com/neuroncore",
        "cambricon.com/mlu",
        "google.com/tpu",
        "gpu.intel.com/i915",
        "gpu.intel.com/xe",
        "habana.ai/gaudi",
        "huawei.com/Ascend910",
        "k8s.amazonaws.com/vgpu",
        "volcano.sh/vgpu-number",
    }
)
_GPU = re.compile(r"[^/]+/(gpu(\.[\w.-]+)?|mig-[\w.-]+)")
"""``nvidia.com/gpu``, ``nvidia.com/gpu.shared`` and slices; not the memory or the cores of one, as ``gpumem`` is."""
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def quantity(text: str) -> Decimal:
    """The number that a Kubernetes quantity such as ``500m``, ``1.5``, ``4Gi`` or ``1e3`` stands for."""
    if text.endswith(_BINARY):
        return Decimal(text[:-2]) * Decimal(1024) ** (_BINARY.index(text[-2:]) + 1)
    if text[-1].isalpha():
        return Decimal(text[:-1]).scaleb(_DECIMAL[text[-1]])
    return Decimal(text)


def accelerators(resources: Resources) -> dict[str, int]:
    """The GPUs and other accelerators of one container, by resource name; a MIG slice counts as one."""
    wanted = {**resources.requests, **resources.limits}
    return {name: int(count) for name, count in wanted.items() if _accelerates(name) and count.isdigit() and int(count)}


def cpus(resources: Resources) -> Decimal | None:
    """The processors of one container: its limit, otherwise its request; None when it has neither."""
    text = resources.limits.get("cpu") or resources.requests.get("cpu")
    return quantity(text) if text else None


def _accelerates(resource: str) -> bool:
    return resource in _ACCELERATORS or _GPU.fullmatch(resource) is not None
