"""Errors in the target's own unit, skill against the baseline, and coverage, each with a block-bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from hydro_assets.forecasting.base import BASELINES
from hydro_assets.forecasting.learner import Task
from hydro_assets.forecasting.model import LEVELS
from hydro_assets.training.bootstrap import BlockBootstrap, ratio, score_columns, with_bounds
from hydro_assets.training.outcomes import Outcomes

COVERAGES = tuple(f"coverage_{100 * level:.0f}" for level in LEVELS)
SCORES = ("mae", "rmse", "mape", "bias", "r2", "skill", *COVERAGES)
METRICS_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "model": pl.String(),
        "target": pl.String(),
        "horizon": pl.Int32(),
        "system_id": pl.String(),
        "n": pl.Int64(),
        "baseline": pl.String(),
        **score_columns(SCORES),
    }
)
_ROUNDING = 1e-12  # a spread below this share of the squares is rounding


def forecast_metrics(
    split: str, outcomes: Outcomes, task: Task, baseline: Mapping[str, Sequence[str]], seed: int
) -> pl.DataFrame:
    """METRICS_SCHEMA for every forecaster, target, horizon and system (and `all` together).

    All forecasters are measured on the same rows, those where the actual and every forecast are known, and on the same
    resamples of them. Skill is `1 - MAE / MAE of the baseline`, and `baseline` names it per target and horizon;
    coverage is the share of actuals inside the interval. A percentage where the actual touches zero, R2 of a constant
    actual and the coverage of a baseline are null.
    """
    rows = []
    for k, target in enumerate(task.targets):
        for j, horizon in enumerate(task.horizons):
            known = ~np.isnan(outcomes.actual[:, k, j])
            for forecast in outcomes.forecasts.values():
                known &= ~np.isnan(forecast[:, k, j])
            held_against = baseline[target][j]
            for systems, mine in outcomes.groups():
                use = known & mine
                if not use.any():
                    continue
                key = {"split": split, "target": target, "horizon": horizon, "n": int(use.sum())}
                blocks = BlockBootstrap.of(outcomes.times[use], horizon, seed)
                scores = _scores(outcomes.of(use), k, j, held_against, blocks)
                for model, results in scores.items():
                    row = {**key, "model": model, "baseline": held_against, **with_bounds(results)}
                    rows += [{**row, "system_id": system} for system in systems]
    return pl.DataFrame(rows, schema=METRICS_SCHEMA)


def coverage_notes(metrics: pl.DataFrame) -> list[str]:
    """What the holdout says against the intervals: those that surely held fewer actuals than they should."""
    return [
        f"{row['target']} {row['horizon']} steps ahead: the {100 * level:.0f} % interval held "
        f"{100 * row[name]:.0f} % of the holdout, it is too narrow"
        for row in metrics.filter(split="holdout", system_id="all").iter_rows(named=True)
        for name, level in zip(COVERAGES, LEVELS, strict=True)
        if row[f"{name}_high"] is not None and row[f"{name}_high"] < level
    ]


def _scores(known: Outcomes, k: int, j: int, baseline: str, blocks: BlockBootstrap) -> dict[str, dict[str, np.ndarray]]:
    """[R] results of `SCORES` by forecaster, of the k-th target at the j-th horizon."""
    actual = known.actual[:, k, j]
    has_percentage = (np.abs(actual) > 1e-6).all()
    centred = actual - np.median(actual)
    squares = blocks.means(centred**2)
    spread = squares - blocks.means(centred) ** 2
    spread[spread <= _ROUNDING * squares] = 0.0
    errors = {name: forecast[:, k, j] - actual for name, forecast in known.forecasts.items()}
    mae = {name: blocks.means(np.abs(error)) for name, error in errors.items()}
    undefined = np.full(spread.shape, np.nan)
    scores = {}
    for name, error in errors.items():
        squared = blocks.means(error**2)
        scores[name] = {
            "mae": mae[name],
            "rmse": np.sqrt(squared.clip(0)),
            "mape": 100 * blocks.means(np.abs(error / actual)) if has_percentage else undefined,
            "bias": blocks.means(error),
            "r2": 1 - ratio(squared, spread),
            "skill": 1 - ratio(mae[name], mae[baseline]),
            **{
                coverage: undefined if name in BASELINES else blocks.means(_inside(error, half))
                for coverage, half in zip(COVERAGES, known.half_width[:, :, k, j], strict=True)
            },
        }
    return scores


def _inside(error: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """1 or 0; NaN where there is no interval."""
    return np.where(np.isnan(half_width), np.nan, np.abs(error) <= half_width)
