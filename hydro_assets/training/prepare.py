"""From feature rows to what a training reads: targets, rows on their grid, actuals, and the parts of the split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hydro_assets.errors import DataContractError
from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Task
from hydro_assets.settings import Settings
from hydro_assets.tables import REQUIRED_SENSORS, SENSOR
from hydro_assets.training.splits import Split, split_by_time

PARTS = ("train", "validation", "holdout")


@dataclass(frozen=True)
class TrainingData:
    """`R` rows to learn from and to be measured on.

    Attributes:
        primary: the target of `batch_predictions`, one of the task's.
        actual: [R, K, H] targets at t + h, NaN where unknown.
        parts: row numbers of train, validation and holdout with an actual at some horizon.
        notes: what the farm lacks, for the model card.
    """

    task: Task
    primary: str
    grid: TimeGrid
    actual: np.ndarray
    split: Split
    parts: dict[str, np.ndarray]
    notes: list[str]

    @property
    def every(self) -> np.ndarray:
        """[R] all row numbers."""
        return np.arange(len(self.grid))

    @property
    def before_holdout(self) -> np.ndarray:
        """Rows to learn from once validation has chosen: train, embargo and validation."""
        known = np.isfinite(self.before("validation")).any(axis=(1, 2))
        end = self.grid.times < self.split.limit("validation")
        return np.flatnonzero(known & end)

    def before(self, part: str) -> np.ndarray:
        """[R, K, H] the actuals that `part` may use: those from before the next part."""
        us = self.grid.step.total_seconds() * 1e6
        at = self.grid.times[:, None] + np.array(self.task.horizons) * us  # [R, H]
        return np.where((at < self.split.limit(part))[:, None, :], self.actual, np.nan)


def prepare(features: pl.DataFrame, settings: Settings, split: Split | None = None) -> TrainingData:
    """Choose the targets, lay the rows out and split them; default by the shares in `settings`.

    Raises:
        DataContractError: no target is there, or there are too few rows.
    """
    targets, primary, notes = choose_targets(features, settings)
    step = settings.feature_step
    task = Task.of(targets, settings.horizons, settings.sequence_length, step, settings.gap_limit)
    grid = TimeGrid.of(features, step, settings.gap_limit, task.padding)
    if split is None:
        shares = settings.train_share, settings.validation_share
        split = split_by_time(grid.times, step, step * task.sequence_length, *shares, settings.longest_holdout)
    actual = np.stack([actuals(grid, target, task.horizons) for target in targets], axis=1)
    data = TrainingData(task, primary, grid, actual, split, {}, notes)
    for part in PARTS:
        known = np.flatnonzero(np.isfinite(data.before(part)).any(axis=(1, 2)))
        data.parts[part] = np.intersect1d(split.rows(part, grid.times), known)
    _require_rows(data)
    return data


def choose_targets(features: pl.DataFrame, settings: Settings) -> tuple[tuple[str, ...], str, list[str]]:
    """(targets, primary target, notes): those of the settings, else each required quantity that the farm measures.

    Raises:
        DataContractError: a column is missing, is not a number, or no target has enough known rows.
    """
    problems = [f"the features have no column {c}" for c in ("system_id", "timestamp") if c not in features.columns]
    counts = {
        name: features.height - features[name].null_count()
        for name in SENSOR
        if name in features.columns and features.schema[name].is_numeric()
    }
    enough = [name for name, count in counts.items() if count >= settings.minimum_records]
    notes: list[str] = []
    if settings.targets is not None:
        problems += [_lacks(features, name, counts, settings) for name in settings.targets if name not in enough]
        targets = settings.targets
    else:
        groups = [next((s for s in group if s in enough), None) for group in REQUIRED_SENSORS]
        targets = tuple(s for s in groups if s is not None)
        if settings.target_col in enough:
            targets = tuple(dict.fromkeys((settings.target_col, *targets)))
        elif targets:
            notes.append(
                f"{_lacks(features, settings.target_col, counts, settings)}: {targets[0]} serves as primary target"
            )
        else:
            problems.append(_lacks(features, settings.target_col, counts, settings))
    if problems:
        raise DataContractError.of_all(problems, "Choose targets that this farm measures, or give more history")
    primary = settings.target_col if settings.target_col in targets else targets[0]
    return targets, primary, notes


def _lacks(features: pl.DataFrame, name: str, counts: dict[str, int], settings: Settings) -> str:
    if name not in features.columns:
        return f"the features have no column {name}"
    if name not in counts:
        return f"{name} is not a number and cannot be forecast"
    return f"{counts[name]} rows have a {name}, {settings.minimum_records} are needed"


def _require_rows(data: TrainingData) -> None:
    empty = [part for part, rows in data.parts.items() if rows.size == 0]
    if empty:
        raise DataContractError(
            f"no row of {', '.join(empty)} has a known target {', '.join(map(str, data.task.horizons))} steps ahead",
            "Give a longer history without gaps, or shorter lead times",
        )
