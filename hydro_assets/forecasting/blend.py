"""How far a learned forecast is trusted: its floor are the simple forecasts, per horizon and at every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.combination import Combination
from hydro_assets.forecasting.windows import SegmentGrid

_SHARES = np.linspace(0, 1, 21)
_QUARTERS = 4


@dataclass(frozen=True)
class Blend:
    """The learned change from the anchor is first shrunk, then weighs beside the simple forecasts as one of them.

    Attributes:
        share: [H] part of the learned change that validation trusts, 0 = none.
        combination: weights of the simple members and the shrunk forecast by their recent errors; a learned model
            that does worse than a simple forecast where it is used loses its weight there.
    """

    share: tuple[float, ...]
    combination: Combination

    @classmethod
    def fit(cls, truth: np.ndarray, simple: dict[str, np.ndarray], anchor: np.ndarray, learned: np.ndarray) -> Self:
        """Fit on [n, H] truths and forecasts of validation rows."""
        share = trusted_share(truth, anchor, learned)
        shrunk = anchor + np.array(share) * (learned - anchor)
        return cls(share, Combination.fit(truth, [*simple.values(), shrunk]))

    def combine(
        self,
        grid: SegmentGrid,
        rows: np.ndarray,
        truth: np.ndarray,
        simple: dict[str, np.ndarray],
        anchor: np.ndarray,
        learned: np.ndarray,
        horizons: tuple[int, ...],
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] final forecasts and [n, H] errors to expect of them; NaN where the learned model says nothing.

        Args:
            truth: [n, H] of `rows`, NaN where not known yet; simple, anchor, learned: [n, H] forecasts of `rows`.
        """
        shrunk = anchor + np.array(self.share) * (learned - anchor)
        return self.combination.combine(grid, rows, truth, [*simple.values(), shrunk], horizons)

    def to_json(self) -> dict[str, Any]:
        return {"share": list(self.share), "combination": self.combination.to_json()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls(tuple(state["share"]), Combination.from_json(state["combination"]))


def trusted_share(truth: np.ndarray, anchor: np.ndarray, learned: np.ndarray) -> tuple[float, ...]:
    """[H] share in [0, 1] of the learned change to use; all arguments are [n, H], in order of time.

    The mean of the shares that give the least MAE in each quarter of the rows: errors of neighbouring rows are nearly
    the same error, so the best share of all rows together would trust what one lucky hour says.
    """
    shares = []
    for j in range(truth.shape[1]):
        known = np.isfinite(truth[:, j] + anchor[:, j] + learned[:, j])
        error, change = (truth - anchor)[known, j], (learned - anchor)[known, j]
        mae = np.abs(error[:, None] - change[:, None] * _SHARES)  # [n, S]
        best = [_SHARES[part.mean(axis=0).argmin()] for part in np.array_split(mae, _QUARTERS) if part.size]
        shares.append(float(np.mean(best)) if best else 0.0)
    return tuple(shares)
