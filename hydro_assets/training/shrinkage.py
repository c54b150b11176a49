"""How far a learned forecast is trusted before it is used: its errors on validation, as far as they are evidence.

Errors of forecasts whose paths overlap are one piece of news. A validation part that is `n` horizons long holds about
`n` independent errors, however many rows that is: half a day of minutes says next to nothing about six hours ahead,
where half of what can be learned wins by luck. So the error of the learned forecast is taken to be

    (n * measured + DOUBT * DOUBTED_RATIO) / (n + DOUBT)

times that of the base forecast: the measured ratio where validation is long, a forecast that loses where it is short.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hydro_assets.forecasting.actuals import mean_absolute_error
from hydro_assets.forecasting.weights import ExponentialWeights

DOUBT = 4.0  # counts as so many independent stretches of validation
DOUBTED_RATIO = 1.25  # at this ratio of errors the learned forecast weighs less than 1 %


def independent_stretches(steps: np.ndarray, actual: np.ndarray, horizons: Sequence[int]) -> np.ndarray:
    """[H] how many horizons long the origins with a known actual are.

    Systems at the same time count once: they share weather and care.

    Args:
        steps: [n] times of the origins in steps; actual: [n, H], NaN where unknown.
    """
    return np.array([np.unique(steps[np.isfinite(actual[:, j])]).size / h for j, h in enumerate(horizons)])


def fit_shrinkage(both: np.ndarray, actual: np.ndarray, stretches: np.ndarray, usual: np.ndarray) -> ExponentialWeights:
    """Weights of base and learned forecast.

    Args:
        both: [2, n, H] base and learned forecasts of validation rows; actual: [n, H].
        stretches: [H] independent stretches among these rows.
        usual: [H] mean absolute error of the base forecast over training and validation: a quiet validation part would
            call ordinary errors of later days extraordinary.
    """
    base, learned = np.nan_to_num(mean_absolute_error(both, actual))
    measured = np.where(base > 0, learned / np.where(base > 0, base, 1.0), DOUBTED_RATIO)
    ratio = (stretches * measured + DOUBT * DOUBTED_RATIO) / (stretches + DOUBT)
    return ExponentialWeights(np.stack([usual, usual * ratio]))
