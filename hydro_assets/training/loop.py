"""The torch loop: windows are gathered from views, the best validation weights are kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hydro_assets.settings import RecurrentConfig

VALIDATION_BATCH = 4096
WINDOWS_PER_THREAD = 128
Inputs = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Batches:
    """What a batch is made of: `inputs(index)` gives the model's arguments, `goal` is [N, H] with NaN where unknown."""

    inputs: Inputs
    goal: Tensor
    train: Tensor
    validation: Tensor


def masked_smooth_l1(output: Tensor, goal: Tensor) -> Tensor:
    """Mean over known goals of the smooth L1 loss (quadratic within half a unit): outliers pull, but do not rule."""
    known = ~torch.isnan(goal)
    loss = nn.functional.smooth_l1_loss(output[known], goal[known], beta=0.5, reduction="sum")
    return loss / known.sum().clamp(min=1)


def fit(
    model: nn.Module, batches: Batches, config: RecurrentConfig, seed: int, report: Callable[[str], None]
) -> list[dict[str, float]]:
    """Train `model` in place and leave the weights of the best validation epoch in it.

    Returns one entry per epoch: epoch, train_loss, validation_loss, seconds. Equal seeds give equal results on one
    machine with one thread setting.
    """
    with cpu_threads(config.batch_size):
        return _fit(model, batches, config, seed, report)


def _fit(
    model: nn.Module, batches: Batches, config: RecurrentConfig, seed: int, report: Callable[[str], None]
) -> list[dict[str, float]]:
    device = batches.goal.device
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    best_loss, best_weights, best_epoch = _loss_of(model, batches, batches.validation), _weights(model), 0
    history: list[dict[str, float]] = []
    started = time.monotonic()
    for epoch in range(1, config.epochs + 1):
        order = batches.train[torch.randperm(batches.train.numel(), generator=draw)]
        order = order[: config.max_windows_per_epoch].to(device)
        train_loss = _train_epoch(model, batches, order, optimizer, config.batch_size)
        validation_loss = _loss_of(model, batches, batches.validation)
        seconds = time.monotonic() - started
        history.append(
            {"epoch": epoch, "train_loss": train_loss, "validation_loss": validation_loss, "seconds": seconds}
        )
        report(
            f"epoch {epoch}/{config.epochs}: train loss {train_loss:.4f}, validation loss {validation_loss:.4f}, "
            f"at most {seconds / epoch * (config.epochs - epoch):.0f} s left"
        )
        if validation_loss < best_loss:
            best_loss, best_weights, best_epoch = validation_loss, _weights(model), epoch
        if epoch - best_epoch >= config.patience:
            break
    model.load_state_dict(best_weights)
    return history


@contextmanager
def cpu_threads(batch_size: int) -> Iterator[None]:
    """One thread per `WINDOWS_PER_THREAD` windows of a batch, and never more than torch was allowed.

    A step of a small batch is shorter than the meeting of two threads: at batch 32 one thread alone is faster, and on a
    busy machine ten times so, because waiting threads spin.
    """
    allowed = torch.get_num_threads()
    torch.set_num_threads(max(1, min(allowed, batch_size // WINDOWS_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(allowed)


def _train_epoch(
    model: nn.Module, batches: Batches, order: Tensor, optimizer: torch.optim.Optimizer, batch_size: int
) -> float:
    model.train()
    total = torch.zeros((), device=order.device)
    for index in order.split(batch_size):
        optimizer.zero_grad(set_to_none=True)
        with mixed_precision(order.device):
            output = model(*batches.inputs(index))
        loss = masked_smooth_l1(output.float(), batches.goal[index])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.detach() * index.numel()
    return float(total) / order.numel()


def _loss_of(model: nn.Module, batches: Batches, rows: Tensor) -> float:
    output = predict(model, batches.inputs, rows.to(batches.goal.device))
    return float(masked_smooth_l1(output, batches.goal[rows.to(batches.goal.device)]))


def predict(model: nn.Module, inputs: Inputs, rows: Tensor) -> Tensor:
    """[N, H] float32 output of `model` for `rows`, in evaluation mode."""
    model.eval()
    with torch.inference_mode():
        parts = []
        for index in rows.split(VALIDATION_BATCH):
            with mixed_precision(rows.device):
                parts.append(model(*inputs(index)).float())
        return torch.cat(parts)


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU; plain float32 on a CPU, where results are kept equal across machines."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())
