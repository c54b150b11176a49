"""Feature rows on their time grid: windows are views, and none crosses a gap, a system or the present."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.forecasting.memory import RowMemory

CHUNK_ROWS = 65536  # rows whose windows are in memory at once


@dataclass(frozen=True)
class TimeGrid:
    """All segments of a frame behind each other on the step grid.

    A segment is a stretch of one system without a gap. Every segment is led by `padding` empty steps, so the window of
    `padding + 1` steps that ends at any row lies inside its own segment or in emptiness. `R` rows, `S` dense steps,
    `S >= R`.

    Attributes:
        frame: the rows, sorted by (system_id, timestamp).
        step_of_row: [R] position of each row on the dense axis.
        segment_of_step: [S] number of the segment a dense step belongs to.
        padding: empty steps before each segment.
        memory: of what was computed of rows before; None where every row is computed once.
    """

    frame: pl.DataFrame
    step_of_row: np.ndarray
    segment_of_step: np.ndarray
    padding: int
    step: timedelta
    memory: RowMemory | None = None

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        step: timedelta,
        gap_limit: timedelta,
        padding: int = 0,
        memory: RowMemory | None = None,
    ) -> TimeGrid:
        """Lay out `frame` (columns system_id, timestamp, ...) on its grid.

        Raises:
            TableError: rows are duplicated, carry no time, or do not lie on the grid of `step`.
        """
        frame = _sorted(frame)
        problems = _grid_problems(frame, step)
        if problems:
            raise TableError.of_all(problems, "Build the rows with the feature store and the same feature_step")
        times = frame["timestamp"].to_physical().to_numpy().astype(np.int64)  # microseconds
        if times.size == 0:
            return cls(frame, np.empty(0, np.int64), np.empty(0, np.int32), padding, step, memory)
        systems = frame["system_id"].rank("dense").to_numpy().astype(np.int64)
        distance = np.diff(times) // _us(step)
        new_segment = (np.diff(systems) != 0) | (np.diff(times) > _us(gap_limit))
        advance = np.where(new_segment, padding + 1, distance)
        step_of_row = padding + np.concatenate([[0], np.cumsum(advance)])
        starts = np.concatenate([[0], step_of_row[1:][new_segment] - padding])
        segment_of_step = np.zeros(int(step_of_row[-1]) + 1, np.int32)
        segment_of_step[starts[1:]] = 1
        return cls(frame, step_of_row, np.cumsum(segment_of_step, dtype=np.int32), padding, step, memory)

    def __len__(self) -> int:
        return self.frame.height

    @cached_property
    def times(self) -> np.ndarray:
        """[R] timestamps, microseconds since 1970 UTC."""
        return self.frame["timestamp"].to_physical().to_numpy().astype(np.int64)

    @cached_property
    def steps(self) -> np.ndarray:
        """[R] timestamps in whole steps since 1970."""
        return self.times // _us(self.step)

    @cached_property
    def systems(self) -> np.ndarray:
        """[R] system_id of each row."""
        return self.frame["system_id"].to_numpy()

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(self.frame.columns)

    @cached_property
    def _keys(self) -> tuple[np.ndarray, int]:
        """[R] one ascending number for system and step; the distance of two systems."""
        if len(self) == 0:
            return np.empty(0, np.int64), 1
        since = self.steps - self.steps.min()
        apart = 4 * (int(since.max()) + 1)  # look-ups reach at most so far beyond a system's rows
        return (self.frame["system_id"].rank("dense").to_numpy().astype(np.int64) * apart) + since, apart

    def rows_before(self, rows: np.ndarray, steps: int) -> np.ndarray:
        """[n] number of the first row of the same system at or after `steps` steps before each of `rows`."""
        keys, apart = self._keys
        start = keys[rows] // apart * apart
        return np.searchsorted(keys, np.maximum(keys[rows] - steps, start))

    def values(self, column: str, rows: np.ndarray | None = None) -> np.ndarray:
        """[R], or [n] for `rows`, the column as float64; null, infinite and absent become NaN."""
        if column not in self._columns:
            return np.full(len(self) if rows is None else rows.size, np.nan)
        series = self.frame[column]
        if rows is not None and rows.size:  # only their span is read: the frame may be mapped from a file
            first = rows.min()
            series, rows = series.slice(first, rows.max() + 1 - first), rows - first
        values = series.cast(pl.Float64).to_numpy().copy()
        values[~np.isfinite(values)] = np.nan
        return values if rows is None else values[rows]

    def at(self, values: np.ndarray, rows: np.ndarray, steps: int | np.ndarray) -> np.ndarray:
        """[n] the [R] `values` exactly `steps` steps after (before, if negative) each of `rows`; NaN without a row.

        Several numbers of steps, [S, 1], give [S, n].
        """
        if rows.size == 0:
            return np.empty((*np.shape(steps)[:-1], 0))
        keys, apart = self._keys
        wanted = keys[rows] + steps
        found = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        same = (keys[found] == wanted) & (np.abs(steps) < apart // 4)
        return np.where(same, values[found], np.nan)

    def remembered(self, name: Hashable, rows: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """[n, ..] `compute(rows)`, of which the memory gives what was computed before under this name."""
        if self.memory is None or rows.size == 0:
            return compute(rows)
        return self.memory.of(name, self.times[rows], lambda new: compute(rows[new]))

    def dense(self, column: str | np.ndarray) -> np.ndarray:
        """[S] the column (its name, or its [R] values) on the dense axis; NaN where there is no row or no value."""
        dense = np.full(self.segment_of_step.size, np.nan)
        dense[self.step_of_row] = self.values(column) if isinstance(column, str) else column
        return dense

    def windows(self, column: str | np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
        """[n, T] the `length` steps that end at `rows`, oldest first; at most `padding + 1`."""
        if rows.size == 0:
            return np.empty((0, length))
        view = np.lib.stride_tricks.sliding_window_view(self.dense(column), length)  # [S - T + 1, T]
        return view[self.step_of_row[rows] - (length - 1)]


def by_chunks(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, width: int) -> np.ndarray:
    """[n, width] `function` of `rows` piece by piece, so that the windows of all rows are never in memory at once."""
    result = np.empty((rows.size, width))
    for i in range(0, rows.size, CHUNK_ROWS):
        result[i : i + CHUNK_ROWS] = function(rows[i : i + CHUNK_ROWS])
    return result


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` by system and time; itself where it is, because its rows may be more than memory holds."""
    keys = frame.select("system_id", "timestamp")
    return frame if keys.equals(keys.sort("system_id", "timestamp")) else frame.sort("system_id", "timestamp")


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def _grid_problems(frame: pl.DataFrame, step: timedelta) -> list[str]:
    if frame["timestamp"].null_count() or frame["system_id"].null_count():
        return ["a row has no timestamp or no system_id"]
    problems = []
    off = (frame["timestamp"].to_physical() % _us(step) != 0).sum()
    if off:
        problems.append(f"{off} of {frame.height} rows do not start on the grid of {step}")
    twice = frame.height - frame.select("system_id", "timestamp").unique().height
    if twice:
        problems.append(f"{twice} rows repeat a (system_id, timestamp)")
    return problems
