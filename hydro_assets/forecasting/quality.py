"""Why a row has no forecast of a target, or no probability of a label."""

from __future__ import annotations

import numpy as np

from hydro_assets.forecasting.grid import TimeGrid, by_chunks
from hydro_assets.forecasting.info import PackageInfo, TargetInfo
from hydro_assets.forecasting.labels import label_values
from hydro_assets.forecasting.target_features import last_values
from hydro_assets.tables import SENSOR

_OUT_OF_RANGE_SPANS = 1.0  # a target may leave the range seen in training by this multiple of its width


def target_quality(
    info: PackageInfo, grid: TimeGrid, rows: np.ndarray, target: TargetInfo, prediction: np.ndarray
) -> np.ndarray:
    """[n] `ok`, or the first reason why a row has no prediction; `prediction`: [n, H]."""
    inside, level = _known_and_level(info, grid, grid.values(target.name), rows)
    span = (target.high - target.low) * _OUT_OF_RANGE_SPANS
    limits = SENSOR.get(target.name)
    low = max(target.low - span, -np.inf if limits is None or limits.low is None else limits.low)
    high = min(target.high + span, np.inf if limits is None or limits.high is None else limits.high)
    reasons = [
        (inside == 0, "unknown_target"),
        (np.isnan(level), "stale_input"),
        (inside < info.min_window_coverage * info.sequence_length, "no_window"),
        ((level < low) | (level > high), "out_of_range_input"),
        (np.isnan(prediction).all(axis=1), "not_forecast"),
    ]
    return np.select([c for c, _ in reasons], [r for _, r in reasons], "ok").astype(object)


def label_quality(info: PackageInfo, grid: TimeGrid, rows: np.ndarray, one_class: np.ndarray) -> np.ndarray:
    """[n, L, H] `ok`, `one_class`, or why there is no probability; `one_class`: [L, H] where training saw one class."""
    quality = np.empty((rows.size, *one_class.shape), object)
    for i, label in enumerate(info.labels):
        inside, level = _known_and_level(info, grid, label_values(grid, label), rows)
        absent = np.select([inside == 0, np.isnan(level)], ["unknown_label", "stale_input"], "").astype(object)
        served = np.where(one_class[i], "one_class", "ok")  # [H]
        quality[:, i] = np.where(absent[:, None] == "", served, absent[:, None])
    return quality


def _known_and_level(
    info: PackageInfo, grid: TimeGrid, values: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[n] known values among the context of each row, and [n] the last one that is not stale, else NaN."""
    task = info.task
    known = np.concatenate([[0], np.cumsum(~np.isnan(grid.dense(values)))])
    end = grid.step_of_row[rows] + 1
    level = by_chunks(
        lambda at: last_values(grid.windows(values, at, task.stale_steps), task.stale_steps)[:, None], rows, 1
    )
    return known[end] - known[end - info.sequence_length], level[:, 0]
