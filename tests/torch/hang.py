"""Two ranks get on for a while; then rank 1 waits for ever, and rank 0 waits for it."""

import threading

import torch
import torch.distributed as dist

from lamplighter_runtime import run

dist.init_process_group(run.backend())
for step in range(5):
    run.report(step)
    dist.all_reduce(torch.ones(1))


def wait_for_data() -> None:
    threading.Event().wait()


if run.rank() == 1:
    wait_for_data()
dist.all_reduce(torch.ones(1))
