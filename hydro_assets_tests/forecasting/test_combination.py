from datetime import timedelta

import numpy as np
import pytest

from hydro_assets.forecasting.blend import trusted_share
from hydro_assets.forecasting.combination import Combination, sharpness
from hydro_assets.forecasting.windows import SegmentGrid
from hydro_assets_tests.builders.synthetic import STEP, farm


def setup(steps: int = 400) -> tuple[SegmentGrid, np.ndarray, np.ndarray]:
    grid = SegmentGrid.of(farm(steps), STEP, timedelta(minutes=5), lead=300)
    return grid, np.arange(steps), grid.ahead("ph_level", [5])


def test_combination__follows_the_forecaster_that_was_right_lately() -> None:
    grid, rows, truth = setup()
    good, bad = np.nan_to_num(truth, nan=6.0) + 0.001, np.nan_to_num(truth, nan=6.0) + 1.0
    combined, _ = Combination(np.array([[1.0], [1.0]])).combine(grid, rows, truth, [bad, good], [5])
    np.testing.assert_allclose(combined[100:], good[100:], atol=1e-6)


def test_combination__changes_allegiance_after_the_regime_does() -> None:
    grid, rows, truth = setup()
    known = np.nan_to_num(truth, nan=6.0)
    late = (rows >= 200)[:, None]
    first = known + np.where(late, 1.0, 0.01)
    second = known + np.where(late, 0.01, 1.0)
    combined, _ = Combination(np.array([[0.1], [0.1]])).combine(grid, rows, truth, [first, second], [5])
    assert abs(combined - first)[150:200].max() < 0.01
    assert abs(combined - second)[350:].max() < 0.05


def test_combination__knows_an_error_only_when_its_truth_was_measured() -> None:
    grid, rows, truth = setup()
    one, two = np.full_like(truth, 6.0), np.full_like(truth, 6.2)
    combine = Combination(np.array([[0.1], [0.1]])).combine
    before, _ = combine(grid, rows, truth, [one, two], [5])
    later = truth.copy()
    later[200:] += 3.0  # what came after row 204 is another world
    after, _ = combine(grid, rows, later, [one, two], [5])
    np.testing.assert_array_equal(before[:205], after[:205])
    assert (before[206:260] != after[206:260]).any()


def test_combination__of_perfect_forecasts_is_that_forecast() -> None:
    grid, rows, truth = setup(50)
    same = np.full_like(truth, 6.0)
    combined, expected = Combination(np.zeros((2, 1))).combine(grid, rows, same, [same, same], [5])
    np.testing.assert_array_equal(combined, same)
    np.testing.assert_array_equal(expected, 0)


@pytest.mark.parametrize(("horizon", "expected"), [(1, 30), (16, 16), (60, 10)])
def test_sharpness__falls_with_the_horizon(horizon: int, expected: float) -> None:
    assert sharpness(horizon) == expected


def test_trusted_share__is_one_for_the_truth_and_nothing_for_its_opposite() -> None:
    truth = np.random.default_rng(0).normal(size=(100, 1))
    anchor = np.zeros_like(truth)
    assert trusted_share(truth, anchor, truth) == (1.0,)
    assert trusted_share(truth, anchor, -truth) == (0.0,)
    assert trusted_share(truth * np.nan, anchor, truth) == (0.0,)
