"""A real operator process and a real API server: the way of trainings and deployments, and what people see of it."""

import json

import pytest
from tests.builders.routers import split_in
from tests.integration.conftest import Kubectl
from tests.integration.engine.server import Server
from tests.integration.engine.watches import Watches
from tests.integration.operator.conftest import NewOperator
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.story import FAIL, HOLD, PACKAGE, Story
from tests.samples.objects import deployment, training

from lamplighter.core.objects import Obj, Ref

SOURCE: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source"}, "data": {"train.py": "1"}}
SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""What kwok's package stage reports."""


@pytest.fixture
def operator(new_operator: NewOperator) -> Operator:
    """An operator for the namespace of the test."""
    return new_operator()


@pytest.fixture
async def digits(operator: Operator, watches: Watches) -> Story:
    """The name that the tests use."""
    return Story(watches)


async def test_a_training_and_its_deployment_from_apply_to_ready(
    digits: Story, kubectl: Kubectl, connection: Server
) -> None:
    await digits.create(SOURCE)
    await digits.create(deployment(replicas=2))
    await digits.create(training(nodes=2, source={"configMap": "source"}, **PACKAGE))
    await digits.until_state("Succeeded")
    artifact = digits.status()["latest"]["artifact"]
    uid = str(digits.uid("ModelTraining"))
    assert artifact == {"uri": f"pvc://digits-models/digits-{uid[:8]}/run-1/model.mar", "sha256": SHA, "sizeBytes": 1}
    assert all(len(uids) == 1 for uids in digits.jobs().values())
    assert set(digits.jobs()) == {"digits-1-1", "digits-1-package-1"}

    await digits.until("both pods serve", lambda: digits.status("ModelDeployment").get("readyReplicas") == 2)
    revision = digits.status("ModelDeployment")["stable"]["revision"]
    service = digits.get("Service")
    assert service["spec"]["selector"]["lamplighter.dev/component"] == "router"
    assert split_in(digits.get("ConfigMap", "digits-router")) == {revision: 100}

    namespace = digits.watches.namespace
    heads, line = kubectl("get", "mt", "-n", namespace).splitlines()
    assert heads.split() == ["NAME", "STATE", "RUN", "ATTEMPT", "STEP", "LOSS", "ETA", "RESTARTS", "AGE"]
    assert line.split()[:5] == ["digits", "Succeeded", "1", "1", "0"]
    heads, line = kubectl("get", "md", "-n", namespace).splitlines()
    assert heads.split() == ["NAME", "STATE", "STABLE", "CANDIDATE", "WEIGHT", "STEP", "READY", "AGE"]
    assert line.split()[:4] == ["digits", "Ready", revision, "2"]
    kubectl("wait", "mt,md", "--all", "-n", namespace, "--for=condition=Ready", "--timeout=1s")

    described = kubectl("describe", "mt", "digits", "-n", namespace)
    assert f"run 1 succeeded: {artifact['uri']}, sha256 {SHA}" in described
    assert "RunSucceeded" in described
    assert "RolledOut" in kubectl("describe", "md", "digits", "-n", namespace)
    await no_traces_of_kopf(connection, namespace)


async def test_a_failure_is_told_where_people_look(digits: Story, kubectl: Kubectl) -> None:
    await digits.create(training(**FAIL))
    await digits.until_state("Failed")
    ready, stalled = digits.condition(), digits.condition(type_="Stalled")
    assert (ready["status"], stalled["status"], ready["reason"]) == ("False", "True", "UserError")
    assert "ended with exit code 1: ValueError: boom" in ready["message"]
    assert digits.status()["run"]["failure"]["exitCode"] == 1
    wide = kubectl("get", "mt", "-o", "wide", "-n", digits.watches.namespace)
    assert "ValueError: boom" in wide
    events = kubectl("events", "--for", "modeltraining/digits", "-n", digits.watches.namespace)
    assert "Warning" in events
    assert "RunFailed" in events


async def test_a_resume_does_not_wait_for_a_pod_that_its_job_keeps_until_the_resume(
    digits: Story, kubectl: Kubectl
) -> None:
    """A worker is deleted just before the suspension: the Job counts it when it replaces it, and not before."""
    own = ("-n", digits.watches.namespace, "pods", "-l", "lamplighter.dev/training=digits")
    await digits.create(training(nodes=2, elastic={"minNodes": 1, "maxNodes": 2}, **HOLD))
    both = {"Running"}, 2
    await digits.until(
        "both run", lambda: ({pod["status"]["phase"] for pod in digits.pods()}, len(digits.pods())) == both
    )
    await digits.until_state("Running")
    kubectl("annotate", *own, "--overwrite", "lamplighter.dev/kwok=stuck")
    kubectl("delete", *own[:-1], f"{own[-1]},batch.kubernetes.io/job-completion-index=1", "--wait=false")
    await digits.change("ModelTraining", suspend=True)
    await digits.until_state("Suspended")
    kubectl("annotate", *own, "--overwrite", "lamplighter.dev/kwok=hold")
    await digits.until("one pod is left", lambda: len(digits.pods()) == 1)
    await digits.change("ModelTraining", suspend=False)
    told = "waiting to resume: 1 pod from the previous start is still terminating"
    await digits.until("it is told why", lambda: told in digits.condition()["message"])
    assert digits.status()["state"] == "Resuming"
    await digits.until_state("Running")
    assert (digits.status()["run"]["attempt"], set(digits.jobs())) == (1, {"digits-1-1"})


async def test_deleting_a_training_keeps_its_models_and_frees_its_name(digits: Story) -> None:
    await digits.create(SOURCE)
    wanted = training(nodes=2, source={"configMap": "source"}, **HOLD)
    await digits.create(wanted)
    await digits.until_state("Running")
    first = digits.uid("ModelTraining")
    volume = digits.uid("PersistentVolumeClaim", "digits-models")
    await digits.delete("ModelTraining")
    await digits.create(wanted)  # at once: what the first one left is still being removed
    await digits.until("another one exists", lambda: digits.uid("ModelTraining") not in (None, first))
    await digits.until_state("Running")
    assert len(digits.jobs()["digits-1-1"]) == 2
    assert digits.uid("PersistentVolumeClaim", "digits-models") == volume
    assert str(digits.uid("ModelTraining"))[:8] in digits.status()["run"]["path"]
    await digits.delete("ModelTraining")
    await digits.until(
        "all is gone but the volume", lambda: digits.children() == ["PersistentVolumeClaim digits-models"]
    )


async def test_metrics_have_the_promised_names_and_no_names_of_objects(digits: Story, operator: Operator) -> None:
    await digits.create(training(name="digits"))
    await digits.until_state("Succeeded")
    metrics = operator.metrics()
    promised = {
        "lamplighter_queue_depth",
        "lamplighter_reconcile_seconds_bucket",
        "lamplighter_reconcile_seconds_count",
        "lamplighter_api_requests_total",
        "lamplighter_leader",
        "lamplighter_watch_events_total",
    }
    assert promised <= metrics.keys()
    assert ({"verb": "create", "resource": "jobs", "code": "201"}, 1.0) in metrics["lamplighter_api_requests_total"]
    texts = {value for samples in metrics.values() for labels, _ in samples for value in labels.values()}
    assert not [text for text in texts if "digits" in text or digits.watches.namespace in text]


async def test_logs_are_json_with_the_identity_of_the_object(digits: Story, operator: Operator) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "digits-1-1"}}
    never = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "stranger"}]}
    await digits.create(job | {"spec": {"suspend": True, "template": {"spec": never}}})
    await digits.create(training())
    await digits.until_state("NameTaken")
    blocked = [entry for entry in operator.log_entries() if entry["message"].startswith("blocked: ")]
    assert len(blocked) == 1
    assert (
        blocked[0] | {"kind": "ModelTraining", "namespace": digits.watches.namespace, "object": "digits"} == blocked[0]
    )
    assert (blocked[0]["level"], blocked[0]["reason"]) == ("WARNING", "NameTaken")


async def no_traces_of_kopf(connection: Server, namespace: str) -> None:
    """Nothing that the operator watches carries an annotation, a finalizer or a field of Kopf."""
    for kind in ("ModelTraining", "ModelDeployment", "Job", "Deployment", "Service", "ControllerRevision", "ConfigMap"):
        for item in (await connection.list(kind, namespace))[0]:
            obj = await connection.get(Ref(kind, namespace, item["metadata"]["name"]))
            assert obj is not None
            assert "kopf" not in json.dumps(obj).lower()
            foreign = [name for name in obj["metadata"].get("finalizers", ()) if not name.startswith("foreground")]
            assert foreign == []
            managers = {entry["manager"] for entry in obj["metadata"]["managedFields"]}
            assert managers <= {"lamplighter", "kube-controller-manager"}, f"{kind} {item['metadata']['name']}"
