"""A real API server on the shared samples: what it refuses, with which sentence, and what it stores."""

import json
from typing import Any

import pytest
from kubernetes import client
from tests.samples import deployments, trainings
from tests.samples.objects import Invalid, Obj, Valid, deployment, training

from lamplighter.api.kinds import KINDS

KIND = {kind.name: kind for kind in KINDS}


def name(sample: Valid | Invalid) -> str:
    return f"{sample.obj['kind']}: {sample.what}"


def create(api: client.ApiClient, namespace: str, obj: Obj, **options: Any) -> Obj:
    """Create a sample; ``options`` are those of the API request."""
    plural = KIND[obj["kind"]].plural
    custom = client.CustomObjectsApi(api)
    place = ("lamplighter.dev", "v1alpha1", namespace, plural)
    created: Obj = custom.create_namespaced_custom_object(*place, obj, **options)
    return created


def refusal(api: client.ApiClient, obj: Obj, **options: Any) -> str:
    """What a user reads who tries to create the object."""
    with pytest.raises(client.ApiException) as refused:
        create(api, "default", obj, dry_run="All", **options)
    return str(json.loads(refused.value.body)["message"])


def covers(stored: Any, written: Any) -> bool:
    """Whether everything that was written, except null, is in what is stored."""
    if isinstance(written, dict):
        return all(key in stored and covers(stored[key], value) for key, value in written.items() if value is not None)
    if isinstance(written, list):
        return len(stored) == len(written) and all(map(covers, stored, written))
    return bool(stored == written)


@pytest.mark.parametrize("sample", [*trainings.INVALID, *deployments.INVALID], ids=name)
def test_what_is_invalid_is_refused_with_the_sentence(api: client.ApiClient, sample: Invalid) -> None:
    assert sample.sentence in refusal(api, sample.obj)


@pytest.mark.parametrize("sample", [*trainings.VALID, *deployments.VALID], ids=name)
def test_what_is_valid_is_stored_as_written(api: client.ApiClient, namespace: str, sample: Valid) -> None:
    create(api, namespace, sample.obj, field_validation="Strict")
    stored = client.CustomObjectsApi(api).get_namespaced_custom_object(
        "lamplighter.dev", "v1alpha1", namespace, KIND[sample.obj["kind"]].plural, sample.obj["metadata"]["name"]
    )
    assert covers(stored["spec"], sample.obj["spec"])


@pytest.mark.parametrize("sample", [*trainings.VALID, *deployments.VALID], ids=name)
def test_the_defaults_of_the_api_server_are_those_of_the_models(api: client.ApiClient, sample: Valid) -> None:
    stored = create(api, "default", sample.obj, dry_run="All")
    model = KIND[sample.obj["kind"]].model
    given = {key: value for key, value in sample.obj["spec"].items() if value is not None}
    assert model.model_validate(stored) == model.model_validate({**sample.obj, "spec": given})


def test_defaults_are_written_out_for_people_to_see(api: client.ApiClient) -> None:
    assert create(api, "default", training(), dry_run="All")["spec"] == {
        **training()["spec"],
        "nodes": 1,
        "output": {"size": "5Gi", "accessModes": ["ReadWriteOnce"]},
        "checkpoint": {"every": "5m", "keep": 3},
        "progress": {"fromOutput": False},
        "failurePolicy": {
            "maxRestarts": 0,
            "maxHangRestarts": 3,
            "maxInfrastructureRestarts": 20,
            "backoff": {"initial": "10s", "max": "10m"},
        },
        "suspend": False,
        "onChange": "Queue",
        "ttlAfterFinished": "24h",
        "historyLimit": 10,
    }
    assert create(api, "default", deployment(), dry_run="All")["spec"] == {
        **deployment()["spec"],
        "runtime": {
            "batchSize": 1,
            "maxBatchDelay": "50ms",
            "jobQueueSize": 100,
            "responseTimeout": "60s",
            "warmup": 1,
        },
        "strategy": {"progressDeadline": "10m"},
        "router": {
            "replicas": 2,
            "maxRequests": 1024,
            "maxConnections": 1024,
            "accessLog": False,
            "outlier": {"consecutiveFailures": 5, "interval": "10s", "ejectionTime": "30s", "maxEjected": 50},
        },
        "revisionHistoryLimit": 10,
    }


@pytest.mark.parametrize("obj", [training(epochs=3), deployment(runtime={"worker": 1})], ids=["mt", "md"])
def test_an_unknown_field_is_refused_by_strict_validation_and_dropped_without(api: client.ApiClient, obj: Obj) -> None:
    assert "unknown field" in refusal(api, obj, field_validation="Strict")
    stored = create(api, "default", obj, dry_run="All", field_validation="Ignore")
    assert "epochs" not in stored["spec"]
    assert "worker" not in stored["spec"].get("runtime", {})


def test_a_template_keeps_what_the_schema_does_not_know(api: client.ApiClient) -> None:
    pod = {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}], "somethingNew": {"deep": [1, {"a": None}]}}
    stored = create(api, "default", training(template={"spec": pod}), dry_run="All", field_validation="Strict")
    assert stored["spec"]["template"]["spec"] == pod
