"""Status, scale and the columns of kubectl, on a real API server."""

import json
from typing import Any

import pytest
from kubernetes import client
from tests.integration.conftest import Kubectl
from tests.samples.objects import SHA, Obj, deployment, training

NOW = "2026-01-01T00:00:00Z"
READY = {"type": "Ready", "status": "True", "reason": "Serving", "message": "2 pods serve", "lastTransitionTime": NOW}
TRAINED = {
    "observedGeneration": 1,
    "state": "Succeeded",
    "conditions": [READY],
    "run": {
        "number": 3,
        "state": "Succeeded",
        "stage": "package",
        "attempt": 2,
        "job": "digits-3-package-2",
        "claimName": "digits-models",
        "path": "digits/3",
        "startTime": NOW,
        "restarts": 1,
        "progress": {"steps": "7/10", "eta": "12m30s", "metrics": {"loss": "0.25"}},
    },
    "latest": {
        "run": 3,
        "state": "Succeeded",
        "artifact": {"uri": "pvc://digits-models/digits/3/model.mar", "sha256": SHA},
    },
}
MODEL = {"uri": "pvc://digits-models/digits/3/model.mar", "sha256": SHA, "training": "digits", "run": 3}
SERVING: Obj = {
    "state": "Holding",
    "conditions": [READY],
    "replicas": 2,
    "readyReplicas": 1,
    "selector": "lamplighter.dev/deployment=digits",
    "endpoint": "http://digits.test.svc/predictions/digits",
    "stable": {"revision": "4f53cda1", "model": MODEL, "since": NOW},
    "candidate": {"revision": "5e884898", "model": MODEL, "since": NOW, "weight": 20, "progress": "1/3"},
}


class Objects:
    """The objects of one kind in the namespace of a test."""

    def __init__(self, api: client.ApiClient, namespace: str, plural: str) -> None:
        self.custom = client.CustomObjectsApi(api)
        self.place = ("lamplighter.dev", "v1alpha1", namespace, plural)

    def create(self, obj: Obj) -> Obj:
        created: Obj = self.custom.create_namespaced_custom_object(*self.place, obj)
        return created

    def call(self, verb: str, *body: Any, **options: Any) -> Obj:
        """``call("replace", obj)``, ``call("get")``: the verb on the object ``digits``."""
        answer: Obj = getattr(self.custom, f"{verb}_namespaced_custom_object{options.pop('part', '')}")(
            *self.place, "digits", *body, **options
        )
        return answer


@pytest.fixture
def mt(api: client.ApiClient, namespace: str) -> Objects:
    """The ModelTrainings of the namespace."""
    return Objects(api, namespace, "modeltrainings")


@pytest.fixture
def md(api: client.ApiClient, namespace: str) -> Objects:
    """The ModelDeployments of the namespace."""
    return Objects(api, namespace, "modeldeployments")


def test_a_new_object_has_no_status(mt: Objects) -> None:
    assert "status" not in mt.create({**training(), "status": TRAINED})


def test_a_status_is_stored_as_written_and_leaves_spec_and_generation_alone(mt: Objects) -> None:
    created = mt.create(training())
    mt.call("replace", {**created, "spec": training(nodes=9)["spec"], "status": TRAINED}, part="_status")
    stored = mt.call("get")
    assert stored["status"] == TRAINED
    assert stored["spec"] == created["spec"]
    assert stored["metadata"]["generation"] == 1


def test_a_changed_spec_raises_the_generation_and_leaves_the_status_alone(mt: Objects) -> None:
    created = mt.create(training())
    current = mt.call("replace", {**created, "status": TRAINED}, part="_status")
    changed = mt.call("replace", {**current, "spec": training(nodes=9)["spec"], "status": {}})
    assert changed["metadata"]["generation"] == 2
    assert changed["status"] == TRAINED


def test_a_status_from_a_stale_read_is_a_conflict(mt: Objects) -> None:
    created = mt.create(training())
    mt.call("replace", {**created, "status": {"state": "Running"}}, part="_status")
    with pytest.raises(client.ApiException, match="Conflict"):
        mt.call("replace", {**created, "status": {"state": "Failed"}}, part="_status")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({"conditions": [READY, READY]}, "Duplicate value"),
        ({"conditions": [{**READY, "status": "Maybe"}]}, "conditions[0].status in body should match"),
        ({"conditions": [{**READY, "lastTransitionTime": "today"}]}, "must be of type date-time"),
        ({"history": [{"run": run, "state": "Failed"} for run in range(1, 102)]}, "status.history: Too many: 101"),
        ({"history": [{"run": 1, "state": "Happy"}]}, "status.history[0].state: Unsupported value"),
    ],
)
def test_a_status_that_breaks_the_schema_is_refused(mt: Objects, status: Obj, sentence: str) -> None:
    created = mt.create(training())
    with pytest.raises(client.ApiException) as refused:
        mt.call("replace", {**created, "status": status}, part="_status")
    assert sentence in json.loads(refused.value.body)["message"]


def test_scale_reads_and_writes_replicas(md: Objects) -> None:
    created = md.create(deployment(replicas=2))
    md.call("replace", {**created, "status": SERVING}, part="_status")
    scale = md.call("get", part="_scale")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 2, "selector": "lamplighter.dev/deployment=digits"}
    md.call("replace", {**scale, "spec": {"replicas": 5}}, part="_scale")
    assert md.call("get")["spec"]["replicas"] == 5


def test_scale_says_that_replicas_is_missing_where_it_was_left_out(md: Objects) -> None:
    md.create(deployment())
    with pytest.raises(client.ApiException) as refused:
        md.call("get", part="_scale")
    assert "the spec replicas field" in refused.value.body


def test_kubectl_shows_what_is_going_on_with_a_training(mt: Objects, kubectl: Kubectl) -> None:
    created = mt.create(training(nodes=2))
    mt.call("replace", {**created, "status": TRAINED}, part="_status")
    heads, cells = kubectl("get", "mt", "-n", mt.place[2]).splitlines()
    assert heads.split() == ["NAME", "STATE", "RUN", "ATTEMPT", "STEP", "LOSS", "ETA", "RESTARTS", "AGE"]
    assert cells.split()[:-1] == ["digits", "Succeeded", "3", "2", "7/10", "0.25", "12m30s", "1"]


def test_kubectl_shows_what_a_deployment_serves(md: Objects, kubectl: Kubectl) -> None:
    created = md.create(deployment())
    md.call("replace", {**created, "status": SERVING}, part="_status")
    heads, cells = kubectl("get", "md", "-n", md.place[2]).splitlines()
    assert heads.split() == ["NAME", "STATE", "STABLE", "CANDIDATE", "WEIGHT", "STEP", "READY", "AGE"]
    assert cells.split()[:-1] == ["digits", "Holding", "4f53cda1", "5e884898", "20", "1/3", "1"]


def test_the_wide_view_gives_digest_endpoint_and_message(mt: Objects, md: Objects, kubectl: Kubectl) -> None:
    mt.call("replace", {**mt.create(training()), "status": TRAINED}, part="_status")
    md.call("replace", {**md.create(deployment()), "status": SERVING}, part="_status")
    wide = kubectl("get", "lamplighter", "-o", "wide", "-n", md.place[2])
    assert SHA in wide
    assert SERVING["endpoint"] in wide
    assert wide.count("2 pods serve") == 2


def test_both_kinds_are_in_the_category_ml(mt: Objects, md: Objects, kubectl: Kubectl) -> None:
    mt.create(training())
    md.create(deployment())
    assert kubectl("get", "ml", "-o", "name", "-n", md.place[2]).split() == [
        "modeldeployment.lamplighter.dev/digits",
        "modeltraining.lamplighter.dev/digits",
    ]
