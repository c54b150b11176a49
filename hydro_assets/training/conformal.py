"""Split-conformal prediction intervals, per horizon and as wide as the recent errors (Lei et al. 2018, section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hydro_assets.forecasting.model import LEVELS

_LEAST = 1e-12  # a series that never errs has no scale


def ratios(actual: np.ndarray, forecast: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """[n, H] error / expected error of calibration rows; NaN where unknown."""
    return np.abs(actual - forecast) / np.maximum(expected, _LEAST)


def quantiles(ratio: np.ndarray, levels: Sequence[float] = LEVELS) -> np.ndarray:
    """[n, H] ratios -> [L, H] quantiles.

    The `ceil((n + 1) * level)`-th smallest ratio, which covers a new exchangeable row with probability `level` or
    more; the largest one where n is too small for that. NaN where no error is known.
    """
    ordered = np.sort(ratio, axis=0)  # NaN sorts last
    known = (~np.isnan(ordered)).sum(axis=0)  # [H]
    result = np.full((len(levels), ordered.shape[1]), np.nan)
    for i, level in enumerate(levels):
        for j in np.flatnonzero(known):
            result[i, j] = ordered[min(int(np.ceil((known[j] + 1) * level)), known[j]) - 1, j]
    return result
