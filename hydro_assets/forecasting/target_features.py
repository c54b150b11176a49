"""What the recent values of a target say at the forecast origin: level, means, slopes, the same time yesterday."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Task

DAY = timedelta(days=1)
DAYS = 3  # days that "the same time yesterday" reads
SHORT_MEANS = tuple(timedelta(minutes=m) for m in (2, 3, 5, 10, 15, 30))
_LONG_WINDOWS = ("1h", "6h")
_SMOOTHING = (-2, -1, 0, 1, 2)  # a value of an earlier day is the mean of so many around it


def short_mean_steps(step: timedelta, longest: int) -> list[int]:
    """Lengths in steps that a short mean may have: the standard minutes that fit, and always 2 and 3 steps."""
    fitting = {mean // step for mean in SHORT_MEANS}
    return sorted(k for k in fitting | {2, 3} if 2 <= k <= longest)


def last_values(window: np.ndarray, within: int) -> np.ndarray:
    """[n, T] -> [n] last value that is not NaN among the newest `within` steps, else NaN."""
    recent = window[:, -within:]
    known = ~np.isnan(recent)
    newest = recent.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), recent[np.arange(len(recent)), newest], np.nan)


def trailing_means(window: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """[n, T] -> [n, K] means of the known values among the newest `k` steps; NaN where none is known."""
    known = ~np.isnan(window)
    filled = np.where(known, window, 0.0)
    result = np.full((len(window), len(lengths)), np.nan)
    for j, k in enumerate(lengths):
        count = known[:, -k:].sum(axis=1)
        np.divide(filled[:, -k:].sum(axis=1), count, out=result[:, j], where=count > 0)
    return result


def trailing_slopes(window: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """[n, T] -> [n, K] least-squares change per step over the newest `k` steps; 0 where under 3 values are known."""
    known = ~np.isnan(window)
    result = np.zeros((len(window), len(lengths)))
    for j, k in enumerate(lengths):
        mask, y = known[:, -k:], window[:, -k:]
        count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
        at = np.arange(mask.shape[1], dtype=float)[None, :]
        x = np.where(mask, at - (at * mask).sum(axis=1, keepdims=True) / count, 0.0)
        dy = np.where(mask, y - np.where(mask, y, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
        spread = (x * x).sum(axis=1)
        enough = mask.sum(axis=1) >= 3
        np.divide((x * dy).sum(axis=1), spread, out=result[:, j], where=enough & (spread > 0))
    return result


def median_slopes(window: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """[n, T] -> [n, K] median change per step over the newest `k` steps, from pairs a fifth of `k` apart.

    A single jump, however large, touches only a fifth of the pairs and so leaves the median alone (in the spirit of
    Theil 1950 and Sen 1968). 0 where no pair is known.
    """
    result = np.zeros((len(window), len(lengths)))
    for j, k in enumerate(lengths):
        apart = max(1, k // 5)
        newest = window[:, -k:]
        change = np.sort(newest[:, apart:] - newest[:, :-apart], axis=1)  # NaN sorts last
        known = (~np.isnan(change)).sum(axis=1)
        at = np.arange(len(change))
        middle = (change[at, np.maximum(known - 1, 0) // 2] + change[at, np.minimum(known // 2, known.max() - 1)]) / 2
        result[:, j] = np.where(known > 0, middle, 0.0) / apart
    return result


def day_change(
    grid: TimeGrid, values: np.ndarray, rows: np.ndarray, horizon: int, days: int, smooth: int = 0
) -> np.ndarray:
    """[n] mean change over the next `horizon` steps at this time of day on the last `days` days; NaN where unknown.

    Values are found by their time, so gaps do no harm. `smooth` > 0 takes each value as the mean of five that lie so
    many steps apart around it. Nothing later than the origin is read.

    Args:
        values: [R] of the column.
    """
    changes = []
    for day in range(1, days + 1):
        back = -day * (DAY // grid.step)
        changes.append(_around(grid, values, rows, back + horizon, smooth) - _around(grid, values, rows, back, smooth))
    return _mean_of_known(changes)


def day_level(grid: TimeGrid, values: np.ndarray, rows: np.ndarray, days: int, smooth: int) -> np.ndarray:
    """[n] mean value at this time of day on the last `days` days; NaN where unknown."""
    step = DAY // grid.step
    return _mean_of_known([_around(grid, values, rows, -day * step, smooth) for day in range(1, days + 1)])


def _around(grid: TimeGrid, values: np.ndarray, rows: np.ndarray, steps: int, smooth: int) -> np.ndarray:
    offsets = sorted({steps + i * smooth for i in _SMOOTHING if steps + i * smooth <= 0})
    return _mean_of_known(grid.at(values, rows, np.array(offsets)[:, None]))


def _mean_of_known(parts: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    stacked = np.asarray(parts)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, stacked, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def target_features(grid: TimeGrid, task: Task, target: str, rows: np.ndarray) -> np.ndarray:
    """[n, 1 + D] the level at the origin, then what the recent values of the target say relative to it.

    D features in the target's unit (`target_feature_names`): short means minus the level, least-squares and median
    slopes over the window (change per step), the feature table's 1 h and 6 h means (minus the level) and slopes (change
    per hour), the value at this time of day minus the level, and per horizon the change that followed at this time of
    day. What is unknown is 0, which is to say: nothing points away from the level. The level is NaN where the target
    was not measured within `task.stale_steps`.
    """
    name = "target_features", task, target
    return grid.remembered(name, rows, lambda some: _target_features(grid, task, target, some))


def _target_features(grid: TimeGrid, task: Task, target: str, rows: np.ndarray) -> np.ndarray:
    window = grid.windows(target, rows, task.window_steps)
    level = last_values(window, task.stale_steps)[:, None]
    means = trailing_means(window, short_mean_steps(grid.step, task.window_steps)) - level
    slopes = trailing_slopes(window, _slope_steps(task.window_steps))
    medians = median_slopes(window, _median_steps(task.window_steps))
    long_means = [grid.values(f"{target}_mean_{w}", rows) - level[:, 0] for w in _LONG_WINDOWS]
    long_slopes = [grid.values(f"{target}_slope_{w}", rows) for w in _LONG_WINDOWS]
    values = grid.values(target)
    yesterday = [day_level(grid, values, rows, DAYS, max(1, min(task.horizons) // 8)) - level[:, 0]]
    for h in task.horizons:
        smooth = max(1, h // 8)
        yesterday += [day_change(grid, values, rows, h, DAYS, smooth), day_change(grid, values, rows, h, 1, smooth)]
    recent = np.concatenate([means, slopes, medians, np.stack([*long_means, *long_slopes, *yesterday], axis=1)], axis=1)
    return np.concatenate([level, np.nan_to_num(recent)], axis=1)


def target_feature_names(task: Task, target: str, step: timedelta) -> list[str]:
    """[D] names of `target_features` after the level."""
    return [
        *(f"{target}_mean_{k}_steps" for k in short_mean_steps(step, task.window_steps)),
        *(f"{target}_slope_{k}_steps" for k in _slope_steps(task.window_steps)),
        *(f"{target}_median_slope_{k}_steps" for k in _median_steps(task.window_steps)),
        *(f"{target}_mean_{w}_less_level" for w in _LONG_WINDOWS),
        *(f"{target}_slope_{w}_or_0" for w in _LONG_WINDOWS),
        f"{target}_same_time_level",
        *(f"{target}_same_time_change_{h}_steps{s}" for h in task.horizons for s in ("", "_yesterday")),
    ]


def _slope_steps(length: int) -> list[int]:
    return sorted({max(3, length // 6), max(3, length // 3), max(3, length // 2), length})


def _median_steps(length: int) -> list[int]:
    return sorted({max(3, length // 3), max(3, length // 2), length})
