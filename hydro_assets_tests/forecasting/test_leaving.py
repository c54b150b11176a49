from __future__ import annotations

import numpy as np
import pytest

from hydro_assets.forecasting.leaving import (
    LeavingCalibration,
    leaving_probability,
    minutes_to_leaving,
    path_log_odds,
)

LOW, HIGH = 5.5, 6.5


def probability(forecast: list[float], half: list[float], outside: bool = False, **calibration: float) -> list[float]:
    horizons = list(range(1, len(forecast) + 1))
    learned = [LeavingCalibration(target="ph_level", horizon=h, **calibration) for h in horizons] if calibration else []
    odds = path_log_odds(np.array([forecast]), np.array([half]), LOW, HIGH)
    return leaving_probability(odds, np.array([outside]), "ph_level", horizons, learned)[0].tolist()


@pytest.mark.parametrize(
    ("forecast", "half", "expected"),
    [
        pytest.param([6.0], [0.01], [0.0001], id="far inside is never certain"),
        pytest.param([6.5], [0.1], [0.5], id="on the edge"),
        pytest.param([6.4], [0.1], [0.1], id="edge at the end of the 80 % interval"),
        pytest.param([5.4], [0.1], [0.9], id="below the lower edge"),
        pytest.param([6.0, 6.5, 6.0], [0.01, 0.1, 0.1], [0.0001, 0.5, 0.5], id="the worst point of the path counts"),
        pytest.param([np.nan, 6.5], [0.1, 0.1], [np.nan, 0.5], id="a forecast is missing"),
        pytest.param([7.0], [0.0], [0.9999], id="no width"),
    ],
)
def test_probability__follows_the_distance_of_the_path_from_the_edge_in_widths(
    forecast: list[float], half: list[float], expected: list[float]
) -> None:
    assert probability(forecast, half) == pytest.approx(expected, abs=1e-4, nan_ok=True)


def test_calibration__moves_what_is_said() -> None:
    assert probability([6.5], [0.1], slope=1.0, offset=-2.0) == pytest.approx([1 / (1 + np.exp(2))])
    assert probability([6.4], [0.1], slope=0.0, offset=0.0) == [0.5]


def test_target_that_is_outside__has_left() -> None:
    assert probability([6.4, 6.0], [0.1, 0.1], outside=True) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param([(1.0, 0.0), (15.0, 0.0), (60.0, 0.2), (360.0, 0.4)], None, id="not foreseen"),
        pytest.param([(1.0, 0.0), (15.0, 0.0), (60.0, 1.0), (360.0, 1.0)], 37.5, id="half of the way to the hour"),
        pytest.param([(1.0, 0.6)], 5 / 6, id="at the first step"),
        pytest.param([(1.0, None), (15.0, 0.5)], 15.0, id="first step unknown"),
        pytest.param([], None, id="no forecast"),
    ],
)
def test_minutes_to_leaving__are_where_the_probability_reaches_one_half(
    path: list[tuple[float, float | None]], expected: float | None
) -> None:
    points = np.array(path, float).reshape(-1, 2)
    found = minutes_to_leaving(points[:, 0], points[None, :, 1]).item()
    assert found == pytest.approx(np.nan if expected is None else expected, nan_ok=True)
