"""Scaled sequences for recurrent models, gathered from one dense array without a copy per window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from hydro_assets import tables
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.scaling import CLIP, InputScaler

_CALENDAR = ("hour_sin", "hour_cos")
_CALENDAR_DAYS = 3  # a day cycle is learned only when it was seen three times


def sequence_inputs(grid: TimeGrid, train: np.ndarray, targets: Sequence[str]) -> tuple[list[str], list[str]]:
    """The targets and the inputs that vary in the training rows, and a note on those that do not: (names, notes)."""
    candidates = [c.name for c in tables.SENSORS] + ["water_level", *tables.ACTUATOR_COLUMNS]
    days = np.unique(grid.times[train] // 86_400_000_000).size
    if days >= _CALENDAR_DAYS:
        candidates += _CALENDAR
    present = [c for c in candidates if c in grid.frame.columns]
    varying = [c for c in present if c in targets or np.unique(_known(grid.values(c)[train])).size > 1]
    dropped = sorted(set(present) - set(varying))
    notes = [f"not used because constant or empty in training: {', '.join(dropped)}"] if dropped else []
    if days < _CALENDAR_DAYS:
        notes.append(f"hour of day is not used: training covers {days} days, fewer than {_CALENDAR_DAYS}")
    return varying, notes


@dataclass(frozen=True)
class Sequences:
    """Windows of `T` steps ending at each row.

    Attributes:
        view: [S - T + 1, T, 2F] view of scaled values (carried forward inside the segment) and their known flags.
        age: the like view of [.., F] steps since the value was known; None where no step of any window is missing.
        start_of_row: [n] first step of each row's window.
        gain: [F] factor that brings changes inside a window to unit size.
    """

    view: Tensor
    age: Tensor | None
    start_of_row: Tensor
    gain: Tensor

    @classmethod
    def of(
        cls,
        grid: TimeGrid,
        rows: np.ndarray,
        scaler: InputScaler,
        gain: np.ndarray,
        length: int,
        device: torch.device,
    ) -> Self:
        end = grid.step_of_row[rows]
        first = int(end.min()) - (length - 1)
        filled, age = _carried_forward(grid, scaler, first, int(end.max()) + 1)
        known = (age == 0).astype(np.float32)
        view = _windows(torch.from_numpy(np.concatenate([filled, known], axis=1)).to(device), length)
        ages = _windows(torch.from_numpy(age).to(device), length) if age.any() else None
        start = torch.from_numpy(end - (length - 1) - first).to(device)
        return cls(view, ages, start, torch.from_numpy(gain).to(device))

    @staticmethod
    def change_gain(grid: TimeGrid, scaler: InputScaler, train: np.ndarray, length: int) -> np.ndarray:
        """[F] one over the mean absolute change of each scaled input from the middle of a window to its end."""
        filled, age = _carried_forward(grid, scaler, 0, grid.segment_of_step.size)
        end = grid.step_of_row[train]
        middle = end - length // 2
        both = (age[end] == 0) & (age[middle] == 0)
        change = np.where(both, np.abs(filled[end] - filled[middle]), 0).sum(axis=0) / np.maximum(both.sum(axis=0), 1)
        return (1 / np.maximum(change, 1e-3)).astype(np.float32)

    def batch(self, at: Tensor) -> Tensor:
        """[B, T, 3F]: level, change to the origin, known flag. A value is carried forward only inside its window."""
        start = self.start_of_row[at]
        window = self.view[start]  # [B, T, 2F]
        level, known = window.chunk(2, dim=2)
        change = ((level - level[:, -1:]) * self.gain).clamp(-CLIP, CLIP)
        if self.age is not None:
            position = torch.arange(level.shape[1], device=level.device)[None, :, None]
            inside = self.age[start] <= position
            level, change = level * inside, change * inside
        return torch.cat([level, change, known], dim=2)  # -> [B, T, 3F]


def _carried_forward(grid: TimeGrid, scaler: InputScaler, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """[S, F] scaled values of the dense steps `first` .. `stop`, carried forward inside their segment (0 before the
    first), and steps since known."""
    segment, never = grid.segment_of_step[first:stop], np.float32(1e6)
    rows = np.arange(*np.searchsorted(grid.step_of_row, (first, stop)))
    values = np.stack([grid.values(n, rows) for n in scaler.names], axis=1)
    size = segment.size
    scaled = np.full((size, len(scaler.names)), np.nan, np.float32)
    scaled[grid.step_of_row[rows] - first] = scaler.transform(values, grid.systems[rows])
    known = ~np.isnan(scaled)
    at = np.arange(size)[:, None]
    latest = np.maximum.accumulate(np.where(known, at, -1), axis=0)
    inside = (latest >= 0) & (segment[np.maximum(latest, 0)] == segment[:, None])
    filled = np.where(inside, np.take_along_axis(scaled, np.maximum(latest, 0), axis=0), 0.0)
    return filled.astype(np.float32), np.where(inside, at - latest, never).astype(np.float32)


def _windows(dense: Tensor, length: int) -> Tensor:
    """[S, F] -> [S - T + 1, T, F] without a copy."""
    steps, width = dense.shape
    return dense.as_strided((steps - length + 1, length, width), (width, width, 1))


def _known(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]
