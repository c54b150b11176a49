"""LSTM and GRU forecasters: one class, `cell` chooses; H horizons in one pass.

Shapes: `B` batch, `T` steps, `F` inputs, `C` context features of the origin, `H` horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from hydro_assets.errors import ModelUnavailableError, TrainingError
from hydro_assets.forecasting.cells import dropout_mask, encode
from hydro_assets.forecasting.change_scale import ChangeScale
from hydro_assets.forecasting.contract import FitNotes, Forecaster, Report, Samples, Task
from hydro_assets.forecasting.course import course, course_names
from hydro_assets.forecasting.scaler import POOLED, SystemScaler
from hydro_assets.forecasting.sequences import Sequences, sequence_inputs
from hydro_assets.forecasting.windows import SegmentGrid
from hydro_assets.settings import RecurrentConfig
from hydro_assets.training import loop

_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
_EMBEDDING = 4
# Fewer windows than this are done before a second thread has begun; the GRU holds the interpreter between its steps.
_WINDOWS_PER_THREAD = {nn.LSTM: 16, nn.GRU: 128}


class RecurrentNetwork(nn.Module):
    """Recurrent encoder with a fully connected head that also sees the course of the target and the system."""

    def __init__(
        self, cell: str, inputs: int, context: int, systems: int, horizons: int, config: RecurrentConfig
    ) -> None:
        super().__init__()
        dropout = config.dropout if config.num_layers > 1 else 0.0
        self.cell = _CELLS[cell](3 * inputs, config.hidden_size, config.num_layers, batch_first=True, dropout=dropout)
        self.system = nn.Embedding(systems + 1, _EMBEDDING)  # 0 is a system that training did not see
        last = nn.Linear(config.hidden_size, horizons)
        width = config.hidden_size + context + _EMBEDDING
        self.head = nn.Sequential(nn.Linear(width, config.hidden_size), nn.ReLU(), last)
        nn.init.zeros_(last.weight)  # the first forecast is the anchor itself
        nn.init.zeros_(last.bias)

    def forward(self, sequence: Tensor, context: Tensor, system: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = encode(self.cell, sequence, mask)  # [B, T, 3F] -> [B, hidden]
        state = torch.cat([hidden, context, self.system(system)], dim=1)  # -> [B, hidden + C + embedding]
        return self.head(state)  # -> [B, H]

    def batches(
        self, inputs: loop.Inputs, goal: Tensor, train: np.ndarray, validation: np.ndarray, length: int
    ) -> loop.Batches:
        """What this network learns from; on a CPU the masks are drawn and threads share a batch, cuDNN does its own.

        Args:
            goal: [N, H]; train, validation: positions in it; length: steps of a sequence.
        """
        rows = goal, torch.from_numpy(train), torch.from_numpy(validation)
        if goal.is_cuda:
            return loop.Batches(inputs, *rows)
        cell = self.cell
        return loop.Batches(inputs, *rows, lambda n: dropout_mask(cell, n, length), _WINDOWS_PER_THREAD[type(cell)])


class RecurrentForecaster(Forecaster):
    """Forecasts the target's scaled change from the anchor (or its level) with a recurrent network."""

    def __init__(self, cell: str, task: Task, config: RecurrentConfig, seed: int) -> None:
        self.kind, self.task, self.config, self.seed = cell, task, config, seed  # type: ignore[misc]

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        grid, train = samples.grid, samples.train
        if np.isnan(grid.values(self.task.target)[train]).all():
            raise TrainingError(
                f"{self.task.target} was never measured in the training rows",
                "Train on a longer period, or choose a target_col that is measured",
            )
        names, notes = sequence_inputs(grid, train, self.task.target)
        values = np.stack([grid.values(n)[train] for n in names], axis=1)
        self.scaler = SystemScaler.fit(names, values, grid.systems[train])
        self.systems = [s for s in self.scaler.centre if s != POOLED]
        context = course(grid, self.task, train, samples.anchor[train])
        self.context = SystemScaler.fit(course_names(grid, self.task), context, grid.systems[train])
        goal = samples.truth - samples.anchor if self.config.predict_change else samples.truth
        self.output = ChangeScale.fit(goal[train], grid.systems[train], centred=not self.config.predict_change)
        self.gain = Sequences.change_gain(grid, self.scaler, train, self.task.sequence_length)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.network = self._new_network().to(device)
            scaled = torch.from_numpy(self.output.scaled(goal, grid.systems))
            every = np.arange(len(grid))
            inputs = self._inputs(grid, every, samples.anchor, device)
            batches = self.network.batches(
                inputs, scaled.to(device), train, samples.validation, self.task.sequence_length
            )
            history = loop.fit(self.network, batches, self.config, self.seed, report)
        self.network.cpu()
        return FitNotes(history, notes)

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        if rows.size == 0:
            return np.empty((0, len(self.task.horizons)))
        inputs = self._inputs(grid, rows, anchor, torch.device("cpu"))
        scaled = loop.predict(self.network, inputs, torch.arange(rows.size)).numpy().astype(float)  # [n, H]
        value = self.output.unscaled(scaled, grid.systems[rows])
        return anchor + value if self.config.predict_change else value

    def _new_network(self) -> RecurrentNetwork:
        return RecurrentNetwork(
            self.kind,
            len(self.scaler.names),
            len(self.context.names),
            len(self.systems),
            len(self.task.horizons),
            self.config,
        )

    def _inputs(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray, device: torch.device) -> loop.Inputs:
        """A function from positions in `rows` to the network's arguments."""
        sequences = Sequences.of(grid, rows, self.scaler, self.gain, self.task.sequence_length, device)
        systems = grid.systems[rows]
        scaled = self.context.transform(course(grid, self.task, rows, anchor), systems)
        context = torch.from_numpy(np.nan_to_num(scaled)).to(device)
        number = {s: i for i, s in enumerate(self.systems, start=1)}
        system = torch.tensor([number.get(str(s), 0) for s in systems], device=device)
        return lambda at: (sequences.batch(at), context[at], system[at])

    def save(self, folder: Path) -> dict[str, Any]:
        torch.save(self.network.state_dict(), folder / "weights.pt")
        return {
            "cell": self.kind,
            "config": self.config.model_dump(),
            "seed": self.seed,
            "systems": self.systems,
            "scaler": self.scaler.to_json(),
            "context": self.context.to_json(),
            "output": self.output.to_json(),
            "gain": self.gain.tolist(),
        }

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        self = cls(state["cell"], task, RecurrentConfig(**state["config"]), state["seed"])
        self.systems = state["systems"]
        self.scaler = SystemScaler.from_json(state["scaler"])
        self.output = ChangeScale.from_json(state["output"])
        self.gain = np.array(state["gain"], np.float32)
        self.context = SystemScaler.from_json(state["context"])
        self.network = self._new_network()
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
