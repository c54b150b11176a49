from datetime import timedelta

import numpy as np
import pytest

from hydro_assets.forecasting import target_features as origin
from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.learner import window_steps
from hydro_assets_tests.builders.synthetic import STEP, synthetic_rows

NAN = np.nan


def test_last_value__is_the_newest_known_within_the_limit() -> None:
    window = np.array([[1, 2, NAN], [1, NAN, NAN], [NAN, NAN, NAN]])
    np.testing.assert_array_equal(origin.last_values(window, within=2), [2, NAN, NAN])


def test_trailing_mean__leaves_out_what_is_unknown() -> None:
    window = np.array([[1, 2, NAN, 4.0]])
    np.testing.assert_allclose(origin.trailing_means(window, [2, 4]), [[4, 7 / 3]])


def test_trailing_slope__is_least_squares_over_known_steps() -> None:
    window = np.array([[0, 2, NAN, 6, 8.0], [NAN, NAN, NAN, 1, 2]])
    np.testing.assert_allclose(origin.trailing_slopes(window, [5]), [[2], [0]])


def test_median_slope__is_not_moved_by_a_jump() -> None:
    ramp = np.arange(30.0)[None] * 0.5
    jumped = ramp + np.where(np.arange(30) >= 20, -300, 0)
    np.testing.assert_allclose(origin.median_slopes(jumped, [30]), origin.median_slopes(ramp, [30]))
    assert abs(origin.trailing_slopes(jumped, [30])[0, 0]) > 5


def test_median_slope__agrees_with_numpy_where_steps_are_missing() -> None:
    draw = np.random.default_rng(0)
    window = draw.normal(size=(50, 30))
    window[draw.random(window.shape) < 0.4] = NAN
    expected = np.nan_to_num(np.nanmedian(window[:, 6:] - window[:, :-6], axis=1) / 6)
    np.testing.assert_allclose(origin.median_slopes(window, [30])[:, 0], expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(timedelta(minutes=1), [2, 3, 5, 10, 15, 30]), (timedelta(hours=1), [2, 3]), (timedelta(minutes=5), [2, 3, 6])],
    ids=["1min", "1h", "5min"],
)
def test_short_mean_steps__fit_the_grid(step: timedelta, expected: list[int]) -> None:
    assert origin.short_mean_steps(step, window_steps(24, step)) == expected


def test_day_change__is_what_followed_at_this_time_of_day_found_by_time() -> None:
    steps = 3 * 1440 + 120
    frame = synthetic_rows(steps, missing=(2000, 2400))
    grid = TimeGrid.of(frame, STEP, timedelta(minutes=5))
    by_minute = np.full(steps, NAN)
    by_minute[grid.steps - grid.steps.min()] = grid.values("ph_level")
    origin_minute, row = 3 * 1440 + 60, np.array([len(grid) - 60])
    seen = [by_minute[origin_minute + 30 - d * 1440] - by_minute[origin_minute - d * 1440] for d in (1, 2, 3)]
    change = origin.day_change(grid, grid.values("ph_level"), row, 30, 3)
    np.testing.assert_allclose(change, np.nanmean(seen))
    assert np.isnan(origin.day_change(grid, grid.values("ph_level"), np.array([100]), 30, 3)).all()


@pytest.mark.parametrize("horizon", [5, 1440])
def test_day_change__reads_nothing_after_the_origin(horizon: int) -> None:
    frame, row = synthetic_rows(2000), np.array([1700])
    grid = TimeGrid.of(frame, STEP, timedelta(minutes=5))
    values = grid.values("ph_level")
    later = np.where(np.arange(2000) > 1700, 99.0, values)
    before, after = (origin.day_change(grid, v, row, horizon, 3, smooth=30) for v in (values, later))
    np.testing.assert_array_equal(before, after)
