"""Each way in which a training can go wrong ends in a condition that names the cause, the place and what to do."""

from tests.e2e.world import PATIENCE, World
from tests.waiting import wait_until


def test_a_script_that_raises_is_a_user_error_with_its_last_line(world: World) -> None:
    world.source("boom", train="print('step 1')\nraise ValueError('the learning rate is a pear: ünïcode')\n")
    world.train("boom", source="boom", nodes=2)
    found = world.ready("modeltraining", "boom", "UserError", status="False")
    assert "ValueError: the learning rate is a pear: ünïcode" in found["message"]
    assert "exit code 1" in found["message"]
    failure = world.get("modeltraining", "boom")["status"]["run"]["failure"]
    assert failure["exitCode"] == 1
    assert failure["pod"].startswith("boom-1-1-")
    assert failure["node"]


def test_too_little_memory_is_told_as_such(world: World) -> None:
    world.source("greedy", train="x = bytearray(2 * 1024**3)\nprint(len(x))\n")
    world.train("greedy", source="greedy", resources={"limits": {"memory": "300Mi"}})
    found = world.ready("modeltraining", "greedy", "OOMKilled", status="False")
    assert "Raise the memory limit" in found["message"]


def test_a_wrong_image_stalls_the_training_and_a_right_one_would_go_on(world: World) -> None:
    world.train("pictureless", image="registry.invalid/nothing/here:1")
    found = world.ready("modeltraining", "pictureless", "ImagePullFailed", status="False")
    assert "registry.invalid/nothing/here:1" in found["message"]


def test_a_pod_that_fits_nowhere_is_unschedulable(world: World) -> None:
    world.train("giant", resources={"requests": {"cpu": "4000"}})
    found = world.ready("modeltraining", "giant", "Unschedulable", status="False")
    assert "Insufficient cpu" in found["message"]


def test_a_missing_source_is_named_and_the_training_starts_when_it_comes(world: World) -> None:
    world.train("later", source="later-code")
    found = world.ready("modeltraining", "later", "SourceNotFound", status="False")
    assert "there is no ConfigMap later-code" in found["message"]
    world.source("later-code", train="print('here at last')\n")
    world.succeeded("later")


def test_an_entrypoint_that_is_not_in_the_source_is_named(world: World) -> None:
    world.train("typo", entrypoint="trian.py")
    found = world.ready("modeltraining", "typo", "EntrypointNotFound", status="False")
    assert "trian.py is not in ConfigMap digits-code" in found["message"]
    assert "train.py" in found["message"]


def test_a_template_that_the_api_server_refuses_is_told_and_can_be_mended(world: World) -> None:
    world.source("quick", train="print('done')\n")
    world.train("bent", source="quick", template={"spec": {"volumes": [{"name": "UPPER", "emptyDir": {}}]}})
    found = world.ready("modeltraining", "bent", "Refused", status="False")
    assert "UPPER" in found["message"]
    world.train("bent", source="quick")
    world.ready("modeltraining", "bent", "Succeeded", status="True")


def test_a_missing_handler_fails_the_packaging_with_the_field(world: World) -> None:
    world.source(
        "handless", train="import os\nopen(os.environ['LAMPLIGHTER_OUTPUT_DIR'] + '/model.pt', 'w').write('x')\n"
    )
    world.train("handless", source="handless", package={"handler": "handler.py"})
    found = world.ready("modeltraining", "handless", "PackagingFailed", status="False")
    assert "spec.package.handler" in found["message"]


def test_describe_tells_why_a_run_failed(world: World) -> None:
    world.source("exit7", train="import sys\nsys.exit(7)\n")
    world.train("exit7", source="exit7")
    world.ready("modeltraining", "exit7", "UserError", status="False")
    described = wait_until(
        "an Event tells of the failure",
        lambda: "RunFailed" in (text := world.kubectl("describe", "mt", "exit7")) and text,
        PATIENCE,
    )
    assert "exit code 7" in described
    assert "Failed" in world.kubectl("get", "mt", "exit7")
