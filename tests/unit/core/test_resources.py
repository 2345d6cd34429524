"""What resources amount to."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamplighter.api.common import Resources
from lamplighter.core.resources import accelerators, cpus, quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", "2"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("3.", "3"),
        ("250m", "0.25"),
        ("4Gi", str(4 * 1024**3)),
        ("1k", "1000"),
        ("100n", "0.0000001"),
        ("2E", "2000000000000000000"),
        ("1e3", "1000"),
        ("5E-1", "0.5"),
        ("1Ei", str(1024**6)),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@given(
    st.from_regex(
        r"([0-9]{1,12}(\.[0-9]{0,6})?|\.[0-9]{1,6})([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?", fullmatch=True
    )
)
def test_every_quantity_that_the_schema_lets_pass_can_be_read(text: str) -> None:
    assert quantity(text) >= 0


def test_the_limit_counts_before_the_request() -> None:
    assert cpus(Resources(requests={"cpu": "1"}, limits={"cpu": "2500m"})) == Decimal("2.5")
    assert cpus(Resources(requests={"cpu": "500m"})) == Decimal("0.5")
    assert cpus(Resources(requests={"memory": "1Gi"})) is None


def test_accelerators_are_told_from_other_extended_resources() -> None:
    limits = {
        "nvidia.com/gpu": "2",
        "nvidia.com/mig-1g.10gb": "3",
        "amd.com/gpu": "0",
        "rdma/hca": "1",
        "cpu": "8",
        "hugepages-2Mi": "1Gi",
    }
    assert accelerators(Resources(limits=limits)) == {"nvidia.com/gpu": 2, "nvidia.com/mig-1g.10gb": 3}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("nvidia.com/gpu.shared", True),
        ("huawei.com/Ascend910", True),
        ("gpu.intel.com/xe", True),
        ("volcano.sh/vgpu-number", True),
        ("nvidia.com/gpumem", False),
        ("aliyun.com/gpu-mem", False),
        ("volcano.sh/vgpu-memory", False),
        ("gpu.intel.com/millicores", False),
    ],
)
def test_the_memory_and_the_cores_of_a_gpu_are_no_gpus(name: str, counts: bool) -> None:
    assert accelerators(Resources(limits={name: "3000"})) == ({name: 3000} if counts else {})
