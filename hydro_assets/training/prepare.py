"""From feature rows to what a training reads: rows on their grid, what came after each, and the parts of the split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hydro_assets.errors import DataContractError
from hydro_assets.forecasting.contract import Samples, Task
from hydro_assets.forecasting.windows import SegmentGrid
from hydro_assets.settings import Settings
from hydro_assets.training.splits import Split, split_by_time

PARTS = ("train", "validation", "holdout")


@dataclass(frozen=True)
class TrainingData:
    """`R` rows to learn from and to be measured on.

    Attributes:
        truth: [R, H] target at t + h, NaN where unknown.
        parts: row numbers of train, validation and holdout whose truth is known at some horizon.
    """

    task: Task
    grid: SegmentGrid
    truth: np.ndarray
    split: Split
    parts: dict[str, np.ndarray]

    @property
    def every(self) -> np.ndarray:
        """[R] all row numbers."""
        return np.arange(len(self.grid))

    def samples(self, anchor: np.ndarray) -> Samples:
        """What a forecaster learns from; anchor: [R, H]."""
        return Samples(self.grid, self.truth, anchor, self.parts["train"], self.parts["validation"])


def prepare(features: pl.DataFrame, task: Task, settings: Settings, split: Split | None = None) -> TrainingData:
    """Lay the rows out and split them; default by the shares in `settings`, with an embargo between the parts.

    Raises:
        DataContractError: the target is not there, or there are too few rows.
    """
    _check(features, task, settings)
    step = settings.feature_step
    grid = SegmentGrid.of(features, step, settings.gap_limit, task.history_steps - 1)
    embargo = step * (task.sequence_length + max(task.horizons))
    split = split or split_by_time(grid.times, step, embargo, settings.train_share, settings.validation_share)
    truth = grid.ahead(task.target, task.horizons)
    return TrainingData(task, grid, truth, split, _parts(split, grid, truth, task))


def _check(features: pl.DataFrame, task: Task, settings: Settings) -> None:
    problems = [
        f"the features have no column {c}" for c in ("system_id", "timestamp", task.target) if c not in features.columns
    ]
    if not problems:
        if not features.schema[task.target].is_numeric():
            problems.append(f"{task.target} is not a number and cannot be forecast")
        known = features.height - features[task.target].null_count()
        if known < settings.minimum_records:
            problems.append(f"{known} rows have a {task.target}, {settings.minimum_records} are needed")
    if problems:
        raise DataContractError.of_all(problems, "Choose a target_col that this farm measures, or give more history")


def _parts(split: Split, grid: SegmentGrid, truth: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    known_rows = np.flatnonzero(np.isfinite(truth).any(axis=1))
    parts = {part: np.intersect1d(split.rows(part, grid.times), known_rows) for part in PARTS}
    empty = [part for part, rows in parts.items() if rows.size == 0]
    if empty:
        raise DataContractError(
            f"no row of {', '.join(empty)} has a known {task.target} {task.horizons} steps ahead",
            "Give a longer history without gaps, or shorter horizons",
        )
    return parts
