"""The actuals of a forecast: what was measured at t + h."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hydro_assets.forecasting.grid import TimeGrid


def actuals(
    grid: TimeGrid, column: str | np.ndarray, horizons: Sequence[int], rows: np.ndarray | None = None
) -> np.ndarray:
    """[R, H] (or [n, H] for `rows`) the column `h` steps later in the same system; NaN where there is no such value.

    `column` is a name, or its [R] values. The row at t + h is found by its time, so a gap in between does not matter.
    """
    values = grid.values(column) if isinstance(column, str) else column
    rows = np.arange(len(grid)) if rows is None else rows
    return np.stack([grid.at(values, rows, h) for h in horizons], axis=1)


def mean_absolute_error(forecast: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """[.., n, H] forecasts and [n, H] actuals -> [.., H] MAE over the rows where all are known; NaN without any."""
    error = np.abs(forecast - actual)
    known = ~np.isnan(error).any(axis=tuple(range(error.ndim - 2)))  # [n, H]
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, error, 0).sum(axis=-2) / np.maximum(count, 1), np.nan)
