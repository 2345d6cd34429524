"""The user's overrides, merged into the pods that the operator builds."""

import pytest
from tests.builders.objects import Obj

from lamplighter.api.common import PodTemplate
from lamplighter.core.podtemplate import override

POD: Obj = {
    "metadata": {"labels": {"lamplighter.dev/run": "1"}},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        "tolerations": [{"key": "a"}],
        "containers": [
            {
                "name": "trainer",
                "image": "x",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    },
}


def merged(**spec: object) -> Obj:
    """The pod's spec with overrides."""
    return dict(override(POD, PodTemplate.model_validate({"spec": spec}))["spec"])


def test_without_overrides_nothing_changes() -> None:
    assert override(POD, PodTemplate()) == POD


def test_maps_merge() -> None:
    assert merged(securityContext={"fsGroup": 7})["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "fsGroup": 7,
    }


def test_a_container_of_our_name_is_changed_and_another_one_added() -> None:
    containers = merged(containers=[{"name": "log", "image": "y"}, {"name": "trainer", "image": "z"}])["containers"]
    assert [(entry["name"], entry["image"]) for entry in containers] == [("trainer", "z"), ("log", "y")]
    assert containers[0]["env"] == POD["spec"]["containers"][0]["env"]


@pytest.mark.parametrize(
    ("field", "patch", "names"),
    [
        ("env", [{"name": "B", "value": "9"}, {"name": "C", "value": "3"}], ["A", "B", "C"]),
        ("volumeMounts", [{"name": "data", "mountPath": "/data"}], ["tmp", "data"]),
        ("volumeMounts", [{"name": "data", "mountPath": "/tmp"}], ["data"]),
    ],
)
def test_lists_of_named_things_merge_by_their_key(field: str, patch: list[Obj], names: list[str]) -> None:
    (container,) = merged(containers=[{"name": "trainer", field: patch}])["containers"]
    assert [entry["name"] for entry in container[field]] == names


def test_tolerations_are_added() -> None:
    assert merged(tolerations=[{"key": "b"}])["tolerations"] == [{"key": "a"}, {"key": "b"}]


def test_other_lists_are_replaced() -> None:
    (container,) = merged(containers=[{"name": "trainer", "command": ["mine"]}])["containers"]
    assert container["command"] == ["mine"]


def test_values_and_new_fields_are_taken() -> None:
    spec = merged(nodeSelector={"gpu": "h200"}, priorityClassName="high")
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"gpu": "h200"}, "high")


def test_our_labels_win_and_the_users_annotations_do() -> None:
    template = PodTemplate.model_validate(
        {"metadata": {"labels": {"lamplighter.dev/run": "7", "team": "vision"}, "annotations": {"note": "kept"}}}
    )
    assert override(POD, template)["metadata"] == {
        "labels": {"lamplighter.dev/run": "1", "team": "vision"},
        "annotations": {"note": "kept"},
    }


def test_what_was_built_is_not_changed_in_place() -> None:
    before = str(POD)
    merged(containers=[{"name": "trainer", "env": [{"name": "A", "value": "9"}]}], tolerations=[{"key": "b"}])
    assert str(POD) == before


@pytest.mark.parametrize("strange", [None, "sidecar", {"name": ["x"]}, {"image": "x"}])
def test_an_entry_that_no_list_of_named_things_has_is_left_to_the_api_server(strange: object) -> None:
    containers = merged(containers=[strange])["containers"]
    assert containers[-1] == strange
    assert len(containers) == len(merged()["containers"]) + 1


def test_no_containers_at_all_are_those_of_the_operator() -> None:
    assert merged(containers=None)["containers"] == merged()["containers"]
