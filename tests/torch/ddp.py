"""A small training with DistributedDataParallel whose every step depends on all before it.

usage: ddp.py <steps> <steps between checkpoints> plain|dcp. Prints `step <n>` as it goes and a digest of the weights.
"""

import gc
import hashlib
import os
import sys
import time
import weakref
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lamplighter_runtime import run

STEPS, EVERY, SHARDED = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "dcp"
GATE = int(os.environ.get("TEST_GATE", "0"))  # the step that is not left until somebody stops the training

if SHARDED:
    import torch.distributed.checkpoint as dcp

dist.init_process_group(run.backend())
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
model = DistributedDataParallel(network)
# Momentum by hand: importing PyTorch's optimizers takes longer than this training.
momentum = {name: torch.zeros_like(weight) for name, weight in network.named_parameters()}
# A tensor of each rank's own makes all of them write their part of a sharded checkpoint.
state = {"network": network.state_dict(), "momentum": momentum, f"rank-{run.rank()}": torch.zeros(1)}


def save(step: int) -> None:
    with run.checkpoint(step) as folder:
        if SHARDED:
            dcp.save(state, checkpoint_id=folder)
        elif run.rank() == 0:
            torch.save(state, folder / "state.pt")


def load(folder: Path) -> None:
    if SHARDED:
        dcp.load(state, checkpoint_id=folder)  # into the tensors
        return
    saved = torch.load(folder / "state.pt", weights_only=True)
    network.load_state_dict(saved["network"])
    momentum.update(saved["momentum"])


@torch.no_grad()
def learn() -> None:
    for name, weight in network.named_parameters():
        momentum[name].mul_(0.9).add_(weight.grad)
        weight.sub_(momentum[name], alpha=0.01)


def batch(step: int) -> torch.Tensor:
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(1000 * step + run.rank()))


if folder := run.resume():
    load(folder)
print(f"from {run.resume_step()}", flush=True)
for step in range(run.resume_step() + 1, STEPS + 1):
    loss = model(batch(step)).square().mean()
    model.zero_grad()
    loss.backward()
    learn()
    run.report(step, STEPS, samples=4, loss=loss.detach())
    if run.rank() == 0:
        print(f"step {step}", flush=True)
    time.sleep(0.03)
    stopping = run.should_stop()
    while step == GATE and not stopping:
        time.sleep(0.03)
        stopping = run.should_stop()
    if stopping or step % EVERY == 0:
        save(step)
    if stopping:
        break
else:
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in network.state_dict().values()))
    print(f"weights {digest.hexdigest()}", flush=True)
dist.barrier()
others = [weakref.ref(group) for group in dist.distributed_c10d._world.pg_map if group is not dist.group.WORLD]
dist.destroy_process_group()
gc.collect()
print(f"groups left {sum(group() is not None for group in others)} of {len(others)}", flush=True)
