"""What is known at the forecast origin: the level, short means and slopes of a window, and the row's own features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from hydro_assets import columns
from hydro_assets.models.windows import CHUNK_ROWS, SegmentGrid

SHORT_MEANS = tuple(timedelta(minutes=m) for m in (2, 3, 5, 10, 15, 30))
_NEVER_INPUTS = {"system_id", "timestamp", "date", "known_at", "reading_id"}
_LEVEL_SUFFIX = re.compile(r"_(?:min|max|lag_\w+|mean_\w+|min_\w+|max_\w+)$")


def short_mean_steps(step: timedelta, history_steps: int) -> list[int]:
    """Lengths in steps that a short mean may have: the standard minutes that fit, and always 2 and 3 steps."""
    fitting = {mean // step for mean in SHORT_MEANS}
    return sorted(k for k in fitting | {2, 3} if 2 <= k <= history_steps)


def history_steps(sequence_length: int, step: timedelta) -> int:
    """Steps of history that a forecast reads: the sequence, and the longest short mean."""
    return max(sequence_length, min(SHORT_MEANS[-1] // step, 8 * sequence_length), 3)


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


def input_columns(frame: pl.DataFrame) -> list[str]:
    """Numeric and boolean columns that may be learned from, in the order of the frame."""
    return [
        name for name, dtype in frame.schema.items()
        if name not in _NEVER_INPUTS and (dtype.is_numeric() or dtype == pl.Boolean)
    ]


def row_features(grid: SegmentGrid, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """[n, F] float32 features of `rows`; levels of a sensor are given relative to its present value.

    A lag, mean, minimum or maximum of a sensor becomes its distance to the sensor's own column, so that what is
    learned holds at any level. Absent columns are NaN.
    """
    result = np.empty((rows.size, len(names)), np.float32)
    for j, name in enumerate(names):
        values = grid.values(name)
        sensor = _sensor_of_level(name)
        if sensor is not None:
            values = values - grid.values(sensor)
        result[:, j] = values[rows]
    return result


def _sensor_of_level(name: str) -> str | None:
    """The sensor whose level a derived column states (`ph_level` for `ph_level_mean_1h`), if it does."""
    stem = _LEVEL_SUFFIX.sub("", name)
    return stem if stem != name and stem in columns.SENSOR else None


def chunks(rows: np.ndarray) -> list[np.ndarray]:
    """`rows` in pieces whose windows fit into memory."""
    return [rows[i : i + CHUNK_ROWS] for i in range(0, rows.size, CHUNK_ROWS)]
