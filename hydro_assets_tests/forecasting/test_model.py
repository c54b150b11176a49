"""The formula: base -> learned -> shrinkage -> interval -> ensemble."""

from datetime import timedelta

import numpy as np

from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.base import BaseForecast
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import Task
from hydro_assets.forecasting.model import Bases, TargetModel, credibility, ensemble
from hydro_assets.forecasting.weights import LEARNING_RATE, ExponentialWeights
from hydro_assets_tests.builders.synthetic import STEP, synthetic_rows

NEVER = -(2**62)
TASK = Task.of(("ph_level",), (1, 5), 12, STEP, timedelta(minutes=5))
GRID = TimeGrid.of(synthetic_rows(600), STEP, timedelta(minutes=5), TASK.padding)
ACTUAL = actuals(GRID, "ph_level", TASK.horizons)
ROWS = np.arange(600)
BASE = BaseForecast.fit(GRID, TASK, "ph_level", ACTUAL, ROWS[:400], ROWS[420:560])


def model(prior: list[float], trust: float = 1.0, until: int = NEVER) -> TargetModel:
    weights = ExponentialWeights(np.repeat(np.array(prior)[:, None], 2, axis=1))
    return TargetModel(BASE, weights, np.array([[1.5, 1.5], [3.0, 3.0]]), np.full(2, trust), until)


def made() -> tuple[np.ndarray, np.ndarray]:
    base = Bases(GRID).of(BASE, ROWS).base
    return base, np.where(np.isnan(ACTUAL), base, ACTUAL)


def test_forecast__lies_between_base_and_learned_by_the_rule_of_weights() -> None:
    base, learned = made()
    forecast, _ = model([0.10, 0.11]).forecast(GRID, ROWS[:1], ACTUAL[:1], base[:1], learned[:1])
    share = np.exp(-LEARNING_RATE * 0.1) / (1 + np.exp(-LEARNING_RATE * 0.1))  # no hindcast yet: the prior decides
    np.testing.assert_allclose(forecast, base[:1] + share * (learned[:1] - base[:1]))


def test_forecast__trusts_what_was_right_and_shrinks_what_was_wrong() -> None:
    base, learned = made()
    good, expected = model([0.1, 0.1]).forecast(GRID, ROWS, ACTUAL, base, learned)
    np.testing.assert_allclose(good[200:], learned[200:], atol=0.01)
    wrong, _ = model([0.1, 0.1]).forecast(GRID, ROWS, ACTUAL, base, base + 1.0)
    np.testing.assert_allclose(wrong[200:], base[200:], atol=0.01)
    assert (expected[200:] < 0.05).all()


def test_forecast__takes_only_the_credible_part_of_the_learned_change() -> None:
    base, learned = made()
    np.testing.assert_allclose(model([1, 1], trust=0.25).learned(base, learned), base + 0.25 * (learned - base))
    np.testing.assert_allclose(credibility(1000, [1, 100]), [1000 / 1010, 0.5])


def test_forecast__does_not_believe_errors_of_rows_that_were_learned_from() -> None:
    base, learned = made()
    until = int(GRID.times[-1]) + 1
    seen, _ = model([0.1, 0.2], until=until).forecast(GRID, ROWS, ACTUAL, base, learned)
    np.testing.assert_allclose(seen[200:], base[200:], atol=1e-3)


def test_interval__is_the_quantile_times_the_error_to_expect() -> None:
    expected = np.array([[0.1, 0.2]])
    np.testing.assert_allclose(model([1, 1]).half_width(expected), [[[0.15, 0.3]], [[0.3, 0.6]]])


def test_model__survives_json() -> None:
    base, learned = made()
    one = model([0.1, 0.2], 0.5)
    again = TargetModel.from_json(TASK, one.to_json())
    for a, b in zip(*(m.forecast(GRID, ROWS, ACTUAL, base, learned) for m in (one, again)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_ensemble__is_the_mean_of_the_models_that_forecast() -> None:
    nan = np.nan
    np.testing.assert_array_equal(ensemble([np.array([1.0, 1.0, nan]), np.array([3.0, nan, nan])]), [2.0, 1.0, nan])
