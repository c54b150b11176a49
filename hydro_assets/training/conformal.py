"""Split-conformal prediction intervals, per horizon and as wide as the recent errors (Lei et al. 2018, section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVELS = (0.80, 0.95)
_LEAST = 1e-12  # a series that never errs has no scale


def quantiles(
    truth: np.ndarray, prediction: np.ndarray, expected: np.ndarray, levels: Sequence[float] = LEVELS
) -> np.ndarray:
    """[n, H] truths, forecasts and expected errors of calibration rows -> [L, H] quantiles of error / expected error.

    The `ceil((n + 1) * level)`-th smallest ratio, which covers a new exchangeable row with probability `level` or
    more; the largest one where n is too small for that. NaN where no error is known.
    """
    ratio = np.sort(np.abs(truth - prediction) / np.maximum(expected, _LEAST), axis=0)  # NaN sorts last
    known = (~np.isnan(ratio)).sum(axis=0)  # [H]
    result = np.full((len(levels), ratio.shape[1]), np.nan)
    for i, level in enumerate(levels):
        for j in np.flatnonzero(known):
            result[i, j] = ratio[min(int(np.ceil((known[j] + 1) * level)), known[j]) - 1, j]
    return result
