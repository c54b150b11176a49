import numpy as np
import pytest

from hydro_assets.training.bootstrap import RESAMPLES, BlockBootstrap, with_bounds


def bounds(values: np.ndarray, times: np.ndarray, horizon: int) -> tuple[float, float, float]:
    scores = with_bounds({"x": BlockBootstrap.of(times, horizon, seed=1).means(values)})
    return scores["x_low"], scores["x"], scores["x_high"]  # type: ignore[return-value]


def test_interval__holds_the_mean_and_widens_with_dependence() -> None:
    draw = np.random.default_rng(0)
    independent = draw.random(2000)
    dependent = np.repeat(draw.random(20), 100)
    low, mean, high = bounds(independent, np.arange(2000), 1)
    assert low < mean < high
    assert mean == pytest.approx(independent.mean())
    wide_low, _, wide_high = bounds(dependent, np.arange(2000), 100)
    assert wide_high - wide_low > 5 * (high - low)


def test_interval__covers_the_truth_of_a_dependent_series_as_often_as_it_says() -> None:
    draw = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        noise = draw.normal(size=1030)
        series = np.convolve(noise, np.ones(30), "valid")  # neighbours within 30 steps depend on each other
        low, _, high = bounds(series, np.arange(series.size), 60)
        covered += low <= 0 <= high
    assert 0.85 < covered / 200 <= 1


def test_resample__of_systems_holds_whole_times_and_no_block_runs_from_one_into_another() -> None:
    times = np.tile(np.arange(100), 2)  # system a, then system b
    blocks = BlockBootstrap.of(times, 10, seed=1)
    for weights in blocks.weights(np.arange(200)):
        np.testing.assert_array_equal(weights[:, :100], weights[:, 100:])
    shared = np.tile(np.random.default_rng(0).normal(size=100), 2)
    opposed = shared * np.repeat([1, -1], 100)
    assert np.ptp(blocks.means(opposed)) == pytest.approx(0, abs=1e-12), "what systems share must not average out"
    assert np.ptp(blocks.means(shared)) > 0.1


def test_resamples__draw_every_time_equally_often_so_that_a_jump_at_the_end_counts() -> None:
    values = np.zeros(800)
    values[-30:] = 100
    low, mean, high = bounds(values, np.arange(800), 60)
    assert low < mean < high
    weights = np.concatenate(list(BlockBootstrap.of(np.arange(80), 20, seed=1).weights(np.arange(80))))
    assert weights.mean(axis=0)[[0, -1]] == pytest.approx(1, abs=0.3)


def test_means__are_those_of_the_weights() -> None:
    draw = np.random.default_rng(0)
    times, values = draw.integers(0, 50, 120), draw.normal(size=120)
    blocks = BlockBootstrap.of(times, 5, seed=1)
    order = draw.permutation(120)
    weights = np.concatenate(list(blocks.weights(order)))
    assert weights.shape == (1 + RESAMPLES, 120)
    np.testing.assert_allclose(blocks.means(values), weights @ values[order] / weights.sum(axis=1))
    np.testing.assert_array_equal(blocks.rows, weights.sum(axis=1))


def test_resamples__are_the_same_for_the_same_seed() -> None:
    first, second, other = (BlockBootstrap.of(np.arange(50), 3, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.starts, second.starts)
    assert (first.starts != other.starts).any()


@pytest.mark.parametrize("horizon", [1, 500], ids=["single row", "horizon longer than the rows"])
def test_interval__of_one_block_is_the_value_itself(horizon: int) -> None:
    assert bounds(np.array([2.0]), np.array([7]), horizon) == (2, 2, 2)


def test_score__that_is_undefined_is_null_and_so_are_its_bounds() -> None:
    undefined = np.full(1 + RESAMPLES, np.nan)
    rare = np.full(1 + RESAMPLES, 0.5)
    rare[-20:] = np.nan
    assert with_bounds({"a": undefined}) == {"a": None, "a_low": None, "a_high": None}
    assert with_bounds({"a": rare}) == {"a": 0.5, "a_low": None, "a_high": None}
