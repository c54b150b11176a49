"""The torch loop: windows are gathered from views, the best validation weights are kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from hydro_assets.settings import RecurrentConfig

PREDICTION_BATCH = 1024
T = TypeVar("T")
Inputs = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Batches:
    """What a batch is made of.

    Attributes:
        inputs: positions -> the model's arguments, one row each.
        goal: [N, H], NaN where unknown.
        train: positions to learn from; validation: positions that choose the best epoch.
        noise: batch size -> a last argument of the model in training, one row a window, drawn anew for each batch.
        windows_per_thread: share a batch among threads only if each gets this many windows.
    """

    inputs: Inputs
    goal: Tensor
    train: Tensor
    validation: Tensor
    noise: Callable[[int], Tensor] | None = None
    windows_per_thread: int = 128


def masked_smooth_l1(output: Tensor, goal: Tensor) -> Tensor:
    """Mean over known goals of the smooth L1 loss (quadratic within half a unit): outliers pull, but do not rule."""
    return _loss_sum(output, goal) / _known(goal)


def _loss_sum(output: Tensor, goal: Tensor) -> Tensor:
    known = ~torch.isnan(goal)
    return nn.functional.smooth_l1_loss(output[known], goal[known], beta=0.5, reduction="sum")


def _known(goal: Tensor) -> Tensor:
    return (~torch.isnan(goal)).sum().clamp(min=1)


def fit(
    model: nn.Module, batches: Batches, config: RecurrentConfig, seed: int, report: Callable[[str], None]
) -> list[dict[str, float]]:
    """Train `model` in place and leave the weights of the best validation epoch in it.

    Returns one entry per epoch: epoch, train_loss, validation_loss, seconds. Equal seeds give equal results on one
    machine with one thread setting.
    """
    count = 1 if batches.goal.is_cuda else min(torch.get_num_threads(), config.batch_size // batches.windows_per_thread)
    with Threads.of(count) as threads:
        return _fit(model, batches, config, seed, report, threads)


def _fit(
    model: nn.Module,
    batches: Batches,
    config: RecurrentConfig,
    seed: int,
    report: Callable[[str], None],
    threads: Threads,
) -> list[dict[str, float]]:
    device = batches.goal.device
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    best_loss, best_weights, best_epoch = _loss_of(model, batches, threads), _weights(model), 0
    history: list[dict[str, float]] = []
    started = time.monotonic()
    for epoch in range(1, config.epochs + 1):
        order = batches.train[torch.randperm(batches.train.numel(), generator=draw)]
        order = order[: config.max_windows_per_epoch].to(device)
        train_loss = _train_epoch(model, batches, order, optimizer, config.batch_size, threads)
        validation_loss = _loss_of(model, batches, threads)
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


@dataclass(frozen=True)
class Threads:
    """Threads of this process that share each batch; every one computes its part alone.

    Two threads inside each small operation meet hundreds of times a batch, and on a busy machine each meeting waits for
    a turn on a core (measured: 200 times slower). Two halves of a batch meet once.
    """

    count: int
    others: ThreadPoolExecutor

    @classmethod
    @contextmanager
    def of(cls, count: int) -> Iterator[Self]:
        allowed, count = torch.get_num_threads(), max(count, 1)
        torch.set_num_threads(1)
        try:  # an executor starts no thread before it has work
            with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as others:
                yield cls(count, others)
        finally:
            torch.set_num_threads(allowed)

    def map(self, function: Callable[..., T], *columns: Sequence[Tensor]) -> list[T]:
        """`function` of each part, in their order, for at most `count` parts; this thread does the first one."""
        first, *parts = zip(*columns, strict=True)
        running = [self.others.submit(function, *part) for part in parts]
        return [function(*first), *(future.result() for future in running)]


def _train_epoch(
    model: nn.Module,
    batches: Batches,
    order: Tensor,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    threads: Threads,
) -> float:
    model.train()
    weights = list(model.parameters())
    total = torch.zeros((), device=order.device)

    def part_of_batch(known: Tensor, goal: Tensor, *inputs: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        with mixed_precision(order.device):
            output = model(*inputs)
        loss = _loss_sum(output.float(), goal) / known
        return loss.detach(), torch.autograd.grad(loss, weights)

    for index in order.split(batch_size):
        goal = batches.goal[index]
        # All inputs are gathered here: threads that run Python at the same time wait for each other at every call.
        inputs = batches.inputs(index) + (() if batches.noise is None else (batches.noise(index.numel()),))
        parts = [goal.chunk(threads.count), *(values.chunk(threads.count) for values in inputs)]
        results = threads.map(part_of_batch, [_known(goal)] * len(parts[0]), *parts)
        for weight, *gradients in zip(weights, *(g for _, g in results), strict=True):
            weight.grad = sum(gradients[1:], gradients[0])
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        total += sum(loss for loss, _ in results) * index.numel()
    return float(total) / order.numel()


def _loss_of(model: nn.Module, batches: Batches, threads: Threads) -> float:
    rows = batches.validation.to(batches.goal.device)
    return float(masked_smooth_l1(_predict(model, batches.inputs, rows, threads), batches.goal[rows]))


def predict(model: nn.Module, inputs: Inputs, rows: Tensor) -> Tensor:
    """[N, H] float32 output of `model` for `rows`, in evaluation mode, on as many cores as torch may use."""
    with Threads.of(1 if rows.is_cuda else torch.get_num_threads()) as threads:
        return _predict(model, inputs, rows, threads)


def _predict(model: nn.Module, inputs: Inputs, rows: Tensor, threads: Threads) -> Tensor:
    model.eval()

    @torch.inference_mode()  # each thread has a mode of its own
    def part(rows: Tensor) -> Tensor:
        with mixed_precision(rows.device):
            return torch.cat([model(*inputs(index)).float() for index in rows.split(PREDICTION_BATCH)])

    with torch.inference_mode():
        return torch.cat(threads.map(part, rows.chunk(threads.count)))


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU; plain float32 on a CPU, where results are kept equal across machines."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())
