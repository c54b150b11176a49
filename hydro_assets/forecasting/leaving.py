"""How probable it is that a target leaves its crop band on the way to a forecast.

The forecasts up to a horizon are points of a path. How far each lies beyond the nearer edge of the band, in widths of
its own interval, gives log odds (errors as logistic, 80 % of them inside the interval); the worst point counts:

    odds_h = max over points j <= h of  logit(0.9) * max(forecast_j - high, low - forecast_j) / half_width_j
    probability_h = sigmoid(slope * odds_h + offset)

This alone knows nothing of the steps between the points, nor of what a farm does near an edge (dosing and fans push
back, noise crosses it and returns). Slope and offset do: they are learned per target and horizon from whole paths, from
whether any step up to h really lay outside (`training/fit_leaving.py`). Before anything is learned they are 1 and 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

KEYS = ["system_id", "timestamp"]
_LOG_ODDS_80 = float(np.log(0.9 / 0.1))  # at the end of an 80 % interval
_HALF = 0.5
_MOST = float(np.log(1e4))  # nothing is certain: log odds end here


class LeavingCalibration(BaseModel):
    """What was learned for one target and horizon (steps)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    horizon: int
    slope: float
    offset: float


def path_odds(forecasts: pl.DataFrame, low: float, high: float) -> pl.DataFrame:
    """[system_id, timestamp, horizon, odds] from PREDICTION_SCHEMA rows of one target, in the order of these keys."""
    ordered = forecasts.sort(*KEYS, "horizon")
    half_width = (pl.col("upper_80") - pl.col("lower_80")) / 2
    shape = (-1, max(ordered["horizon"].n_unique(), 1))  # [n * H] -> [n, H]
    prediction, half = (
        ordered.select(e.fill_null(np.nan)).to_series().to_numpy().reshape(shape)
        for e in (pl.col("prediction"), half_width)
    )
    odds = path_log_odds(prediction, half, low, high)
    return ordered.select(*KEYS, "horizon", odds=pl.Series(odds.ravel()).fill_nan(None))


def path_log_odds(forecast: np.ndarray, half_width: np.ndarray, low: float, high: float) -> np.ndarray:
    """[n, H] forecasts by ascending horizon and half their 80 % intervals -> [n, H] log odds of the worst point so far.

    NaN where the forecast of the horizon itself or its interval is not known.
    """
    beyond = np.maximum(forecast - high, low - forecast) / np.maximum(half_width, 1e-12)
    odds = np.clip(_LOG_ODDS_80 * beyond, -_MOST, _MOST)
    worst = np.fmax.accumulate(odds, axis=1) if odds.shape[1] else odds
    return np.where(np.isnan(odds), np.nan, worst)


def leaving_probability(
    odds: np.ndarray,
    is_outside: np.ndarray,
    target: str,
    horizons: Sequence[int],
    learned: Sequence[LeavingCalibration],
) -> np.ndarray:
    """[n, H] probabilities, never falling along the path; 1 where the target is outside already (`is_outside`: [n])."""
    of = {c.horizon: (c.slope, c.offset) for c in learned if c.target == target}
    slope, offset = np.array([of.get(h, (1.0, 0.0)) for h in horizons]).reshape(-1, 2).T  # [H], [H]
    p = np.fmax.accumulate(1 / (1 + np.exp(-(slope * odds + offset))), axis=1)
    return np.where(np.isnan(odds), np.nan, np.where(is_outside[:, None], 1.0, p))


def minutes_to_leaving(lead_minutes: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """[n] minutes until the probability of having left reaches one half; NaN where it does not.

    Args:
        lead_minutes: [H] ascending; probability: [n, H] of leaving up to there, NaN where not known. Between two points
            that are known it rises evenly, from 0 at the origin.
    """
    found = np.full(len(probability), np.nan)
    before_at, before = np.zeros(len(probability)), np.zeros(len(probability))
    for at, p in zip(lead_minutes, probability.T, strict=True):
        crosses = np.isnan(found) & (p >= _HALF)
        rise = np.where(crosses, p - before, 1.0)
        found = np.where(crosses, before_at + (_HALF - before) / rise * (at - before_at), found)
        known = ~np.isnan(p)
        before_at, before = np.where(known, at, before_at), np.where(known, p, before)
    return found
