"""A training through suspension, a killed operator, a second run, and deletion."""

from tests.e2e import operators
from tests.e2e.world import PATIENCE, World
from tests.waiting import wait_until

SLOW = "import time\nfor step in range(30):\n    print('step', step, flush=True)\n    time.sleep(1)\n"


def test_a_suspended_training_keeps_its_job_without_pods_and_resumes(world: World) -> None:
    world.source("slow", train=SLOW)
    world.train("sleeper", source="slow", suspend=True)
    world.ready("modeltraining", "sleeper", "Suspended")
    assert world.get("job", "sleeper-1-1")["spec"]["suspend"] is True
    assert not world.all("pods", "lamplighter.dev/training=sleeper")
    world.kubectl("patch", "mt", "sleeper", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    world.ready("modeltraining", "sleeper", "Running")
    world.kubectl("patch", "mt", "sleeper", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    world.ready("modeltraining", "sleeper", "Suspended")
    wait_until("no pod is left", lambda: not world.all("pods", "lamplighter.dev/training=sleeper"), PATIENCE)
    world.kubectl("patch", "mt", "sleeper", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    status = world.succeeded("sleeper")
    assert status["run"]["number"] == 1
    assert len(world.all("jobs", "lamplighter.dev/training=sleeper")) == 1


def test_sigkill_of_both_operators_changes_nothing_but_time(world: World) -> None:
    world.source("slow", train=SLOW)
    world.train("steadfast", source="slow", nodes=2)
    world.ready("modeltraining", "steadfast", "Running")
    before = world.get("job", "steadfast-1-1")["metadata"]["uid"]
    with operators.left_alone():
        operators.up()
        restarts = operators.restarts()
        killed = operators.sigkill(operators.pods())
        assert killed == 2
        wait_until("the operators were restarted", lambda: operators.restarts() >= restarts + killed, PATIENCE)
    world.succeeded("steadfast")
    assert world.get("job", "steadfast-1-1")["metadata"]["uid"] == before
    assert len(world.all("jobs", "lamplighter.dev/training=steadfast")) == 1


def test_a_new_run_is_asked_for_by_annotation_and_only_once(world: World) -> None:
    world.source("quick", train="print('done')\n")
    world.train("again", source="quick")
    world.succeeded("again")
    world.kubectl("annotate", "mt", "again", "lamplighter.dev/retrain=please")
    status = world.succeeded("again", run=2)
    assert status["lastHandled"]["retrain"] == "please"
    assert [entry["run"] for entry in status["history"]] == [1, 2]
    assert len(world.all("jobs", "lamplighter.dev/training=again")) == 2


def test_an_edited_spec_runs_again_with_the_source_of_its_own_run(world: World) -> None:
    world.source("edited", train="print('first')\n")
    world.train("edited", source="edited")
    world.succeeded("edited")
    world.source("edited", train="print('second')\n")
    world.train("edited", source="edited", args=["--twice"])
    world.succeeded("edited", run=2)
    copies = {name: world.get("configmap", name) for name in ("edited-1", "edited-2")}
    assert "first" in copies["edited-1"]["data"]["train.py"]
    assert "second" in copies["edited-2"]["data"]["train.py"]
    assert all(copy["immutable"] for copy in copies.values())


def test_a_pod_with_gpus_runs_one_process_for_each(world: World) -> None:
    world.source("counting", train="import os\nassert os.environ['WORLD_SIZE'] == '2', os.environ['WORLD_SIZE']\n")
    world.train("wide", source="counting", resources={"limits": {"nvidia.com/gpu": 2}})
    world.succeeded("wide")


def test_deleting_a_training_removes_all_but_the_volume_with_its_models(world: World) -> None:
    world.source("quick", train="print('done')\n")
    world.train("mayfly", source="quick")
    world.succeeded("mayfly")
    world.kubectl("delete", "mt", "mayfly")
    everything = "jobs,pods,services,configmaps,controllerrevisions"
    wait_until("its children are gone", lambda: not world.all(everything, "lamplighter.dev/training=mayfly"), PATIENCE)
    assert world.get("pvc", "mayfly-models")["status"]["phase"] == "Bound"
