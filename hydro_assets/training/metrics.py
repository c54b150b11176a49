"""Errors in the target's own unit, with skill against both baselines and block-bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

METRICS_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "model": pl.String(),
        "horizon": pl.Int32(),
        "system_id": pl.String(),
        "n": pl.Int64(),
        **{
            name: pl.Float64()
            for name in (
                "mae",
                "rmse",
                "mape",
                "bias",
                "r2",
                "skill_persistence",
                "skill_short_mean",
                "mae_low",
                "mae_high",
            )
        },
    }
)
BASELINES = ("persistence", "short_mean")
_RESAMPLES = 200


def forecast_metrics(
    split: str,
    truth: np.ndarray,
    forecasts: Mapping[str, np.ndarray],
    horizons: tuple[int, ...],
    systems: np.ndarray,
    seed: int,
) -> pl.DataFrame:
    """METRICS_SCHEMA for every forecaster, horizon and system (and `all` together).

    All forecasters are measured on the same rows: those where the truth and every forecast are known. Skill is
    `1 - MAE / MAE of the baseline`.

    Args:
        truth: [n, H]; forecasts: [n, H] each, with `persistence` and `short_mean` among them; systems: [n].
    """
    groups = {"all": np.ones(systems.size, bool), **{str(s): systems == s for s in sorted(set(systems))}}
    rows = []
    for j, horizon in enumerate(horizons):
        known = ~np.isnan(truth[:, j])
        for values in forecasts.values():
            known &= ~np.isnan(values[:, j])
        for system, mine in groups.items():
            use = known & mine
            if not use.any():
                continue
            measured = {m: _measure(truth[use, j], f[use, j], horizon, seed) for m, f in forecasts.items()}
            for model, values in measured.items():
                skills = {f"skill_{b}": _skill(values["mae"], measured[b]["mae"]) for b in BASELINES}
                rows.append(
                    {
                        "split": split,
                        "model": model,
                        "horizon": horizon,
                        "system_id": system,
                        "n": int(use.sum()),
                        **values,
                        **skills,
                    }
                )
    return pl.DataFrame(rows, schema=METRICS_SCHEMA)


def _measure(truth: np.ndarray, forecast: np.ndarray, horizon: int, seed: int) -> dict[str, float | None]:
    error = forecast - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    relative = np.abs(truth) > 1e-6
    low, high = block_bootstrap(np.abs(error), horizon, seed)
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        # A percentage means nothing where the truth touches zero.
        "mape": float(100 * np.abs(error / truth).mean()) if relative.all() else None,
        "bias": float(error.mean()),
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else None,
        "mae_low": low,
        "mae_high": high,
    }


def _skill(mae: float | None, reference: float | None) -> float | None:
    return None if mae is None or not reference else 1 - mae / reference


def block_bootstrap(values: np.ndarray, horizon: int, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of a time series by the moving-block bootstrap (Kuensch 1989).

    Blocks hold at least `horizon` neighbours, because errors whose forecasts overlap are dependent, and at least the
    cube root of n.
    """
    n = values.size
    block = int(min(max(horizon, np.ceil(n ** (1 / 3))), n))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    block_means = (sums[block:] - sums[:-block]) / block
    count = max(1, round(n / block))
    draws = np.random.default_rng(seed).integers(0, block_means.size, (_RESAMPLES, count))
    low, high = np.quantile(block_means[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
