"""Several forecasts made one: each weighs by how well it has done lately, in this system and at this horizon.

Exponential weights (Vovk 1990; Cesa-Bianchi and Lugosi 2006), with the loss taken over a finite window, so that a
forecast depends on a bounded history and is the same whoever computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.actuals import mean_absolute_error
from hydro_assets.forecasting.grid import TimeGrid

HINDCASTS = 128  # newest origins whose forecasts are held against their actuals
LEARNING_RATE = 20.0  # a forecast whose loss is 10 % above the best one's weighs exp(-2) of it
PRIOR_COUNT = 40.0  # the prior counts as so many hindcasts
_LARGEST_PRIOR_RATIO = 2.0  # the prior calls no forecast more than twice as bad as the best one
_SHARED_ERRORS = 5.0  # of an error that all share, such as a jump, so many times the usual one is kept
_LEVEL_COUNT = 5.0  # hindcasts after which the recent errors, not the prior, say how large errors are
_UNITS = 2.0**16  # errors are summed as whole numbers: exact, so that a sum depends on its window alone
_LARGEST = 2.0**22  # and end at so many times the usual error
_LEAST = 1e-6  # usual error, in the target's unit, of forecasts that never err


def spacing(horizon: int) -> int:
    """Steps between hindcasts: those of origins close together share most of their error at a long horizon."""
    return max(1, horizon // 24)


def reach(horizon: int) -> int:
    """Steps before an origin from which its weights take hindcasts."""
    return horizon + HINDCASTS * spacing(horizon)


def hindcast_rows(grid: TimeGrid, rows: np.ndarray, horizons: Sequence[int]) -> np.ndarray:
    """Sorted numbers of `rows` and of all rows whose errors weigh forecasts at `rows`."""
    need = np.zeros(len(grid), bool)
    need[rows] = True
    for h in horizons:
        on = grid.steps % spacing(h) == 0
        begins, ends = (np.bincount(at, minlength=len(grid)) for at in (grid.rows_before(rows, reach(h)), rows))
        need |= (np.cumsum(begins - ends) > 0) & on
    return np.flatnonzero(need)


@dataclass(frozen=True)
class ExponentialWeights:
    """Weights of `E` forecasts per row and horizon from their recent errors.

    Attributes:
        prior: [E, H] mean absolute error of each forecast on validation rows.
    """

    prior: np.ndarray

    @classmethod
    def fit(cls, forecasts: np.ndarray, actual: np.ndarray) -> Self:
        """Prior losses from forecasts [E, n, H] and actuals [n, H] of validation rows."""
        return cls(np.nan_to_num(mean_absolute_error(forecasts, actual)))

    def combine(
        self, grid: TimeGrid, rows: np.ndarray, forecasts: np.ndarray, error: np.ndarray, horizons: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] combined forecasts of `rows`, and the [n, H] absolute error to expect from what happened lately.

        An origin's error counts for a row only once its actual was measured, `h` steps later.

        Args:
            rows: sorted; errors of rows that are not among them are not known.
            forecasts: [E, n, H]; error: [E, n, H] their absolute errors, NaN where the actual is not known yet.
        """
        combined, expected = np.full(error.shape[1:], np.nan), np.full(error.shape[1:], np.nan)
        for j, h in enumerate(horizons):
            values = forecasts[:, :, j]  # [E, n]
            loss = self._recent_loss(grid, rows, error[:, :, j], h, self.prior[:, j])
            best = np.maximum(loss.min(axis=0), 1e-9 * loss.max(axis=0) + 1e-300)
            weight = np.exp(-LEARNING_RATE * (loss / best - 1))
            weight /= weight.sum(axis=0)
            combined[:, j] = (weight * values).sum(axis=0)
            expected[:, j] = (weight * loss).sum(axis=0)
        return combined, expected

    @staticmethod
    def _recent_loss(
        grid: TimeGrid, rows: np.ndarray, error: np.ndarray, horizon: int, prior: np.ndarray
    ) -> np.ndarray:
        """[E, n] mean error of the last hindcasts whose actual is known at each row, and the prior's.

        The prior speaks of ratios only: it is scaled to the size of the recent errors, because what was a quiet day
        in validation may be a wild one now, and the other way round.
        """
        least = max(float(prior.min()), _LEAST)
        # What no forecast saw coming says nothing about which is better, but would drown out everything that does.
        error = error - np.maximum(error.min(axis=0) - _SHARED_ERRORS * least, 0)
        known = ~np.isnan(error).any(axis=0) & (grid.steps[rows] % spacing(horizon) == 0)
        units = np.zeros((error.shape[0] + 1, rows.size + 1), np.int64)
        units[:-1, 1:][:, known] = np.rint(np.minimum(error[:, known] / least, _LARGEST) * _UNITS)
        units[-1, 1:] = known
        running = np.cumsum(units, axis=1)
        first = np.searchsorted(rows, grid.rows_before(rows, reach(horizon) - 1))
        last = np.searchsorted(rows, grid.rows_before(rows, horizon - 1))
        total = running[:, last] - running[:, first]
        total, count = total[:-1] * (least / _UNITS), total[-1]
        ratio = np.minimum(prior / least, _LARGEST_PRIOR_RATIO)[:, None]
        level = (total.min(axis=0) + _LEVEL_COUNT * least) / (count + _LEVEL_COUNT)  # [n]
        return (total + PRIOR_COUNT * ratio * level) / (count + PRIOR_COUNT)

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {"prior": self.prior.tolist()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls(np.array(state["prior"]))
