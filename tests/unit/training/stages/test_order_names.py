"""Names stay valid at every length that the API allows."""

import re

import pytest
from tests.builders import Scene, a_config_map, a_job, a_training
from tests.builders.objects import Obj

LABEL = re.compile(r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
NODES = 1024
RUN, ATTEMPT = 99_999, 999


def late_run(name: str) -> tuple[Scene, list[Obj]]:
    """Run 99,999 of a training of the most nodes, and all that is created for it."""
    scene = Scene(a_training(name).nodes(NODES).with_source("code").packaged(), a_config_map("code"))
    scene.act()
    run = scene.obj["status"]["run"] | {"number": RUN - 1, "state": "Superseded"}
    scene.obj["status"]["run"] = run
    scene.children.clear()
    objects = [obj for wave in scene.act().create for obj in wave]
    scene.having(a_job(scene.obj, run=RUN).succeeded())
    return scene, objects + [obj for wave in scene.act().create for obj in wave]


@pytest.mark.parametrize("name", ["a", "a" * 40, "a-" * 19 + "zz"])
def test_every_name_and_label_value_is_valid(name: str) -> None:
    _, objects = late_run(name)
    assert {obj["kind"] for obj in objects} == {
        "ConfigMap",
        "ControllerRevision",
        "Job",
        "PersistentVolumeClaim",
        "Service",
    }
    for obj in objects:
        assert LABEL.match(obj["metadata"]["name"])
        assert all(LABEL_VALUE.match(value) for value in obj["metadata"]["labels"].values())


def test_the_host_names_of_all_pods_fit_with_room_for_the_attempt() -> None:
    _, objects = late_run("a" * 40)
    for job in (obj for obj in objects if obj["kind"] == "Job"):
        last = job["spec"]["completions"] - 1
        hostname = f"{job['metadata']['name'].removesuffix('-1')}-{ATTEMPT}-{last}"
        assert LABEL.match(hostname), len(hostname)


def test_the_status_accepts_the_longest_names() -> None:
    scene, _ = late_run("a" * 40)
    assert scene.obj["status"]["run"]["job"] == f"{'a' * 40}-99999-package-1"
