"""After a failure: the next attempt, within the budget of the cause, and not too soon."""

import pytest
from tests.builders import a_job, a_training, at
from tests.unit.training.gangs import created, fails, job, paused, pod, running, runs

FIELD = {
    "UserError": "maxRestarts",
    "OutOfMemory": "maxRestarts",
    "Hang": "maxHangRestarts",
    "Infrastructure": "maxInfrastructureRestarts",
    "Hardware": "maxInfrastructureRestarts",
}
AT_ONCE = {"backoff": {"initial": "0s"}}


def test_the_next_attempt_gets_a_job_and_a_service_of_its_own() -> None:
    scene = fails(created(), "Infrastructure")
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]
    assert scene.names("Service") == ["digits-1-1", "digits-1-2"]
    assert scene.child("Job", "digits-1-2")["metadata"]["labels"]["lamplighter.dev/attempt"] == "2"


def test_the_next_attempt_writes_checkpoints_and_logs_to_folders_of_its_own() -> None:
    scene = fails(created(), "Infrastructure")
    (container,) = scene.child("Job", "digits-1-2")["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert environment["LAMPLIGHTER_CHECKPOINT_DIR"] == "/lamplighter/output/checkpoints/attempt-2"
    assert environment["LAMPLIGHTER_LOG_DIR"] == "/lamplighter/output/logs/attempt-2"
    assert environment["PET_MASTER_ADDR"] == "digits-1-2-0.digits-1-2.team.svc"


def test_a_restart_is_announced_with_its_cause() -> None:
    scene = running().having(pod(0).running().disrupted("DeletionByPodGC"))
    plan = scene.act()
    said = "attempt 1 ended with NodeLost: pod digits-1-1-0-x7k2p was removed because its Node is gone."
    assert [(event.type, event.reason, event.message) for event in plan.events] == [
        ("Warning", "Restarting", f"{said} Attempt 2 follows")
    ]
    assert scene.told("Ready")[2] == f"run 1, stage train, attempt 2: starts at {at()}; {said}"
    scene.act()
    assert scene.told("Ready")[2] == f"run 1, stage train, attempt 2: its Job was created; {said}"
    assert (scene.state, scene.told("Reconciling")[0], scene.told("Stalled")[0]) == ("Pending", "True", "False")


def test_a_preemption_is_no_warning() -> None:
    scene = running().having(pod(0).running().disrupted("PreemptionByScheduler"))
    assert [event.type for event in scene.act().events] == ["Normal"]


def test_the_status_counts_what_happened() -> None:
    scene = fails(fails(created(), "Infrastructure"), "Preempted")
    run = scene.run
    assert (run["attempt"], run["restarts"], run["failures"]) == (3, 1, {"Infrastructure": 1, "Preempted": 1})
    assert run["lastFailure"]["attempt"] == 2
    assert run["job"] == "digits-1-3"


def test_every_start_of_the_pods_is_an_execution_whatever_it_is_for() -> None:
    scene = running()
    assert scene.run["executions"] == 1
    scene.edit(suspend=True).settle()
    scene.having(job().suspended()).settle().edit(suspend=False).settle()
    runs(scene.after(60), since=60)
    assert (scene.run["executions"], scene.run["restarts"], scene.run["attempt"]) == (2, 0, 1)
    fails(scene, "Infrastructure", now=90)
    runs(scene, 2, since=90)
    assert (scene.run["executions"], scene.run["restarts"], scene.run["attempt"]) == (4, 1, 2)


def test_pods_that_end_before_their_job_tells_of_their_start_were_started_all_the_same() -> None:
    scene = created().having(*(pod(index).running() for index in (0, 1))).settle()
    scene.having(pod(0).failed(1, "ValueError: boom")).act()
    assert (scene.state, scene.run["executions"], scene.run["executedAt"]) == ("Failed", 1, at())


@pytest.mark.parametrize(("cause", "field"), FIELD.items())
def test_each_cause_has_its_budget(cause: str, field: str) -> None:
    scene = created(a_training("digits").nodes(2).may_fail(**{field: 2}, **AT_ONCE))
    for attempt in (1, 2):
        assert fails(scene, cause).run["attempt"] == attempt + 1
    fails(scene, cause)
    assert scene.state == "Failed"
    assert scene.run["failure"]["cause"] == cause
    assert f"{cause} ended 3 attempts; spec.failurePolicy.{field} is 2. " in scene.told("Ready")[2]
    assert scene.run["restarts"] == 2


@pytest.mark.parametrize(
    ("cause", "budget"), [("UserError", 0), ("OutOfMemory", 0), ("Hang", 3), ("Infrastructure", 20), ("Hardware", 20)]
)
def test_the_budgets_have_defaults(cause: str, budget: int) -> None:
    scene = created()
    scene.obj["status"]["run"]["failures"] = {cause: budget}
    assert fails(scene, cause).state == "Failed"
    if budget:
        scene = created()
        scene.obj["status"]["run"]["failures"] = {cause: budget - 1}
        assert fails(scene, cause).run["attempt"] == 2


@pytest.mark.parametrize(("cause", "other"), [("UserError", "OutOfMemory"), ("Infrastructure", "Hardware")])
def test_causes_with_the_same_limit_are_counted_apart(cause: str, other: str) -> None:
    scene = created(a_training("digits").nodes(2).may_fail(**{FIELD[cause]: 1}, **AT_ONCE))
    assert fails(fails(scene, cause), other).run["attempt"] == 3


def test_preemption_spends_nothing_however_often_it_comes() -> None:
    scene = created(a_training("digits").nodes(2).may_fail(maxRestarts=0, maxInfrastructureRestarts=0, **AT_ONCE))
    for attempt in range(1, 6):
        assert fails(scene, "Preempted").run["attempt"] == attempt + 1
    assert scene.run["restarts"] == 0


def test_a_budget_that_is_raised_counts_at_once() -> None:
    scene = running().edit(failurePolicy={"maxRestarts": 1})
    assert fails(scene, "UserError").run["attempt"] == 2
    assert scene.run["number"] == 1


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (
            "UserError",
            "Correct the script or its arguments; a changed spec or lamplighter.dev/retrain starts a new run",
        ),
        ("Hang", "raise spec.failurePolicy.hangTimeout if it was only slow"),
        ("Infrastructure", "request a new run with the annotation lamplighter.dev/retrain"),
        ("Hardware", "Repair the Nodes"),
    ],
)
def test_the_last_sentence_says_what_to_do(cause: str, advice: str) -> None:
    scene = created(a_training("digits").nodes(2).may_fail(**{FIELD[cause]: 0}))
    assert advice in fails(scene, cause).told("Ready")[2]
    assert "ended 1 attempts" not in scene.told("Ready")[2]


def test_the_first_failure_is_answered_at_once() -> None:
    scene = paused(1)
    assert scene.names("Job") == ["digits-1-1", "digits-1-2"]
    assert "notBefore" not in scene.run


@pytest.mark.parametrize(("failures", "pause"), [(2, 10), (3, 20), (4, 40), (5, 60), (6, 60)])
def test_each_further_failure_in_a_row_doubles_the_pause_up_to_the_longest(failures: int, pause: int) -> None:
    scene = paused(failures, max="1m")
    assert scene.waits() == pause
    assert (scene.run["failuresInARow"], scene.run["attempt"]) == (failures, failures + 1)
    assert f"digits-1-{failures + 1}" not in scene.names("Job")


def test_during_the_pause_the_state_says_so() -> None:
    scene = paused(2)
    assert (scene.state, scene.told("Reconciling")[:2]) == ("Restarting", ("True", "Restarting"))
    assert scene.run["notBefore"] == at(10)
    assert f"attempt 3: starts at {at(10)}; attempt 2 ended with NodeLost: " in scene.told("Ready")[2]


def test_the_job_is_made_when_the_pause_is_over_and_not_before() -> None:
    scene = paused(2).after(9)
    assert scene.waits() == 1
    scene.after(10).settle()
    assert scene.names("Job") == ["digits-1-1", "digits-1-2", "digits-1-3"]
    assert ("notBefore" not in scene.run, scene.run["attemptStartTime"]) == (True, at(10))


def test_an_attempt_that_ran_longer_than_the_longest_pause_begins_a_new_row() -> None:
    scene = fails(created(), "Infrastructure")
    runs(scene, 2)
    scene.after(601).having(pod(0, 2).running().disrupted("DeletionByPodGC")).settle()
    assert (scene.run["failuresInARow"], "notBefore" in scene.run) == (1, False)


@pytest.mark.parametrize("forever", ["99999999d", "99999999d" * 4])
def test_a_pause_may_be_as_long_as_the_api_lets_it(forever: str) -> None:
    scene = paused(2, initial=forever, max=forever)
    assert scene.waits() == 365 * 86400


def test_a_broken_node_is_avoided_by_every_further_attempt() -> None:
    scene = fails(fails(created(a_training("digits").nodes(2).may_fail(**AT_ONCE)), "Hardware"), "Infrastructure")
    assert scene.run["avoidedNodes"] == ["node-0"]
    affinity = scene.child("Job", "digits-1-3")["spec"]["template"]["spec"]["affinity"]
    assert affinity == {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-0"]}]}
                ]
            }
        }
    }


def test_only_broken_hardware_is_avoided() -> None:
    assert fails(created(), "Infrastructure").run["avoidedNodes"] == []


def test_the_packaging_avoids_what_broke_the_training() -> None:
    training = a_training("digits").packaged()
    scene = created(training)
    scene.obj["status"]["run"]["avoidedNodes"] = ["node-0"]
    scene.having(a_job(training.obj()).succeeded()).settle()
    spec = scene.child("Job", "digits-1-package-1")["spec"]["template"]["spec"]
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchFields"] == [{"key": "metadata.name", "operator": "NotIn", "values": ["node-0"]}]


def test_a_node_is_avoided_once_and_only_the_newest_are_remembered() -> None:
    scene = created()
    scene.obj["status"]["run"]["avoidedNodes"] = [f"old-{number}" for number in range(64)]
    fails(scene, "Hardware")
    assert scene.run["avoidedNodes"] == [*(f"old-{number}" for number in range(1, 64)), "node-0"]


def test_whom_the_scheduler_finds_no_node_for_is_told_which_are_avoided() -> None:
    scene = fails(created(), "Hardware")
    scene.having(*(pod(index).failed() for index in (0, 1)), pod(0, 2).unschedulable("no node")).settle()
    assert scene.told("Ready")[2].endswith("no node Nodes avoided because of broken hardware: node-0")


def test_the_next_run_starts_with_a_clean_sheet() -> None:
    scene = fails(created(), "Hardware")
    job_2 = job(2).started().succeeded()
    scene.having(job_2).settle().annotate(retrain="1").settle()
    run = scene.run
    assert (run["number"], run["restarts"], run["failures"], run["avoidedNodes"]) == (2, 0, {}, [])
    assert "lastFailure" not in run


def test_the_history_counts_restarts_and_executions() -> None:
    scene = runs(fails(created(), "Infrastructure"), 2)
    scene.having(job(2).started().succeeded()).settle()
    (record,) = scene.obj["status"]["history"]
    assert (record["state"], record["restarts"], record["executions"]) == ("Succeeded", 1, 2)


def test_a_package_stage_that_is_lost_is_packaged_again() -> None:
    training = a_training("digits").packaged()
    scene = created(training).having(a_job(training.obj()).succeeded()).settle()
    package = a_job(training.obj(), stage="package")
    scene.having(package.started().failing(since=-60)).settle()
    assert (scene.run["stage"], scene.run["attempt"]) == ("package", 2)
    assert scene.names("Job") == ["digits-1-1", "digits-1-package-1", "digits-1-package-2"]
    assert scene.state == "PackagePending"
