import numpy as np
import pytest

from hydro_assets.forecasting.model import LEVELS
from hydro_assets.training import conformal


def test_quantile__is_the_conformal_rank_of_the_ratio() -> None:
    actual = np.arange(1.0, 10.0)[:, None]
    result = conformal.quantiles(actual, levels=(0.8,))
    assert result.item() == 8  # ceil((9 + 1) * 0.8)-th smallest of 1 .. 9


def test_quantile__of_too_few_rows_is_the_largest_error_and_of_none_unknown() -> None:
    actual = np.array([[1.0, np.nan], [2.0, np.nan]])
    result = conformal.quantiles(actual, levels=(0.95,))
    np.testing.assert_array_equal(result, [[2.0, np.nan]])


@pytest.mark.parametrize("level", LEVELS)
def test_interval__covers_new_rows_at_its_level_whatever_the_local_noise(level: float) -> None:
    draw = np.random.default_rng(0)
    noise = np.where(np.arange(4000) % 400 < 200, 1.0, 10.0)[:, None]
    actual = noise * draw.normal(size=(4000, 1))
    quantile = conformal.quantiles(conformal.ratios(actual[:2000], np.zeros((2000, 1)), noise[:2000]), levels=(level,))
    covered = np.mean(np.abs(actual[2000:]) <= quantile * noise[2000:])
    assert covered == pytest.approx(level, abs=0.03)
