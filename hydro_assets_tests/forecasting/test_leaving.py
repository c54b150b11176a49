from __future__ import annotations

import numpy as np
import pytest

from hydro_assets.forecasting.leaving import LeavingCalibration, leaving_probability, path_log_odds

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
