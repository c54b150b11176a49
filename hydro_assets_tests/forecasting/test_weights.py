from datetime import timedelta

import numpy as np
import pytest

from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.weights import ExponentialWeights, hindcast_rows, reach, spacing
from hydro_assets_tests.builders.synthetic import STEP, synthetic_rows


def setup(steps: int = 400) -> tuple[TimeGrid, np.ndarray, np.ndarray]:
    grid = TimeGrid.of(synthetic_rows(steps), STEP, timedelta(minutes=5))
    return grid, np.arange(steps), actuals(grid, "ph_level", [5])


def combined(grid: TimeGrid, rows: np.ndarray, actual: np.ndarray, *forecasts: np.ndarray) -> np.ndarray:
    both = np.stack(forecasts)
    weights = ExponentialWeights(np.full((len(forecasts), 1), 0.1))
    return weights.combine(grid, rows, both, np.abs(both - actual), [5])[0]


def test_weights__follow_the_forecast_that_was_right_lately() -> None:
    grid, rows, actual = setup()
    good, bad = np.nan_to_num(actual, nan=6.0) + 0.001, np.nan_to_num(actual, nan=6.0) + 1.0
    np.testing.assert_allclose(combined(grid, rows, actual, bad, good)[100:], good[100:], atol=1e-3)


def test_weights__change_sides_after_the_regime_does() -> None:
    grid, rows, actual = setup()
    known = np.nan_to_num(actual, nan=6.0)
    late = (rows >= 200)[:, None]
    first = known + np.where(late, 1.0, 0.01)
    second = known + np.where(late, 0.01, 1.0)
    mixed = combined(grid, rows, actual, first, second)
    assert abs(mixed - first)[150:200].max() < 0.01
    assert abs(mixed - second)[350:].max() < 0.05


def test_weights__know_an_error_only_when_its_actual_was_measured() -> None:
    grid, rows, actual = setup()
    one, two = np.full_like(actual, 6.0), np.full_like(actual, 6.2)
    before = combined(grid, rows, actual, one, two)
    later = actual.copy()
    later[200:] += 3.0  # what comes after row 204 is another world
    after = combined(grid, rows, later, one, two)
    np.testing.assert_array_equal(before[:205], after[:205])
    assert (before[206:260] != after[206:260]).any()


def test_weights__of_perfect_forecasts_give_that_forecast() -> None:
    grid, rows, actual = setup(50)
    same = np.full_like(actual, 6.0)
    both = np.stack([same, same])
    forecast, expected = ExponentialWeights(np.zeros((2, 1))).combine(grid, rows, both, both * 0, [5])
    np.testing.assert_array_equal(forecast, same)
    np.testing.assert_allclose(expected, 0, atol=1e-5)


@pytest.mark.parametrize("horizon", [1, 60])
def test_weights__of_some_rows_need_their_hindcast_rows_alone(horizon: int) -> None:
    grid, rows, _ = setup(900)
    draw = np.random.default_rng(0)
    actual = actuals(grid, "ph_level", [horizon])
    both = np.stack([actual + s * draw.normal(size=actual.shape) for s in (0.1, 0.12)])
    both = np.where(np.isnan(both), 6.0, both)
    weights = ExponentialWeights(np.full((2, 1), 0.1))
    everything, _ = weights.combine(grid, rows, both, np.abs(both - actual), [horizon])
    asked = np.arange(700, 720)
    near = hindcast_rows(grid, asked, [horizon])
    part, _ = weights.combine(grid, near, both[:, near], np.abs(both - actual)[:, near], [horizon])
    np.testing.assert_array_equal(part[np.searchsorted(near, asked)], everything[asked])
    assert near.min() >= 700 - reach(horizon)
    assert near.size < 20 + reach(horizon) / spacing(horizon) + 1
