import numpy as np
import pytest

from hydro_assets.simulator.balances import integrate
from hydro_assets.simulator.character import draw_characters
from hydro_assets.simulator.weather import Weather

HOURS = np.arange(-24.0, 48.0, 1 / 60)


def states(temperature: float, vapour: float = 9.0, cloud: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    n = len(HOURS)
    weather = Weather(np.full(n, cloud), np.full(n, temperature), np.full(n, vapour))
    return integrate(draw_characters(3, 4), weather, HOURS, 1 / 60)


def test_integrate__stays_within_physical_bounds_in_extreme_weather() -> None:
    for outside in (-10.0, 40.0):
        values, _ = states(outside, vapour=2.0 if outside < 0 else 30.0)
        assert np.isfinite(values).all()
        ph, tds, air, humidity, water, volume = values.transpose(1, 0, 2)
        assert ((ph > 4.5) & (ph < 8.0)).all()
        assert ((tds > 300) & (tds < 2000)).all()
        assert ((air > -15) & (air < 60)).all()
        assert ((humidity > 0) & (humidity <= 97.001)).all()
        assert ((water > -15) & (water < 60)).all()
        assert ((volume > 0.5) & (volume < 1.1)).all()


def test_integrate__a_hot_day_runs_the_fan_longer_than_a_cool_one() -> None:
    fan_hot, fan_cool = (states(t)[1][:, 4].mean() for t in (26.0, 10.0))
    assert fan_hot > fan_cool


def test_integrate__topping_up_dilutes_the_solution() -> None:
    values, actuators = states(20.0)
    filling = actuators[:-60, 1, :]
    later = values[60:, 1, :] - values[:-60, 1, :]
    assert filling.any()
    assert later[filling].mean() < -20.0


def test_integrate__finer_steps_give_the_same_day() -> None:
    fine_hours = np.arange(-24.0, 0.0, 1 / 360)
    fine = Weather(*(np.full(len(fine_hours), v) for v in (0.2, 18.0, 9.0)))
    coarse_hours = fine_hours[::6]
    coarse = Weather(*(np.full(len(coarse_hours), v) for v in (0.2, 18.0, 9.0)))
    a, _ = integrate(draw_characters(1, 4), fine, fine_hours, 1 / 360)
    b, _ = integrate(draw_characters(1, 4), coarse, coarse_hours, 1 / 60)
    assert a[::6, 2, 0].mean() == pytest.approx(b[:, 2, 0].mean(), abs=0.1)
    assert a[::6, 1, 0].mean() == pytest.approx(b[:, 1, 0].mean(), rel=0.01)
