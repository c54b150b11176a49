import numpy as np
import pytest

from hydro_assets.simulator.weather import draw_weather, ornstein_uhlenbeck, saturation_vapour, sunlight


@pytest.mark.parametrize(("celsius", "grams"), [(0.0, 4.85), (20.0, 17.3), (30.0, 30.4)])
def test_saturation_vapour__agrees_with_published_tables(celsius: float, grams: float) -> None:
    assert saturation_vapour(np.array([celsius]))[0] == pytest.approx(grams, rel=0.01)


def test_sunlight__is_dark_at_night_full_at_noon_and_dimmed_by_cloud() -> None:
    clear = sunlight(np.array([0.0, 12.0, 23.0]), np.zeros(3))
    assert clear == pytest.approx([0.0, 1.0, 0.0])
    assert sunlight(np.array([12.0]), np.ones(1))[0] == pytest.approx(0.25)


def test_ornstein_uhlenbeck__has_unit_spread_and_the_asked_memory() -> None:
    series = ornstein_uhlenbeck(np.random.default_rng(1).standard_normal(200_000), 0.1, 2.0)
    assert series.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(series[1:], series[:-1])[0, 1] == pytest.approx(np.exp(-0.05), abs=0.005)


def test_draw_weather__of_a_longer_period_begins_like_the_shorter() -> None:
    hours = np.arange(100) / 10
    long, short = (draw_weather(h, 0.1, np.random.default_rng(1)) for h in (hours, hours[:40]))
    assert np.array_equal(long.temperature[:40], short.temperature)
    assert np.array_equal(long.vapour[:40], short.vapour)
