"""Learn, and measure, how probable leaving the crop band is: forecasts beside the whole paths that followed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from hydro_assets.forecasting.leaving import KEYS, LeavingCalibration, leaving_probability, path_odds
from hydro_assets.setting_groups import Band

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

LEAST_COVERAGE = 0.5  # share of a path's steps that must have been measured
LEAST_IN_DECILE = 50
_PRIOR, _PRIOR_SPREAD = np.array([1.0, 0.0]), np.array([1.0, 3.0])  # of slope and offset
LEAVING_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "target": pl.String(),
        "horizon": pl.Int32(),
        "n": pl.Int64(),
        "event_share": pl.Float64(),
        "mean_probability": pl.Float64(),
        "brier": pl.Float64(),
        "brier_climatology": pl.Float64(),
        "n_foreseen": pl.Int64(),
        "hit_rate": pl.Float64(),
        "share_foreseen": pl.Float64(),
    }
)
RELIABILITY_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "target": pl.String(),
        "horizon": pl.Int32(),
        "decile": pl.Int32(),
        "n": pl.Int64(),
        "mean_probability": pl.Float64(),
        "event_share": pl.Float64(),
    }
)


@dataclass(frozen=True)
class LeavingFit:
    """What was learned, and how good it is.

    Attributes:
        metrics: LEAVING_SCHEMA, per split (`train` is train and validation, which it learned from), target, horizon.
        reliability: RELIABILITY_SCHEMA; a calibrated probability has event_share near mean_probability in each decile.
    """

    calibrations: tuple[LeavingCalibration, ...]
    metrics: pl.DataFrame
    reliability: pl.DataFrame


def path_left_band(
    features: pl.DataFrame, target: str, band: Band, horizons: Sequence[int], step: timedelta
) -> pl.DataFrame:
    """[system_id, timestamp, horizon, is_outside, left]: whether a step in (t, t + horizon] lay outside the band.

    `features`: rows of sensor_features, sorted by system and time. `left` is null where the path is not known: where
    the rows end before it does, or less than LEAST_COVERAGE of its steps were measured and none of them lay outside.
    """
    value = pl.col(target).fill_nan(None)
    rows = features.select(*KEYS, outside=(value < band.low) | (value > band.high))
    last = pl.col("timestamp").max().over("system_id")
    parts = []
    for h in horizons:
        path = rows.rolling(
            "timestamp", period=h * step, offset=timedelta(0), closed="right", group_by="system_id"
        ).agg(known=pl.col("outside").count(), out=pl.col("outside").any())
        ends = rows.with_columns(is_over=last >= pl.col("timestamp") + h * step)
        parts.append(
            ends.join(path, on=KEYS, how="left", maintain_order="left").select(
                *KEYS,
                horizon=pl.lit(h, pl.Int32),
                is_outside=pl.col("outside"),
                left=pl.when(pl.col("out"))
                .then(True)
                .when(pl.col("is_over") & (pl.col("known") >= LEAST_COVERAGE * h))
                .then(False),
            )
        )
    return pl.concat(parts)


def fit_leaving(
    package: ForecastPackage, features: pl.DataFrame, bands: Mapping[str, Band], validation_end: datetime
) -> LeavingFit:
    """Learn from the rows before `validation_end`, measure on those from the package's holdout on.

    Only rows inside the band count: outside, nothing is left to foresee. Paths of h steps that overlap tell nearly the
    same, so each row weighs 1 / h; few events then leave slope and offset near 1 and 0. Training rows are used because
    validation alone often holds no event at all; the holdout, which is measured, was seen by nobody.
    """
    info = package.info
    holdout = datetime.fromisoformat(info.split["holdout_start"])
    features = features.sort(KEYS)
    forecasts = package.predict(features)
    calibrations: list[LeavingCalibration] = []
    metrics: list[dict[str, Any]] = []
    reliability: list[dict[str, Any]] = []
    for target in info.target_names:
        if (band := bands.get(target)) is None:
            continue
        paths = path_left_band(features, target, band, info.horizons, info.step)
        odds = path_odds(forecasts.filter(pl.col("target") == target), band.low, band.high)
        rows = odds.join(paths, on=[*KEYS, "horizon"]).filter(~pl.col("is_outside")).drop_nulls(["odds", "left"])
        for (horizon,), mine in rows.group_by(["horizon"], maintain_order=True):
            h = int(str(horizon))
            learn = mine.filter(pl.col("timestamp") < validation_end - h * info.step)
            learned = fit_calibration(target, h, learn["odds"].to_numpy(), learn["left"].to_numpy().astype(float))
            calibrations.append(learned)
            for split, part in (("train", learn), ("holdout", mine.filter(pl.col("timestamp") >= holdout))):
                if part.is_empty():
                    continue
                inside = np.zeros(part.height, bool)
                p = leaving_probability(part["odds"].to_numpy()[:, None], inside, target, [h], [learned])[:, 0]
                key = {"split": split, "target": target, "horizon": h}
                left = part["left"].to_numpy().astype(float)
                metrics.append(key | leaving_scores(p, left))
                reliability += [key | row for row in reliability_rows(p, left)]
    return LeavingFit(
        tuple(calibrations),
        pl.DataFrame(metrics, schema=LEAVING_SCHEMA),
        pl.DataFrame(reliability, schema=RELIABILITY_SCHEMA),
    )


def leaving_scores(probability: np.ndarray, left: np.ndarray) -> dict[str, float | int | None]:
    """Scores of [n] probabilities beside what came; foreseen is what had a probability of one half or more.

    `hit_rate`: share of the foreseen that came; `share_foreseen`: share of what came that was foreseen.
    """
    foreseen, share = probability >= 0.5, float(left.mean())
    return {
        "n": left.size,
        "event_share": share,
        "mean_probability": float(probability.mean()),
        "brier": float(((probability - left) ** 2).mean()),
        "brier_climatology": share * (1 - share),
        "n_foreseen": int(foreseen.sum()),
        "hit_rate": float(left[foreseen].mean()) if foreseen.any() else None,
        "share_foreseen": float(foreseen[left == 1].mean()) if share > 0 else None,
    }


def reliability_rows(probability: np.ndarray, left: np.ndarray) -> list[dict[str, float | int]]:
    """Mean probability beside the share that came, per decile of probability that holds LEAST_IN_DECILE rows."""
    decile = np.minimum((probability * 10).astype(int), 9)
    return [
        {
            "decile": d,
            "n": int(mine.sum()),
            "mean_probability": float(probability[mine].mean()),
            "event_share": float(left[mine].mean()),
        }
        for d in range(10)
        if (mine := decile == d).sum() >= LEAST_IN_DECILE
    ]


def fit_calibration(
    target: str, horizon: int, odds: np.ndarray, left: np.ndarray, iterations: int = 50
) -> LeavingCalibration:
    """Logistic regression with a normal prior around slope 1 and offset 0, by Newton's method.

    Args:
        odds: [n] of `path_log_odds`; left: [n] 1 where the path left the band, else 0.
    """
    design = np.stack([odds, np.ones_like(odds)], axis=1)  # [n, 2]
    weights, ridge = _PRIOR.copy(), np.diag(1 / _PRIOR_SPREAD**2)
    for _ in range(iterations):
        p = 1 / (1 + np.exp(-(design @ weights)))
        gradient = design.T @ (p - left) / horizon + ridge @ (weights - _PRIOR)
        hessian = (design * (p * (1 - p))[:, None]).T @ design / horizon + ridge
        move = np.linalg.solve(hessian, gradient)
        before, weights = weights, weights - np.clip(move, -1, 1)
        weights[0] = max(weights[0], 0.0)  # nearer to the edge is never safer
        if np.abs(weights - before).max() < 1e-8:
            break
    return LeavingCalibration(target=target, horizon=horizon, slope=float(weights[0]), offset=float(weights[1]))
