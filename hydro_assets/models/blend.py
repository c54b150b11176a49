"""How far a learned forecast is trusted: its floor are the simple forecasts, per horizon and at every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hydro_assets.models.combination import Combination
from hydro_assets.models.contract import Forecaster
from hydro_assets.models.simple import SimpleForecasts
from hydro_assets.models.windows import SegmentGrid

_SHARES = np.linspace(0, 1, 21)


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

    def forecast(
        self, simple: SimpleForecasts, forecaster: Forecaster, grid: SegmentGrid, rows: np.ndarray, truth: np.ndarray,
        simple_forecasts: dict[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] final forecasts and [n, H] errors to expect of them; NaN where the learned model says nothing."""
        anchor = simple.anchor(grid, rows, truth, simple_forecasts)
        learned = forecaster.predict(grid, rows, anchor)
        return self.combine(grid, rows, truth, simple_forecasts, anchor, learned, simple.task.horizons)

    def combine(
        self, grid: SegmentGrid, rows: np.ndarray, truth: np.ndarray, simple: dict[str, np.ndarray],
        anchor: np.ndarray, learned: np.ndarray, horizons: tuple[int, ...],
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same from forecasts that are there already."""
        shrunk = anchor + np.array(self.share) * (learned - anchor)
        return self.combination.combine(grid, rows, truth, [*simple.values(), shrunk], horizons)

    def to_json(self) -> dict[str, Any]:
        return {"share": list(self.share), "combination": self.combination.to_json()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls(tuple(state["share"]), Combination.from_json(state["combination"]))


def trusted_share(truth: np.ndarray, anchor: np.ndarray, learned: np.ndarray) -> tuple[float, ...]:
    """[H] share in [0, 1] of the learned change that gives the least MAE; all arguments are [n, H]."""
    shares = []
    for j in range(truth.shape[1]):
        known = ~np.isnan(truth[:, j] + anchor[:, j] + learned[:, j])
        if not known.any():
            shares.append(0.0)
            continue
        error, change = (truth - anchor)[known, j], (learned - anchor)[known, j]
        mae = np.abs(error[:, None] - change[:, None] * _SHARES).mean(axis=0)
        shares.append(float(_SHARES[mae.argmin()]))
    return tuple(shares)
