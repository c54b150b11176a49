"""Context of the origin for learned models: the recent course of the target, and what the anchor makes of it."""

from __future__ import annotations

import numpy as np

from hydro_assets.forecasting.contract import Task
from hydro_assets.forecasting.origin import target_feature_names, target_features
from hydro_assets.forecasting.windows import SegmentGrid, by_chunks


def course(grid: SegmentGrid, task: Task, rows: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """[n, D + H] `target_features` and the anchor's change from the level, in the target's unit.

    `anchor` is [n, H] for these rows; all are NaN where the target is stale.
    """

    def features(part: np.ndarray) -> np.ndarray:
        return target_features(grid, task.target, part, task.window_steps, task.stale_steps)

    both = by_chunks(features, rows, width=1 + len(target_feature_names(task.target, grid.step, task.window_steps)))
    return np.concatenate([both[:, 1:], anchor - both[:, :1]], axis=1)


def course_names(grid: SegmentGrid, task: Task) -> list[str]:
    """[D + H] names of `course`."""
    return [
        *target_feature_names(task.target, grid.step, task.window_steps),
        *(f"{task.target}_anchor_change_{h}_steps" for h in task.horizons),
    ]
