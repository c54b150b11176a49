"""Feature rows on their dense time grid: windows are views, and none crosses a gap, a system or the present."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import numpy as np
import polars as pl

from hydro_assets.errors import TableError

CHUNK_ROWS = 65536  # rows whose windows are in memory at once
_MADE_AT_MOST = 8  # arrays of at most CHUNK_ROWS that a grid keeps


@dataclass(frozen=True)
class SegmentGrid:
    """All segments of a frame behind each other on the step grid.

    Every segment is led by `lead` empty steps, so the window of `lead + 1` steps that ends at any row lies inside its
    own segment or in emptiness. `R` rows, `S` dense steps, `S >= R`.

    Attributes:
        frame: the rows, sorted by (system_id, timestamp).
        step_of_row: [R] position of each row on the dense axis.
        segment_of_step: [S] number of the segment a dense step belongs to.
        lead: empty steps before each segment.
    """

    frame: pl.DataFrame
    step_of_row: np.ndarray
    segment_of_step: np.ndarray
    lead: int
    step: timedelta
    _made: dict[tuple[Hashable, ...], np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, frame: pl.DataFrame, step: timedelta, gap_limit: timedelta, lead: int) -> SegmentGrid:
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
            return cls(frame, np.empty(0, np.int64), np.empty(0, np.int32), lead, step)
        systems = frame["system_id"].rank("dense").to_numpy().astype(np.int64)
        distance = np.diff(times) // _us(step)
        new_segment = (np.diff(systems) != 0) | (np.diff(times) > _us(gap_limit))
        advance = np.where(new_segment, lead + 1, distance)
        step_of_row = lead + np.concatenate([[0], np.cumsum(advance)])
        starts = np.concatenate([[0], step_of_row[1:][new_segment] - lead])
        segment_of_step = np.zeros(int(step_of_row[-1]) + 1, np.int32)
        segment_of_step[starts[1:]] = 1
        return cls(frame, step_of_row, np.cumsum(segment_of_step, dtype=np.int32), lead, step)

    def __len__(self) -> int:
        return self.frame.height

    @cached_property
    def times(self) -> np.ndarray:
        """[R] timestamps, microseconds since 1970 UTC."""
        return self.frame["timestamp"].to_physical().to_numpy().astype(np.int64)

    @cached_property
    def systems(self) -> np.ndarray:
        """[R] system_id of each row."""
        return self.frame["system_id"].to_numpy()

    def values(self, column: str, rows: np.ndarray | None = None) -> np.ndarray:
        """[R], or [n] for `rows`, the column as float64; null, infinite and absent become NaN."""
        if column not in self.frame.columns:
            return np.full(len(self) if rows is None else rows.size, np.nan)
        series = self.frame[column]
        if rows is not None and rows.size:  # only their span is read: the frame may be mapped from a file
            first = rows.min()
            series, rows = series.slice(first, rows.max() + 1 - first), rows - first
        values = series.cast(pl.Float64).to_numpy().copy()
        values[~np.isfinite(values)] = np.nan
        return values if rows is None else values[rows]

    def dense(self, column: str) -> np.ndarray:
        """[S] the column on the dense axis; NaN where there is no row or no value."""
        dense = np.full(self.segment_of_step.size, np.nan)
        dense[self.step_of_row] = self.values(column)
        return dense

    def windows(self, column: str, rows: np.ndarray, length: int) -> np.ndarray:
        """[n, T] the `length` steps that end at `rows`, oldest first; at most `lead + 1`."""
        view = np.lib.stride_tricks.sliding_window_view(self.dense(column), length)  # [S - T + 1, T]
        return view[self.step_of_row[rows] - (length - 1)]

    def once(self, what: Hashable, rows: np.ndarray, make: Callable[[], np.ndarray]) -> np.ndarray:
        """`make()`, read-only, made once for `rows`: simple and learned forecasts read the same course of a target."""
        key = (what, rows.tobytes())
        if key not in self._made:
            while len(self._made) >= _MADE_AT_MOST:
                self._made.pop(next(iter(self._made)))
            self._made[key] = make()
            self._made[key].flags.writeable = False
        return self._made[key]

    def ahead(self, column: str, horizons: Sequence[int]) -> np.ndarray:
        """[R, H] the column `h` steps after each row, NaN where unknown or in another segment."""
        dense, last = self.dense(column), self.segment_of_step.size - 1
        truth = np.full((len(self), len(horizons)), np.nan)
        for j, h in enumerate(horizons):
            later = self.step_of_row + h
            inside = np.minimum(later, last)
            same = (later <= last) & (self.segment_of_step[inside] == self.segment_of_step[self.step_of_row])
            truth[same, j] = dense[inside[same]]
        return truth


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
