"""What is known at the forecast origin: the level, short means and slopes of a window, and the row's own features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.forecasting.windows import SegmentGrid

WINDOW = timedelta(minutes=30)  # longest short mean; longer memory comes from the feature columns
SHORT_MEANS = tuple(timedelta(minutes=m) for m in (2, 3, 5, 10, 15, 30))
_LONG_WINDOWS = ("1h", "6h")
_NEVER_INPUTS = {"system_id", "timestamp", "date", "known_at", "reading_id"}
_LEVEL_SUFFIX = re.compile(r"_(?:min|max|lag_\w+|mean_\w+|min_\w+|max_\w+)$")


def window_steps(sequence_length: int, step: timedelta) -> int:
    """Steps of the target that simple forecasts read: half an hour, but 3 to 8 sequences of steps."""
    return max(3, min(WINDOW // step, 8 * sequence_length), min(sequence_length, 24))


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


def target_features(grid: SegmentGrid, target: str, rows: np.ndarray, length: int, within: int) -> np.ndarray:
    """[n, 1 + D] the level at the origin, then what the recent course of the target says relative to it.

    D features in the target's unit (`target_feature_names`): short means minus the level, least-squares and median
    slopes over the window (change per step), and the feature table's 1 h and 6 h means (minus the level) and slopes
    (change per hour). What is unknown is 0, which is to say: nothing points away from the level. The level is NaN
    where the target was not measured `within` steps.
    """
    return grid.once((target, length, within), rows, lambda: _target_features(grid, target, rows, length, within))


def _target_features(grid: SegmentGrid, target: str, rows: np.ndarray, length: int, within: int) -> np.ndarray:
    window = grid.windows(target, rows, length)
    level = last_values(window, within)[:, None]
    means = trailing_means(window, short_mean_steps(grid.step, length)) - level
    slopes = trailing_slopes(window, _slope_steps(length))
    long_means = [grid.values(f"{target}_mean_{w}", rows) - level[:, 0] for w in _LONG_WINDOWS]
    long_slopes = [grid.values(f"{target}_slope_{w}", rows) for w in _LONG_WINDOWS]
    medians = median_slopes(window, _median_steps(length))
    course = np.concatenate([means, slopes, medians, np.stack([*long_means, *long_slopes], axis=1)], axis=1)
    return np.concatenate([level, np.nan_to_num(course)], axis=1)


def target_feature_names(target: str, step: timedelta, length: int) -> list[str]:
    """[D] names of `target_features` after the level."""
    return [
        *(f"{target}_mean_{k}_steps" for k in short_mean_steps(step, length)),
        *(f"{target}_slope_{k}_steps" for k in _slope_steps(length)),
        *(f"{target}_median_slope_{k}_steps" for k in _median_steps(length)),
        *(f"{target}_mean_{w}_less_level" for w in _LONG_WINDOWS),
        *(f"{target}_slope_{w}_or_0" for w in _LONG_WINDOWS),
    ]


def _slope_steps(length: int) -> list[int]:
    return sorted({max(3, length // 6), max(3, length // 3), max(3, length // 2), length})


def _median_steps(length: int) -> list[int]:
    return sorted({max(3, length // 3), max(3, length // 2), length})


def input_columns(frame: pl.DataFrame) -> list[str]:
    """Numeric and boolean columns that may be learned from, in the order of the frame."""
    return [
        name
        for name, dtype in frame.schema.items()
        if name not in _NEVER_INPUTS and (dtype.is_numeric() or dtype == pl.Boolean)
    ]


def row_features(grid: SegmentGrid, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """[n, F] float32 features of `rows`; levels of a sensor are given relative to its present value.

    A lag, mean, minimum or maximum of a sensor becomes its distance to the sensor's own column, so that what is
    learned holds at any level. Absent columns are NaN.
    """
    result = np.empty((rows.size, len(names)), np.float32)
    for j, name in enumerate(names):
        values = grid.values(name, rows)
        sensor = _sensor_of_level(name)
        if sensor is not None:
            values = values - grid.values(sensor, rows)
        result[:, j] = values
    return result


def _sensor_of_level(name: str) -> str | None:
    """The sensor whose level a derived column states (`ph_level` for `ph_level_mean_1h`), if it does."""
    stem = _LEVEL_SUFFIX.sub("", name)
    return stem if stem != name and stem in tables.SENSOR else None
