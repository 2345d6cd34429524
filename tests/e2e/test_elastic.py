"""A gang that goes on when it loses a worker, grows and shrinks, and starts again when it loses the one all meet at."""

import json

from tests.e2e.gangs import GANG, running, train
from tests.e2e.world import PATIENCE, Obj, World
from tests.waiting import wait_until

STEPS, GATE = 40, 30
LOOP = (
    GANG
    + f"""\
beheaded = os.environ["LAMPLIGHTER_TRAINING"] == "beheaded"
enough = 10**6 if beheaded and attempt == 1 else {STEPS}
three = os.environ["LAMPLIGHTER_OUTPUT_DIR"] + "/three"
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
begin = run.resume_step()
print("begins at", begin, "of", {STEPS}, "with", run.world_size(), flush=True)
for step in range(begin + 1, enough + 1):
    while True:
        told = torch.tensor([1.0, float(os.path.exists(three))])
        dist.all_reduce(told)
        together, grown = told.tolist()
        if together == 3:
            open(three, "w").close()
        run.report(step=step, total={STEPS}, world=together)
        if step != {GATE} or beheaded or (grown and together == 2):
            break  # from the gate on only once it has been three and is two again
        time.sleep(0.5)
    if step % 5 == 0:
        with run.checkpoint(step) as folder:
            (folder / f"state-{{rank}}").write_text(str(step))
    time.sleep(0.5)
dist.barrier()
dist.destroy_process_group()
"""
)


def test_an_elastic_gang_outlives_a_worker_grows_and_shrinks(world: World) -> None:
    train(world, "rubber", LOOP, nodes=2, elastic={"minNodes": 1, "maxNodes": 3})
    pods = running(world, "rubber")
    world.kubectl("delete", "pod", pods[1]["metadata"]["name"], "--wait=false")
    wait_until(
        "another worker takes its place", lambda: _workers(world, "rubber") - {pods[1]["metadata"]["uid"]}, PATIENCE
    )
    world.kubectl("patch", "mt", "rubber", "--type=merge", "-p", json.dumps({"spec": {"nodes": 3}}))
    wait_until("three work", lambda: _world(world, "rubber") == 3, PATIENCE)
    world.kubectl("patch", "mt", "rubber", "--type=merge", "-p", json.dumps({"spec": {"nodes": 2}}))
    run = world.succeeded("rubber")["run"]
    assert run["number"] == 1
    assert (run["attempt"], run["restarts"]) == (1, 0)
    assert run["progress"]["steps"] == f"{STEPS}/{STEPS}"


def test_an_elastic_gang_without_its_first_worker_starts_again_from_its_checkpoint(world: World, nodes: None) -> None:
    train(world, "beheaded", LOOP, nodes=2, elastic={"minNodes": 1, "maxNodes": 2})
    running(world, "beheaded")
    wait_until("a checkpoint is there", lambda: _progress(world, "beheaded").get("checkpointStep", 0) > 5, PATIENCE)
    first = next(pod for pod in running(world, "beheaded") if "-1-1-0-" in pod["metadata"]["name"])
    world.kubectl("delete", "pod", first["metadata"]["name"], "--wait=false")
    run = world.succeeded("beheaded")["run"]
    assert (run["attempt"], run["restarts"]) == (2, 1)
    assert run["lastFailure"]["cause"] == "Infrastructure"


def _workers(world: World, name: str) -> set[str]:
    pods = world.all("pods", f"lamplighter.dev/training={name},batch.kubernetes.io/job-completion-index=1")
    return {pod["metadata"]["uid"] for pod in pods if pod["status"]["phase"] == "Running"}


def _progress(world: World, name: str) -> Obj:
    progress: Obj = world.get("modeltraining", name).get("status", {}).get("run", {}).get("progress", {})
    return progress


def _world(world: World, name: str) -> float:
    return float(_progress(world, name).get("metrics", {}).get("world", 0))
