"""The floors: persistence and the mean of the last k steps, members of the same contract as the learned models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from hydro_assets.models.contract import FitNotes, Forecaster, Report, Samples, Task
from hydro_assets.models.origin import chunks, last_values, short_mean_steps, trailing_means
from hydro_assets.models.windows import SegmentGrid


class Persistence(Forecaster):
    """The last known value of the target, `within` the newest steps, for every horizon."""

    kind = "persistence"

    def __init__(self, task: Task, within: int) -> None:
        self.task, self.within = task, within

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        return FitNotes()

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        level = [last_values(grid.windows(self.task.target, part), self.within) for part in chunks(rows)]
        return np.repeat(np.concatenate([np.empty(0), *level])[:, None], len(self.task.horizons), axis=1)

    def save(self, folder: Path) -> dict[str, Any]:
        return {"within": self.within}

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        return cls(task, state["within"])

    def describe_inputs(self) -> Sequence[str]:
        return [self.task.target]


class ShortMean(Forecaster):
    """The mean of the last k steps, k chosen per horizon on validation; NaN where persistence is."""

    kind = "short_mean"

    def __init__(self, task: Task, within: int, lengths: Sequence[int] = ()) -> None:
        self.task, self.within, self.lengths = task, within, tuple(lengths)

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        grid, rows = samples.grid, samples.validation
        candidates = short_mean_steps(grid.step, grid.lead + 1)
        means = trailing_means(grid.windows(self.task.target, rows), candidates)  # [n, K]
        error = np.abs(means[:, :, None] - samples.truth[rows][:, None, :])  # [n, K, H]
        self.lengths = tuple(candidates[i] for i in np.nanmean(error, axis=0).argmin(axis=0))
        return FitNotes(notes=[f"short_mean reads {', '.join(map(str, self.lengths))} steps at the horizons in order"])

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        parts = [np.empty((0, len(self.lengths)))]
        for part in chunks(rows):
            window = grid.windows(self.task.target, part)
            level = last_values(window, self.within)
            parts.append(np.where(np.isnan(level)[:, None], np.nan, trailing_means(window, self.lengths)))
        return np.concatenate(parts)

    def save(self, folder: Path) -> dict[str, Any]:
        return {"within": self.within, "lengths": list(self.lengths)}

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        return cls(task, state["within"], state["lengths"])

    def describe_inputs(self) -> Sequence[str]:
        return [self.task.target]
