"""The forecast, top to bottom.

For a target y, a forecast origin t and h steps ahead, in the target's own unit:

    simple_i(t, h)   persistence, short means, the same time yesterday, lines on recent values      (base.py)
    base(t, h)       = sum_i w_i simple_i,   w_i ~ exp(-20 (L_i / L_best - 1)),   sum_i w_i = 1     (weights.py)
    learned(t, h)    = base + c_h scale_h f(x_t),   f an LSTM, a GRU or LightGBM   (recurrent.py, boosting.py)
    forecast(t, h)   = base + s (learned - base),   s in [0, 1] the shrinkage
    interval(t, h)   = forecast +- q_h e(t, h)
    ensemble(t, h)   = mean of the models' forecasts

L_i is the recent loss of a forecast: its mean absolute error over the last hindcasts whose actual is known at t, and
over a few more that training and validation stand for. The credibility c_h = n_h / (n_h + 10) counts the n_h
independent stretches of h steps that were learned from (Buehlmann 1967): six hours ahead, a week holds 28. The
shrinkage s is the weight of `learned` beside `base` by the same rule: a model that does worse than the base forecast
where it is used loses its weight there; what validation says for it counts by the stretches of h steps that validation
holds (training/shrinkage.py). e(t, h) is the error to expect, the recent losses weighted like the forecasts;
q_h is the conformal quantile of |actual - forecast| / e (Lei et al. 2018, section 5.2) on rows of the past. *The*
baseline that skill is held against is the best of persistence, short mean and the same time yesterday, per target and
horizon, on validation (base.py).

Shapes: `n` rows, `K` targets, `H` horizons, `E` forecasts that are combined, `L` levels of an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.base import BaseForecast
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Task
from hydro_assets.forecasting.weights import ExponentialWeights, hindcast_rows

LEVELS = (0.80, 0.95)
"""Nominal coverage of the intervals."""
_CREDIBLE_STRETCHES = 10.0


@dataclass(frozen=True)
class TargetModel:
    """What makes a learned change the forecast of one target.

    Attributes:
        base: the base forecast.
        shrinkage: weights of base and learned forecast by their recent errors.
        quantiles: [L, H] conformal quantiles of error / expected error.
        credibility: [H] share of the learned change that so many training rows can support.
        learned_until: end of what the learner was fitted on, microseconds since 1970. Its errors before say nothing
            of those to come, so there the validation's word counts: the base forecast's error, scaled.
    """

    base: BaseForecast
    shrinkage: ExponentialWeights
    quantiles: np.ndarray
    credibility: np.ndarray
    learned_until: int

    def forecast(
        self, grid: TimeGrid, rows: np.ndarray, actual: np.ndarray, base: np.ndarray, learned: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """[n, H] forecasts of `rows` and [n, H] errors to expect of them; NaN where nothing was learned.

        Args:
            actual: [n, H] of `rows`, NaN where not known yet; base, learned: [n, H] forecasts of `rows`.
        """
        both, prior = np.stack([base, self.learned(base, learned)]), self.shrinkage.prior
        error = np.abs(both - actual)
        seen = grid.times[rows] < self.learned_until
        error[1, seen] = error[0, seen] * prior[1] / np.maximum(prior[0], 1e-300)
        return self.shrinkage.combine(grid, rows, both, error, self.base.task.horizons)

    def learned(self, base: np.ndarray, learned: np.ndarray) -> np.ndarray:
        """[n, H] the learned forecast as far as it is credible."""
        return base + self.credibility * (learned - base)

    def half_width(self, expected: np.ndarray) -> np.ndarray:
        """[n, H] errors to expect -> [L, n, H] half widths of the intervals."""
        return self.quantiles[:, None, :] * expected

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {
            "base": self.base.to_json(),
            "shrinkage": self.shrinkage.to_json(),
            "credibility": self.credibility.tolist(),
            "learned_until": self.learned_until,
            "quantiles": [[None if np.isnan(q) else q for q in level] for level in self.quantiles.tolist()],
        }

    @classmethod
    def from_json(cls, task: Task, state: dict[str, Any]) -> Self:
        return cls(
            BaseForecast.from_json(task, state["base"]),
            ExponentialWeights.from_json(state["shrinkage"]),
            np.array(state["quantiles"], dtype=float),
            np.array(state["credibility"]),
            state["learned_until"],
        )


def credibility(rows: int, horizons: Sequence[int]) -> np.ndarray:
    """[H] share of a learned change that `rows` training rows can support."""
    stretches = rows / np.array(horizons)
    return stretches / (stretches + _CREDIBLE_STRETCHES)


@dataclass(frozen=True)
class BaseRows:
    """Base forecasts of one target at some rows.

    Attributes:
        rows: [n] sorted row numbers; simple: [E, n, H]; base, expected: [n, H].
    """

    rows: np.ndarray
    simple: np.ndarray
    base: np.ndarray
    expected: np.ndarray


@dataclass
class Bases:
    """Base forecasts on one grid, each computed once however many models start from it."""

    grid: TimeGrid
    _made: dict[str, BaseRows] = field(default_factory=dict)

    def of(self, base: BaseForecast, rows: np.ndarray) -> BaseRows:
        """At `rows`, sorted; all that weighs them is computed too, but not returned."""
        key = f"{base.digest}{hash(rows.tobytes())}"
        if key not in self._made:
            made = self.grid.remembered(("base", base.digest), rows, lambda new: self._make(base, new))  # [n, 2 + E, H]
            self._made[key] = BaseRows(rows, made[:, 2:].transpose(1, 0, 2), made[:, 0], made[:, 1])
        return self._made[key]

    def _make(self, base: BaseForecast, rows: np.ndarray) -> np.ndarray:
        """[n, 2 + E, H] base forecast, its expected error and the simple forecasts of `rows`."""
        need = hindcast_rows(self.grid, rows, base.task.horizons)
        simple = base.simple(self.grid, need)
        actual = actuals(self.grid, base.target, base.task.horizons, need)
        combined, expected = base.combine(self.grid, need, actual, simple)
        both = np.concatenate([combined[None], expected[None], simple])
        return both[:, np.searchsorted(need, rows)].transpose(1, 0, 2)


def ensemble(forecasts: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of the models' forecasts, all of one shape, where any of them forecasts; NaN where none does."""
    stacked = np.stack(forecasts)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, stacked, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
