"""A training that tells how far it is, saves its work, and needs nobody to listen."""

from tests.e2e import operators
from tests.e2e.gangs import GANG, running, train
from tests.e2e.world import PATIENCE, Obj, World
from tests.programs.demo.cluster import OPERATOR_NAMESPACE, kubectl
from tests.waiting import wait_until

STEPS, INTERVAL = 60, 5
SAVING = (
    GANG
    + f"""\
import torch.distributed as dist
dist.init_process_group(run.backend())
begin = run.resume_step()
print("begins at", begin, flush=True)
for step in range(begin + 1, {STEPS} + 1):
    time.sleep(0.5)
    run.report(step=step, total={STEPS}, samples=32, loss=1 / step)
    if step % {INTERVAL} == 0:
        with run.checkpoint(step) as folder:
            (folder / f"state-{{rank}}").write_text(str(step))
        if run.should_stop():
            sys.exit(0)
    if step == 40 and attempt == 1 and os.environ["LAMPLIGHTER_TRAINING"] == "steps":
        time.sleep(600)
dist.destroy_process_group()
"""
)


def test_progress_is_shown_and_survives_the_loss_of_a_pod(world: World) -> None:
    train(world, "steps", SAVING, checkpoint={"every": "2s", "keep": 2})
    pods = running(world, "steps")
    wait_until(
        "a checkpoint is told of", lambda: _progress(world, "steps").get("checkpointStep", 0) >= INTERVAL, PATIENCE
    )
    line = world.kubectl("get", "mt", "steps")
    assert f"/{STEPS}" in line
    told = _progress(world, "steps")
    assert float(told["samplesPerSecond"]) > 0
    assert told["eta"][-1] in "smh"
    assert float(told["metrics"]["loss"]) <= 1
    counted = f'lamplighter_training_steps_total{{name="steps",namespace="{world.namespace}"}}'
    wait_until("the leader counts its steps", lambda: counted in _metrics_of_the_leader(), PATIENCE)
    before = told["checkpointStep"]
    world.kubectl("delete", "pod", pods[1]["metadata"]["name"], "--wait=false")
    run = world.succeeded("steps")["run"]
    assert (run["attempt"], run["progress"]["steps"]) == (2, f"{STEPS}/{STEPS}")
    (second, *_) = world.all("pods", "lamplighter.dev/training=steps,lamplighter.dev/attempt=2")
    said = world.kubectl("logs", second["metadata"]["name"])
    begun = next(int(line.split()[-1]) for line in said.splitlines() if line.startswith("begins at"))
    assert begun >= before, "work that was saved is repeated"


def test_a_training_goes_on_unharmed_while_the_operator_is_away(world: World) -> None:
    train(world, "alone", SAVING)
    running(world, "alone")
    with operators.away():
        wait_until(
            "the training ends by itself",
            lambda: any(entry["type"] == "Complete" for entry in _conditions(world.get("job", "alone-1-1"))),
            PATIENCE,
        )
    run = world.succeeded("alone")["run"]
    assert run["progress"]["steps"] == f"{STEPS}/{STEPS}"
    assert (run["attempt"], run["restarts"]) == (1, 0)


def test_a_script_that_imports_nothing_of_ours_is_read_when_it_asks_for_it(world: World) -> None:
    script = "import time\nfor step in range(1, 31):\n    print(f'step={step} total=30 loss={3 / step}', flush=True)\n"
    train(world, "printing", script + "    time.sleep(0.7)\n", nodes=1, progress={"fromOutput": True})
    wait_until("its steps are shown", lambda: "/30" in _progress(world, "printing").get("steps", ""), PATIENCE)
    run = world.succeeded("printing")["run"]
    assert run["progress"]["steps"] == "30/30"
    assert run["progress"]["metrics"]["loss"] == "0.1"


def _progress(world: World, name: str) -> Obj:
    progress: Obj = world.get("modeltraining", name).get("status", {}).get("run", {}).get("progress", {})
    return progress


def _metrics_of_the_leader() -> str:
    """Its metrics about trainings; nothing while there is none, or a new one that does not answer yet."""
    leading = [pod for pod in operators.pods() if pod["metadata"]["labels"].get("lamplighter.dev/leader") == "true"]
    names = [pod["metadata"]["name"] for pod in leading]
    paths = [f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{name}:8080/proxy/metrics/trainings" for name in names]
    return "".join(kubectl("get", "--raw", path, check=False) for path in paths)


def _conditions(obj: Obj) -> list[Obj]:
    conditions: list[Obj] = obj.get("status", {}).get("conditions", [])
    return conditions
