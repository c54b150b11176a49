"""The floors: persistence and the mean of the last k steps, members of the same contract as the learned models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.contract import FitNotes, Forecaster, Report, Samples, Task
from hydro_assets.forecasting.origin import last_values, short_mean_steps, trailing_means
from hydro_assets.forecasting.windows import SegmentGrid, by_chunks

BASELINES = ("persistence", "short_mean")
"""Names of the members that any forecast has to beat."""


class Persistence(Forecaster):
    """The last known value of the target for every horizon; NaN where it is older than the gap limit."""

    kind = "persistence"

    def __init__(self, task: Task) -> None:
        self.task = task

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        return FitNotes()

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        def last(part: np.ndarray) -> np.ndarray:
            window = grid.windows(self.task.target, part, self.task.window_steps)
            return last_values(window, self.task.stale_steps)[:, None]

        return np.repeat(by_chunks(last, rows, width=1), len(self.task.horizons), axis=1)

    def save(self, folder: Path) -> dict[str, Any]:
        return {}

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        return cls(task)

    def describe_inputs(self) -> Sequence[str]:
        return [self.task.target]


class ShortMean(Forecaster):
    """The mean of the last k steps; NaN where persistence is.

    Args:
        lengths: k per horizon; `fit` chooses them on validation when they are not given.
    """

    kind = "short_mean"

    def __init__(self, task: Task, lengths: Sequence[int] = ()) -> None:
        self.task, self.lengths = task, tuple(lengths)

    def fit(self, samples: Samples, report: Report) -> FitNotes:
        if self.lengths:
            return FitNotes()
        grid, rows = samples.grid, samples.validation
        candidates = short_mean_steps(grid.step, self.task.window_steps)
        means = trailing_means(grid.windows(self.task.target, rows, self.task.window_steps), candidates)  # [n, K]
        error = np.abs(means[:, :, None] - samples.truth[rows][:, None, :])  # [n, K, H]
        known = ~np.isnan(error)
        mae = np.where(known, error, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)  # [K, H]
        self.lengths = tuple(candidates[i] for i in mae.argmin(axis=0))
        return FitNotes(notes=[f"short_mean reads {', '.join(map(str, self.lengths))} steps at the horizons in order"])

    def predict(self, grid: SegmentGrid, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        def mean(part: np.ndarray) -> np.ndarray:
            window = grid.windows(self.task.target, part, self.task.window_steps)
            level = last_values(window, self.task.stale_steps)[:, None]
            return np.where(np.isnan(level), np.nan, trailing_means(window, self.lengths))

        return by_chunks(mean, rows, width=len(self.lengths))

    def save(self, folder: Path) -> dict[str, Any]:
        return {"lengths": list(self.lengths)}

    @classmethod
    def load(cls, task: Task, folder: Path, state: dict[str, Any]) -> Self:
        return cls(task, state["lengths"])

    def describe_inputs(self) -> Sequence[str]:
        return [self.task.target]
