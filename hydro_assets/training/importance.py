"""Permutation importance (Breiman 2001): what a feature is worth on rows that were not learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from hydro_assets.forecasting.contract import Forecaster
from hydro_assets.forecasting.windows import SegmentGrid

_FEATURES = 20  # those with the largest gain; the cost grows with features and rows
_ROWS = 2000


def permutation_importance(
    forecaster: Forecaster,
    gain: Mapping[str, float],
    grid: SegmentGrid,
    rows: np.ndarray,
    anchor: np.ndarray,
    truth: np.ndarray,
    seed: int,
) -> dict[str, float]:
    """Percent by which the MAE of the learned forecast grows when a column of the frame is shuffled over time.

    Args:
        gain: features to try, the largest first; those that are no column of the frame are left out.
        rows: [n] holdout rows; anchor, truth: [R, H].
    """
    columns = [c for c in sorted(gain, key=lambda name: -gain[name]) if c in grid.frame.columns and gain[c] > 0]
    draw = np.random.default_rng(seed)
    used = np.sort(draw.permutation(rows)[:_ROWS])
    known = np.isfinite(truth[used])
    if not columns or not known.any():
        return {}

    def mae(on: SegmentGrid) -> float:
        return float(np.abs(forecaster.predict(on, used, anchor[used]) - truth[used])[known].mean())

    before = mae(grid)
    if not before > 0:
        return {}
    return {c: 100 * (mae(_shuffled(grid, c, draw)) / before - 1) for c in columns[:_FEATURES]}


def _shuffled(grid: SegmentGrid, column: str, draw: np.random.Generator) -> SegmentGrid:
    order = pl.Series(draw.permutation(len(grid)))
    return replace(grid, frame=grid.frame.with_columns(grid.frame[column].gather(order)))
