"""Trains until it is stopped, saving every few steps. usage: elastic.py"""

import time

import torch
import torch.distributed as dist

from lamplighter_runtime import run

dist.init_process_group(run.backend())
step = run.resume_step()
print(f"from {step} with {run.world_size()}", flush=True)
while not run.should_stop():
    step += 1
    dist.all_reduce(torch.ones(1))
    time.sleep(0.05)
    if step % 10 == 0:
        with run.checkpoint(step) as folder:
            if run.rank() == 0:
                (folder / "state").write_text(str(step))
        if run.rank() == 0:
            print(f"saved {step}", flush=True)
