"""Several forecasts made one: each weighs by how well it has done lately, at that very place.

Exponentially weighted aggregation of forecasters (Vovk 1990; Cesa-Bianchi and Lugosi 2006), with the loss taken over a
finite window, so that a forecast depends on a bounded history and is the same whoever computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.contract import HINDCAST_STEPS
from hydro_assets.forecasting.windows import SegmentGrid

SHARPNESS = (10.0, 30.0)  # a forecaster with a loss 10 % above the best one weighs exp(-1) to exp(-3) of it
PRIOR_COUNT = 20.0  # the prior counts as so many hindcasts
_LARGEST_PRIOR_RATIO = 2.0  # the prior calls no forecaster more than twice as bad as the best one
_SHARED_ERRORS = 5.0  # of an error that all share, such as a jump, so many times the usual one is kept
_LEVEL_COUNT = 5.0  # hindcasts after which the recent errors, not the prior, say how large errors are


@dataclass(frozen=True)
class Combination:
    """Weights per row and horizon from recent errors.

    Attributes:
        prior: [E, H] mean absolute error of each of `E` forecasters on validation rows.
    """

    prior: np.ndarray

    @classmethod
    def fit(cls, truth: np.ndarray, forecasts: Sequence[np.ndarray]) -> Self:
        """Prior losses from [n, H] truths and E forecasts [n, H] of validation rows."""
        error = np.stack([np.abs(f - truth) for f in forecasts])  # [E, n, H]
        known = ~np.isnan(error).any(axis=0)  # [n, H]
        return cls(np.where(known, error, 0).sum(axis=1) / np.maximum(known.sum(axis=0), 1))

    def combine(
        self,
        grid: SegmentGrid,
        rows: np.ndarray,
        truth: np.ndarray,
        forecasts: Sequence[np.ndarray],
        horizons: Sequence[int],
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] combined forecasts of `rows`, and the [n, H] absolute error to expect from what happened lately.

        An origin's error counts for a row only once its truth was measured, `h` steps later, in the same segment.

        Args:
            truth: [n, H] of `rows`, NaN where not known yet; forecasts: E times [n, H].
        """
        stacked = np.stack(forecasts)  # [E, n, H]
        combined, expected = np.full(truth.shape, np.nan), np.full(truth.shape, np.nan)
        for j, h in enumerate(horizons):
            values = stacked[:, :, j]  # [E, n]
            loss = self._recent_loss(grid, rows, np.abs(values - truth[:, j]), h, self.prior[:, j])
            best = np.maximum(loss.min(axis=0), 1e-9 * loss.max(axis=0) + 1e-300)
            weight = np.exp(-sharpness(h) * (loss / best - 1))
            weight /= weight.sum(axis=0)
            combined[:, j] = (weight * values).sum(axis=0)
            expected[:, j] = (weight * loss).sum(axis=0)
        return combined, expected

    @staticmethod
    def _recent_loss(
        grid: SegmentGrid, rows: np.ndarray, error: np.ndarray, horizon: int, prior: np.ndarray
    ) -> np.ndarray:
        """[E, n] mean error of the last HINDCAST_STEPS origins whose truth is known at each row, and the prior's.

        The prior speaks of ratios only: it is scaled to the size of the recent errors, because what was a quiet day
        in validation may be a wild one now, and the other way round.
        """
        least = max(float(prior.min()), 1e-300)
        # What nobody foresaw says nothing about who is better, but would drown out everything that does.
        error = error - np.maximum(error.min(axis=0) - _SHARED_ERRORS * least, 0)
        known = ~np.isnan(error).any(axis=0)
        dense = np.zeros((error.shape[0] + 1, grid.segment_of_step.size))
        at = grid.step_of_row[rows[known]] + horizon  # where the error becomes known
        inside = at < dense.shape[1]
        dense[:-1, at[inside]] = error[:, known][:, inside]
        dense[-1, at[inside]] = 1.0
        # Sums over 2, 4, 8 .. steps: unlike running totals they depend on the window alone, to the last bit. The lead
        # of a segment is longer than horizon and window together, so nothing passes from one segment to the next.
        width = 1
        while width < HINDCAST_STEPS:
            dense[:, width:] = dense[:, width:] + dense[:, :-width]
            width *= 2
        total, count = dense[:-1, grid.step_of_row[rows]], dense[-1, grid.step_of_row[rows]]
        ratio = np.minimum(prior / least, _LARGEST_PRIOR_RATIO)[:, None]
        level = (total.min(axis=0) + _LEVEL_COUNT * least) / (count + _LEVEL_COUNT)  # [n]
        return (total + PRIOR_COUNT * ratio * level) / (count + PRIOR_COUNT)

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {"prior": self.prior.tolist()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls(np.array(state["prior"]))


def sharpness(horizon: int) -> float:
    """How fast weight falls with loss: twice the independent hindcasts in the window, within SHARPNESS.

    Forecasts of origins less than `horizon` steps apart share most of their error.
    """
    return float(np.clip(2 * HINDCAST_STEPS / horizon, *SHARPNESS))
