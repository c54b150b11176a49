"""Intervals of scores by the bootstrap of moving blocks, for rows of one or more systems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

RESAMPLES = 200
LEVEL = 0.95
_CHUNK = 2**15  # weights at once: they stay in the cache


@dataclass(frozen=True)
class BlockBootstrap:
    """The rows as they are, and `RESAMPLES` resamples of them (Kuensch 1989).

    A resample is made of blocks: `length` consecutive times, each with the rows of all systems. So no block runs from
    one system into another, and what the systems of a farm have in common at a time stays together (Goncalves 2011).
    A block holds at least `horizon` times, because errors whose forecasts overlap are dependent, and at least the cube
    root of all. Behind the last time comes the first again (Politis and Romano 1992): otherwise what happens near the
    ends, a jump in the last hour say, would be missing from most resamples.

    Results are [R], R = 1 + RESAMPLES: the first is of the rows as they are.

    Attributes:
        time: [n] number of each row's time among the distinct times.
        starts: [RESAMPLES, K] number of the time at which each block starts.
        length: times in a block.
    """

    time: np.ndarray
    starts: np.ndarray
    length: int

    @classmethod
    def of(cls, times: np.ndarray, horizon: int, seed: int) -> Self:
        """Draw the blocks for [n] rows at `times`, in any order."""
        distinct, time = np.unique(times, return_inverse=True)
        n = distinct.size
        length = int(min(max(horizon, np.ceil(n ** (1 / 3))), n))
        blocks = max(1, round(n / length))
        starts = np.random.default_rng(seed).integers(0, n, (RESAMPLES, blocks))
        return cls(time, starts, length)

    @cached_property
    def rows(self) -> np.ndarray:
        """[R] rows in each."""
        return self._sums(np.ones(self.time.size))

    def means(self, values: np.ndarray) -> np.ndarray:
        """[R] means of [n] values."""
        return self._sums(values) / self.rows

    def weights(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """[R, n] how often each row is in each, piece by piece; rows in the given order."""
        yield np.ones((1, order.size), np.int64)
        times = int(self.time.max()) + 1
        pieces = min(-(-RESAMPLES * order.size // _CHUNK), RESAMPLES)
        for starts in np.array_split(self.starts, pieces):
            cell = np.arange(len(starts))[:, None] * times + starts
            counts = np.bincount(cell.ravel(), minlength=len(starts) * times).reshape(-1, times)
            earlier = counts[:, times - self.length + 1 :]  # blocks that start before the end and reach past it
            running = _block_sums(np.concatenate([earlier, counts], axis=1), self.length)
            yield np.take(running, self.time[order], axis=1)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        per_time = np.bincount(self.time, values)
        blocks = _block_sums(np.concatenate([per_time, per_time[: self.length - 1]]), self.length)
        return np.concatenate([[values.sum()], blocks[self.starts].sum(axis=1)])


def _block_sums(values: np.ndarray, length: int) -> np.ndarray:
    """Sums over `length` neighbours along the last axis: [.., n] -> [.., n - length + 1]."""
    start = np.zeros((*values.shape[:-1], 1), values.dtype)
    running = np.concatenate([start, np.cumsum(values, axis=-1)], axis=-1)
    return running[..., length:] - running[..., :-length]


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above / below`, NaN (undefined) where `below` is not positive."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def score_columns(names: Iterable[str]) -> dict[str, pl.DataType]:
    """Columns of scores with the bounds of their interval: `mae`, `mae_low`, `mae_high`."""
    return {f"{name}{bound}": pl.Float64() for name in names for bound in ("", "_low", "_high")}


def with_bounds(scores: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Values of `score_columns` from [R] results; undefined ones are null, with null bounds.

    Bounds are null too where a share of `LEVEL` of the resamples does not have the score: a class or a spread that
    hangs on one place in time has no interval.
    """
    values: dict[str, float | None] = {}
    for name, results in scores.items():
        value, resampled = results[0], results[1:][~np.isnan(results[1:])]
        is_defined = not np.isnan(value)
        low = high = None
        if is_defined and resampled.size >= LEVEL * RESAMPLES:
            low, high = map(float, np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        values |= {name: float(value) if is_defined else None, f"{name}_low": low, f"{name}_high": high}
    return values
