"""Train a small CNN on scikit-learn's 1,797 handwritten digits.

Under torchrun it trains with DistributedDataParallel on all processes; `python train.py` alone trains with one.
The results go to LAMPLIGHTER_OUTPUT_DIR (default ./output): model.pt (a state_dict), example.json (a request that the
served model must answer) and holdout.json (the 360 images that no training step has seen, with their labels).
Killed at any point, it goes on from its last checkpoint and ends with the same weights.
"""

import argparse
import json
import os
from pathlib import Path

import torch
import torch.distributed as dist
from model import DigitsNet
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from lamplighter_runtime import run

HELD_OUT = 360
SPLIT_SEED = 20


def split() -> tuple[list[int], list[int]]:
    """Return the indices of the training and the held-out images: stratified, the same on every machine."""
    labels = load_digits().target
    training, held_out = train_test_split(
        range(len(labels)), test_size=HELD_OUT, random_state=SPLIT_SEED, stratify=labels
    )
    return sorted(training), sorted(held_out)


def tensors(indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images, shape (n, 64), grey levels 0 to 16, and their labels, shape (n,)."""
    digits = load_digits()
    return torch.tensor(digits.data[indices], dtype=torch.float32), torch.tensor(digits.target[indices])


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the fraction of images whose digit the model names."""
    model.eval()
    with torch.no_grad():
        return (model(images).argmax(dim=1) == labels).double().mean().item()


def train(epochs: int, seed: int, batch: int, rate: float) -> nn.Module:
    """Train on every process of the group; all return the same weights."""
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    torch.manual_seed(seed)
    network = DigitsNet()
    model = DistributedDataParallel(network) if world > 1 else network
    dataset = TensorDataset(*tensors(split()[0]))
    # Each process sees its own share of each epoch; together they take `batch` images per step.
    sampler = DistributedSampler(dataset, num_replicas=world, rank=rank, seed=seed)
    loader = DataLoader(dataset, batch_size=max(1, batch // world), sampler=sampler)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    total = epochs * len(loader)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=total)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    if folder := run.resume():
        saved = torch.load(folder / "state.pt", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    begin, step = run.resume_step(), 0
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        model.train()
        for images, labels in loader:
            step += 1
            if step <= begin:  # this batch is in the checkpoint
                continue
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
            run.report(step, total, samples=len(images), loss=loss.item())
            if (stopping := run.should_stop()) or run.checkpoint_due():
                with run.checkpoint(step) as folder:
                    if rank == 0:
                        torch.save({name: part.state_dict() for name, part in parts.items()}, folder / "state.pt")
            if stopping:
                raise SystemExit(f"stopped at step {step} of {total}, all is saved")
        if rank == 0 and step > begin:
            print(f"epoch {epoch + 1}/{epochs}  loss {loss.item():.4f}", flush=True)
    return network


def save(model: nn.Module, folder: Path) -> None:
    """Write the weights, the example request and the held-out images; print the accuracy on these."""
    held_out = split()[1]
    images, labels = tensors(held_out)
    score = accuracy(model, images, labels)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), folder / "model.pt")
    (folder / "example.json").write_text(json.dumps({"instances": images[:1].tolist()}))
    record = {"indices": held_out, "instances": images.tolist(), "labels": labels.tolist(), "accuracy": score}
    (folder / "holdout.json").write_text(json.dumps(record))
    print(f"held-out accuracy {score:.4f} on {HELD_OUT} images; wrote {folder}/model.pt", flush=True)


def main() -> None:
    """Train with as many processes as torchrun started, one without it; the first process saves."""
    parser = argparse.ArgumentParser(description="Train a small CNN on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=32, help="images per step, over all processes")
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    arguments = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    distributed = "WORLD_SIZE" in os.environ
    if distributed:
        dist.init_process_group(run.backend())
    model = train(arguments.epochs, arguments.seed, arguments.batch_size, arguments.learning_rate)
    if not distributed or dist.get_rank() == 0:
        save(model, Path(os.environ.get("LAMPLIGHTER_OUTPUT_DIR", "output")))
    if distributed:
        dist.barrier()  # no process leaves, and ends the run, before the results are written
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
