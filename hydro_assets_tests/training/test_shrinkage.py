import numpy as np
import pytest

from hydro_assets.forecasting.weights import LEARNING_RATE
from hydro_assets.training.shrinkage import DOUBTED_RATIO, fit_shrinkage, independent_stretches

ONE = np.ones(1)


def share_of_learned(better: float, stretches: float) -> float:
    """Weight, before any hindcast, of a learned forecast whose error on validation is lower by the share `better`."""
    actual = np.zeros((50, 1))
    both = np.stack([actual + 1, actual + 1 - better])
    base, learned = fit_shrinkage(both, actual, stretches * ONE, ONE).prior
    losses = np.array([base.item(), learned.item()])
    weight = np.exp(-LEARNING_RATE * (losses / losses.min() - 1))
    return float(weight[1] / weight.sum())


@pytest.mark.parametrize(
    ("stretches", "better", "least", "most"),
    [
        (0.5, 0.5, 0.0, 0.15),
        (2, 0.2, 0.0, 0.15),
        (2, 0.1, 0.0, 0.10),
        (30, 0.1, 0.6, 1.0),
        (1000, 0.1, 0.87, 1.0),
        (1000, -0.1, 0.0, 0.13),
    ],
)
def test_shrinkage__trusts_a_gain_as_far_as_it_is_evidence(
    stretches: float, better: float, least: float, most: float
) -> None:
    assert least <= share_of_learned(better, stretches) <= most


def test_shrinkage__without_any_known_error_takes_the_learned_forecast_to_lose() -> None:
    unknown = np.full((5, 1), np.nan)
    prior = fit_shrinkage(np.zeros((2, 5, 1)), unknown, 0 * ONE, 0.3 * ONE).prior
    np.testing.assert_allclose(prior, [[0.3], [0.3 * DOUBTED_RATIO]])


def test_shrinkage__of_a_base_forecast_that_never_errs_stays_with_it() -> None:
    actual = np.zeros((5, 1))
    prior = fit_shrinkage(np.zeros((2, 5, 1)), actual, 10 * ONE, 0.3 * ONE).prior
    assert prior[1, 0] > prior[0, 0]


def test_stretches__are_counted_in_time_and_not_in_rows() -> None:
    steps = np.concatenate([np.arange(720)] * 3)  # three systems, half a day of minutes
    actual = np.ones((steps.size, 2))
    actual[np.concatenate([np.arange(720) >= 360] * 3), 1] = np.nan  # six hours ahead, the second half is not known yet
    np.testing.assert_allclose(independent_stretches(steps, actual, [1, 360]), [720, 1])
