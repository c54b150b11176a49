"""Split-conformal prediction intervals, per horizon (Vovk et al. 2005; Lei et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVELS = (0.80, 0.95)


def half_widths(truth: np.ndarray, prediction: np.ndarray, levels: Sequence[float] = LEVELS) -> np.ndarray:
    """[n, H] truths and forecasts of calibration rows -> [L, H] half widths of the intervals.

    The `ceil((n + 1) * level)`-th smallest absolute error, which covers a new exchangeable error with probability
    `level` or more; the largest one where n is too small for that. NaN where no error is known.
    """
    error = np.sort(np.abs(truth - prediction), axis=0)  # NaN sorts last
    known = (~np.isnan(error)).sum(axis=0)  # [H]
    widths = np.full((len(levels), error.shape[1]), np.nan)
    for i, level in enumerate(levels):
        for j in np.flatnonzero(known):
            widths[i, j] = error[min(int(np.ceil((known[j] + 1) * level)), known[j]) - 1, j]
    return widths
