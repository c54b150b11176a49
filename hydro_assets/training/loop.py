"""The torch loop: windows are gathered from views, the best validation weights are kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hydro_assets.forecasting.recurrent import Inputs, forward, mixed_precision
from hydro_assets.setting_groups import RecurrentConfig

_WINDOWS_PER_THREAD = 256  # fewer are done before a second thread has begun


@dataclass(frozen=True)
class Batches:
    """What a batch is made of.

    Attributes:
        inputs: positions -> the model's arguments, one row each.
        goal: [N, O], NaN where unknown.
        train: positions to learn from; validation: positions that choose the best epoch.
    """

    inputs: Inputs
    goal: Tensor
    train: np.ndarray
    validation: np.ndarray


def masked_smooth_l1(output: Tensor, goal: Tensor) -> Tensor:
    """Mean over known goals of the smooth L1 loss (quadratic within half a unit): outliers pull, but do not rule."""
    known = ~torch.isnan(goal)
    total = nn.functional.smooth_l1_loss(output[known], goal[known], beta=0.5, reduction="sum")
    return total / known.sum().clamp(min=1)


def fit(
    model: nn.Module, batches: Batches, config: RecurrentConfig, seed: int, report: Callable[[str], None]
) -> tuple[list[dict[str, float]], int]:
    """Train `model` in place and leave the weights of the best validation epoch in it: (history, best epoch).

    The history has one entry per epoch: epoch, train_loss, validation_loss, seconds. Equal seeds give equal results on
    one machine with one thread setting.
    """
    history: list[dict[str, float]] = []
    best_loss, best_weights, best_epoch = _loss_of(model, batches), _weights(model), 0
    started = time.monotonic()
    for epoch, train_loss in enumerate(_epochs(model, batches, config, seed, config.epochs), start=1):
        validation_loss = _loss_of(model, batches)
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
    return history, best_epoch


def go_on(model: nn.Module, batches: Batches, config: RecurrentConfig, seed: int, epochs: int) -> None:
    """Train `model` in place for `epochs` more, without a validation."""
    for _ in _epochs(model, batches, config, seed, epochs):
        pass


def _epochs(model: nn.Module, batches: Batches, config: RecurrentConfig, seed: int, epochs: int) -> Iterator[float]:
    """Train, epoch after epoch, and give the mean loss of each."""
    device = batches.goal.device
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    train = torch.from_numpy(batches.train)
    for _ in range(epochs):
        order = train[torch.randperm(train.numel(), generator=draw)][: config.max_windows_per_epoch].to(device)
        total = torch.zeros((), device=device)
        model.train()
        with threads(config.batch_size // _WINDOWS_PER_THREAD):
            for index in order.split(config.batch_size):
                with mixed_precision(device):
                    output = model(*batches.inputs(index))
                loss = masked_smooth_l1(output.float(), batches.goal[index])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                total += loss.detach() * index.numel()
        yield float(total) / max(order.numel(), 1)


@contextmanager
def threads(most: int) -> Iterator[None]:
    """At most `most` threads of torch, one at least.

    Two threads inside each small operation meet hundreds of times a batch, and on a busy machine each meeting waits for
    a turn on a core.
    """
    allowed = torch.get_num_threads()
    torch.set_num_threads(max(1, min(allowed, most)))
    try:
        yield
    finally:
        torch.set_num_threads(allowed)


def _loss_of(model: nn.Module, batches: Batches) -> float:
    rows = torch.from_numpy(batches.validation).to(batches.goal.device)
    return float(masked_smooth_l1(forward(model, batches.inputs, rows), batches.goal[rows]))


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())
