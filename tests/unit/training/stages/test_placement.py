"""Where pods go and what they get there, where it is not plain from the golden files."""

from typing import Any

import pytest
from tests.builders import Scene, a_training
from tests.builders.objects import Obj
from tests.builders.trainings import Training
from tests.unit import golden

from lamplighter.training.view import TrainingOptions

KEEP_AWAY = {"key": "metadata.name", "operator": "NotIn"}
GPU_NODES = {"key": "gpu", "operator": "Exists"}
ZONE = "topology.kubernetes.io/zone"


def pod(training: Training, avoided: tuple[str, ...] = (), options: TrainingOptions | None = None) -> Obj:
    """The pod template of the attempt after one that met these broken Nodes; of the first without any."""
    scene = Scene(training)
    scene.options = options or TrainingOptions()
    scene.settle()
    if avoided:
        scene.obj["status"]["run"] |= {"attempt": 2, "job": "digits-1-2", "notBefore": "2026-11-21T12:00:00Z"}
        scene.obj["status"]["run"]["avoidedNodes"] = list(avoided)
        scene.settle()
    job = scene.child("Job", f"digits-1-{2 if avoided else 1}")
    golden.validate({key: value for key, value in job.items() if key != "status"})
    return dict(job["spec"]["template"])


def trainer(training: Training, **how: Any) -> Obj:
    """Its first container."""
    return dict(pod(training, **how)["spec"]["containers"][0])


def variables(training: Training, **how: Any) -> dict[str, str]:
    """Its plain environment variables."""
    return {entry["name"]: entry["value"] for entry in trainer(training, **how)["env"] if "value" in entry}


def with_affinity(**affinity: Any) -> Training:
    """A training whose template has an affinity of the user's own."""
    return a_training("digits").spec(template={"spec": {"affinity": affinity}})


def node_terms(template: Obj) -> list[Obj]:
    """The alternatives of the required node affinity."""
    required = template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return list(required["nodeSelectorTerms"])


def test_each_avoided_node_is_named() -> None:
    (term,) = node_terms(pod(a_training("digits"), ("bad-1", "bad-2")))
    assert term["matchFields"] == [KEEP_AWAY | {"values": ["bad-1"]}, KEEP_AWAY | {"values": ["bad-2"]}]


def test_every_alternative_of_the_users_own_node_affinity_keeps_away() -> None:
    terms = [{"matchExpressions": [GPU_NODES]}, {"matchFields": [KEEP_AWAY | {"values": ["mine"]}]}]
    preferred = [{"weight": 1, "preference": {"matchExpressions": [GPU_NODES]}}]
    training = with_affinity(
        nodeAffinity={
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
            "preferredDuringSchedulingIgnoredDuringExecution": preferred,
        }
    )
    made = pod(training, ("bad",))
    assert node_terms(made) == [
        {"matchExpressions": [GPU_NODES], "matchFields": [KEEP_AWAY | {"values": ["bad"]}]},
        {"matchFields": [KEEP_AWAY | {"values": ["mine"]}, KEEP_AWAY | {"values": ["bad"]}]},
    ]
    assert made["spec"]["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] == preferred


def test_other_affinities_of_the_user_stay() -> None:
    others = {"preferredDuringSchedulingIgnoredDuringExecution": []}
    made = pod(with_affinity(podAntiAffinity=others), ("bad",))
    assert made["spec"]["affinity"]["podAntiAffinity"] == others
    assert len(node_terms(made)) == 1


def test_nothing_is_avoided_without_need() -> None:
    assert "affinity" not in pod(a_training("digits"))["spec"]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ("Required", "requiredDuringSchedulingIgnoredDuringExecution"),
        ("Preferred", "preferredDuringSchedulingIgnoredDuringExecution"),
    ],
)
def test_a_gang_is_put_into_one_domain_or_rather_so(policy: str, field: str) -> None:
    training = a_training("digits").nodes(2).spec(topology={"colocate": ZONE, "colocatePolicy": policy})
    (term,) = pod(training)["spec"]["affinity"]["podAffinity"][field]
    term = term.get("podAffinityTerm", term)
    selector = {"matchLabels": {"batch.kubernetes.io/job-name": "digits-1-1"}}
    assert term == {"topologyKey": ZONE, "labelSelector": selector}


@pytest.mark.parametrize(("policy", "word"), [("Required", "DoNotSchedule"), ("Preferred", "ScheduleAnyway")])
def test_a_gang_is_spread_or_rather_so(policy: str, word: str) -> None:
    training = a_training("digits").nodes(2).spec(topology={"spread": ZONE, "spreadPolicy": policy})
    (constraint,) = pod(training)["spec"]["topologySpreadConstraints"]
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == (ZONE, word)


def test_what_the_template_says_goes_on_top() -> None:
    training = a_training("digits").spec(
        priorityClassName="high",
        gangScheduling={"schedulerName": "volcano", "annotations": {"group": "{job}", "kept": "yes"}},
        template={
            "metadata": {"annotations": {"group": "mine"}},
            "spec": {"priorityClassName": "highest", "schedulerName": "mine"},
        },
    )
    made = pod(training)
    assert (made["spec"]["priorityClassName"], made["spec"]["schedulerName"]) == ("highest", "mine")
    assert made["metadata"]["annotations"] == {"group": "mine", "kept": "yes"}


def test_a_schedulers_label_cannot_take_a_label_of_ours_away() -> None:
    labels = {"lamplighter.dev/run": "99", "group": "{job}"}
    made = pod(a_training("digits").spec(gangScheduling={"labels": labels}))
    assert (made["metadata"]["labels"]["lamplighter.dev/run"], made["metadata"]["labels"]["group"]) == (
        "1",
        "digits-1-1",
    )


def test_rdma_adds_its_devices_and_the_right_to_pin_memory_and_no_other() -> None:
    resources = {"requests": {"cpu": "2"}, "limits": {"memory": "8Gi"}}
    made = trainer(a_training("digits").spec(resources=resources, rdma={"resourceName": "rdma/hca", "count": 2}))
    assert made["resources"] == {
        "requests": {"cpu": "2", "rdma/hca": "2"},
        "limits": {"memory": "8Gi", "rdma/hca": "2"},
    }
    assert made["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}


def test_a_claim_without_gpus_lets_torchrun_count_them() -> None:
    training = a_training("digits").spec(resourceClaims=[{"name": "gpus", "resourceClaimTemplateName": "two"}])
    assert variables(training)["PET_NPROC_PER_NODE"] == "gpu"
    assert variables(training.spec(procsPerNode=2))["PET_NPROC_PER_NODE"] == "2"


@pytest.mark.parametrize(
    ("limits", "backend"),
    [
        ({}, "gloo"),
        ({"nvidia.com/gpu": "1"}, "nccl"),
        ({"nvidia.com/mig-1g.10gb": "1"}, "nccl"),
        ({"amd.com/gpu": "1"}, "nccl"),
        ({"gpu.intel.com/i915": "1"}, "xccl"),
        ({"habana.ai/gaudi": "8"}, "hccl"),
        ({"cpu": "8"}, "gloo"),
    ],
)
def test_the_collectives_fit_the_devices(limits: Obj, backend: str) -> None:
    assert variables(a_training("digits").spec(resources={"limits": limits}))["LAMPLIGHTER_BACKEND"] == backend


def test_pods_report_only_where_reports_are_taken() -> None:
    training = a_training("digits")
    assert "LAMPLIGHTER_PROGRESS_URL" not in variables(training)
    assert all(volume["name"] != "progress" for volume in pod(training)["spec"]["volumes"])
    options = TrainingOptions(progress_url="https://progress.lamplighter-system.svc/v1/progress")
    made = variables(training, options=options)
    assert made["LAMPLIGHTER_PROGRESS_URL"] == options.progress_url
    (token,) = [volume for volume in pod(training, options=options)["spec"]["volumes"] if volume["name"] == "progress"]
    (source,) = token["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "lamplighter.dev/progress"
    mounts = {mount["name"]: mount for mount in trainer(training, options=options)["volumeMounts"]}
    assert made["LAMPLIGHTER_PROGRESS_TOKEN_FILE"] == f"{mounts['progress']['mountPath']}/token"


def test_the_grace_of_the_template_is_what_the_launcher_is_told() -> None:
    training = a_training("digits").spec(template={"spec": {"terminationGracePeriodSeconds": 600}})
    assert variables(training)["LAMPLIGHTER_GRACE_S"] == "600"


def test_hangs_and_output_are_watched_only_when_the_spec_asks_for_it() -> None:
    made = variables(a_training("digits"))
    assert {"LAMPLIGHTER_HANG_TIMEOUT_S", "LAMPLIGHTER_METRICS_FROM_OUTPUT"} & made.keys() == set()


def test_a_limit_of_less_than_a_second_is_a_second() -> None:
    assert variables(a_training("digits").may_fail(hangTimeout="1ms"))["LAMPLIGHTER_HANG_TIMEOUT_S"] == "1"


def test_the_package_stage_goes_where_the_template_says_and_nowhere_else() -> None:
    training = (
        a_training("digits")
        .packaged()
        .spec(priorityClassName="high", topology={"spread": ZONE}, gangScheduling={"schedulerName": "volcano"})
    )
    scene = Scene(training).settle()
    scene.children["Job", "digits-1-1"]["status"] = {"conditions": [{"type": "Complete", "status": "True",
        "lastTransitionTime": "2026-11-21T12:00:00Z"}]}  # fmt: skip
    scene.after(60).settle()
    made = scene.child("Job", "digits-1-package-1")["spec"]["template"]["spec"]
    assert {"priorityClassName", "schedulerName", "topologySpreadConstraints"} & made.keys() == set()
