"""LSTM and GRU as learners: one class, `cell` chooses; all targets and horizons in one pass.

Shapes: `B` batch, `T` steps, `F` inputs, `C` context features of the origin, `K` targets, `H` horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.grid import TimeGrid, by_chunks
from hydro_assets.forecasting.last_state import last_state
from hydro_assets.forecasting.learner import Learner, Task
from hydro_assets.forecasting.scaling import InputScaler, TargetScaler
from hydro_assets.forecasting.sequences import Sequences
from hydro_assets.forecasting.target_features import target_feature_names, target_features

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
BATCH = 1024  # windows of one forward pass outside training
LEAST_BATCH = 16  # the matrix product of fewer adds up in another order, and a row would depend on how many there are
_EMBEDDING = 4

Inputs = Callable[[Tensor], tuple[Tensor, ...]]
"""Positions -> the network's arguments, one row each."""


class RecurrentNetwork(nn.Module):
    """Recurrent encoder with a fully connected head that also sees the recent values of the targets and the system."""

    def __init__(
        self, cell: str, inputs: int, context: int, systems: int, outputs: int, hidden: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        dropout = dropout if layers > 1 else 0.0
        self.cell = CELLS[cell](3 * inputs, hidden, layers, batch_first=True, dropout=dropout)
        self.system = nn.Embedding(systems + 1, _EMBEDDING)  # 0 is a system that training did not see
        last = nn.Linear(hidden, outputs)
        self.head = nn.Sequential(nn.Linear(hidden + context + _EMBEDDING, hidden), nn.ReLU(), last)
        nn.init.zeros_(last.weight)  # the first forecast is the base forecast itself
        nn.init.zeros_(last.bias)

    def forward(self, sequence: Tensor, context: Tensor, system: Tensor) -> Tensor:
        if self.training or torch.is_grad_enabled() or sequence.is_cuda:
            state = self.cell(sequence)[0][:, -1]  # [B, T, 3F] -> [B, hidden]
        else:
            state = last_state(self.cell, sequence)
        state = torch.cat([state, context, self.system(system)], dim=1)  # -> [B, hidden + C + embedding]
        return self.head(state)  # -> [B, K * H]


class RecurrentLearner(Learner):
    """Predicts each target's scaled change from its base forecast with a recurrent network.

    Attributes:
        sizes: hidden_size, num_layers and dropout of the network.
        systems: known systems; their position (from 1) is their number in the network.
        scaler: of the sequences; gain: [F] brings changes inside a window to unit size.
        context: scaler of the origin's context features.
        scale: unit of the learned changes, [K, H] per system.
    """

    def __init__(
        self,
        cell: str,
        task: Task,
        sizes: dict[str, Any],
        systems: Sequence[str],
        scaler: InputScaler,
        gain: np.ndarray,
        context: InputScaler,
        scale: TargetScaler,
    ) -> None:
        self.kind = cell  # type: ignore[misc]
        self.task, self.sizes, self.systems = task, sizes, tuple(systems)
        self.scaler, self.gain, self.context, self.scale = scaler, gain, context, scale
        self.network = RecurrentNetwork(
            cell,
            len(scaler.names),
            len(context.names),
            len(self.systems),
            len(task.targets) * len(task.horizons),
            sizes["hidden_size"],
            sizes["num_layers"],
            sizes["dropout"],
        )

    def predict(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
        if rows.size == 0:
            return np.empty((0, len(self.task.targets), len(self.task.horizons)))
        inputs = self.inputs(grid, rows, base, torch.device("cpu"))
        scaled = forward(self.network, inputs, torch.arange(rows.size)).numpy().astype(float)  # [n, K * H]
        return base + scaled.reshape(base.shape) * self.scale.of(grid.systems[rows])

    def inputs(self, grid: TimeGrid, rows: np.ndarray, base: np.ndarray, device: torch.device) -> Inputs:
        """A function from positions in `rows` to the network's arguments; `base`: [n, K, H]."""
        sequences = Sequences.of(grid, rows, self.scaler, self.gain, self.task.sequence_length, device)
        systems = grid.systems[rows]
        scaled = self.context.transform(context_features(grid, self.task, rows, base), systems)
        context = torch.from_numpy(np.nan_to_num(scaled)).to(device)
        number = {s: i for i, s in enumerate(self.systems, start=1)}
        system = torch.tensor([number.get(str(s), 0) for s in systems], device=device)
        return lambda at: (sequences.batch(at), context[at], system[at])

    def save(self, folder: Path) -> dict[str, Any]:
        torch.save(self.network.state_dict(), folder / "weights.pt")
        return {
            "cell": self.kind,
            "sizes": self.sizes,
            "systems": list(self.systems),
            "scaler": self.scaler.to_json(),
            "gain": self.gain.tolist(),
            "context": self.context.to_json(),
            "scale": self.scale.to_json(),
        }

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        self = cls(
            state["cell"],
            task,
            state["sizes"],
            state["systems"],
            InputScaler.from_json(state["scaler"]),
            np.array(state["gain"], np.float32),
            InputScaler.from_json(state["context"]),
            TargetScaler.from_json(state["scale"]),
        )
        try:
            weights = torch.load(folder / "weights.pt", weights_only=True, map_location="cpu")
            self.network.load_state_dict(weights)
        except (OSError, RuntimeError, EOFError, KeyError, ValueError) as exc:
            raise ModelUnavailableError(
                f"weights.pt in {folder} cannot be read as weights of a {self.kind} ({type(exc).__name__})",
                "Register the model again, or serve another version",
            ) from exc
        self.network.eval()
        return self

    def describe_inputs(self) -> Sequence[str]:
        return list(self.scaler.names)


def context_features(grid: TimeGrid, task: Task, rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    """[n, C] recent values of each target and what its base forecast makes of them, in its unit; `base`: [n, K, H]."""

    def features(at: np.ndarray) -> np.ndarray:
        parts = []
        for k, target in enumerate(task.targets):
            both = target_features(grid, task, target, rows[at])
            parts += [both[:, 1:], base[at, k] - both[:, :1]]
        return np.concatenate(parts, axis=1)

    return by_chunks(features, np.arange(rows.size), len(context_names(grid, task)))


def context_names(grid: TimeGrid, task: Task) -> list[str]:
    """[C] names of `context_features`."""
    return [
        name
        for target in task.targets
        for name in (
            *target_feature_names(task, target, grid.step),
            *(f"{target}_base_change_{h}_steps" for h in task.horizons),
        )
    ]


def forward(network: nn.Module, inputs: Inputs, rows: Tensor) -> Tensor:
    """[n, ..] float32 output of `network` for `rows`, in evaluation mode, on as many cores as torch may use.

    Each core computes its part alone: two threads inside each small operation meet hundreds of times a batch, and on a
    busy machine each meeting waits for a turn on a core.
    """
    network.eval()
    count = 1 if rows.is_cuda else torch.get_num_threads()

    @torch.inference_mode()  # each thread has a mode of its own
    def part(some: Tensor) -> Tensor:
        with mixed_precision(rows.device):
            return torch.cat([network(*inputs(at)).float() for at in some.split(BATCH)])

    if 0 < rows.numel() < LEAST_BATCH:
        return part(rows.repeat(LEAST_BATCH)[:LEAST_BATCH])[: rows.numel()]
    if count == 1 or rows.numel() <= BATCH:
        return part(rows)
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as threads:
            return torch.cat(list(threads.map(part, rows.chunk(count))))
    finally:
        torch.set_num_threads(count)


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU; plain float32 on a CPU, where results are kept equal across machines."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")
