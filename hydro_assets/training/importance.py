"""Permutation importance (Breiman 2001): what a feature is worth on rows that were not learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Learner
from hydro_assets.training.fit import FittedBases

_FEATURES = 20  # those with the largest gain; the cost grows with features and rows
_ROWS = 1000


def permutation_importance(
    learner: Learner, gain: Mapping[str, float], bases: FittedBases, seed: int
) -> dict[str, float]:
    """Percent by which the MAE of what was learned grows when a column of the frame is shuffled over time.

    Errors of all targets and horizons count alike, each in its own scale.

    Args:
        gain: features to try, the largest first; those that are no column of the frame are left out.
    """
    data = bases.data
    columns = [c for c in sorted(gain, key=lambda name: -gain[name]) if c in data.grid.frame.columns and gain[c] > 0]
    draw = np.random.default_rng(seed)
    used = np.sort(draw.permutation(data.parts["holdout"])[:_ROWS])
    base = np.stack([rows.base[used] for rows in bases.served_rows], axis=1)
    actual = data.actual[used]
    known = np.isfinite(actual + base)
    if not columns or not known.any():
        return {}

    def error(on: TimeGrid) -> np.ndarray:
        return np.where(known, np.abs(learner.predict(on, used, base) - actual), 0).sum(axis=0)  # [K, H]

    before = error(data.grid)
    if not (before > 0).any():  # NaN: nothing was learned
        return {}
    counts = before > 0
    return {
        c: 100 * float((error(_shuffled(data.grid, c, draw))[counts] / before[counts]).mean() - 1)
        for c in columns[:_FEATURES]
    }


def _shuffled(grid: TimeGrid, column: str, draw: np.random.Generator) -> TimeGrid:
    order = pl.Series(draw.permutation(len(grid)))
    return replace(grid, frame=grid.frame.with_columns(grid.frame[column].gather(order)))
