from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.scoring.system_outlook import system_outlook, update_outlook
from hydro_assets.settings import Settings
from hydro_assets.tables import sensor_features_table
from hydro_assets_tests.builders.stand_ins import DAY, MINUTE, WindowMean, feature_rows, small_settings

NOON = DAY + timedelta(hours=12)


def outlook(
    now: float | None, forecasts: list[float | None], slope: float | None = 0.0, half_width: float = 0.1, **other: Any
) -> dict[str, Any]:
    """The outlook of one system whose forecasts are 1, 2, ... minutes ahead; the band is 5.5 .. 6.5."""
    rows = pl.DataFrame(
        [
            {
                "system_id": "a",
                "timestamp": NOON,
                "target_col": "ph_level",
                "horizon": h,
                "ph_level": now,
                "ph_level_slope_1h": slope,
                "prediction_for": NOON + h * MINUTE,
                "ensemble_avg": f,
                "lower_80": f and f - half_width,
                "upper_80": f and f + half_width,
                "lower_95": f and f - 2 * half_width,
                "upper_95": f and f + 2 * half_width,
                "lightgbm_optimal_probability": 0.9,
                "ensemble_members": "lstm",
                "prediction_quality": "ok",
                "inference_timestamp": NOON,
                "lstm_version": "1",
                "gru_version": "1",
                "lightgbm_version": "1",
                **other,
            }
            for h, f in enumerate(forecasts, start=1)
        ],
        infer_schema_length=None,
    )
    return system_outlook(rows, small_settings(), NOON + 5 * MINUTE).row(0, named=True)


def test_outlook__states_the_longest_horizon_and_its_age() -> None:
    row = outlook(6.0, [6.0, 6.1])
    assert (row["prediction"], row["horizon"], row["prediction_for"]) == (6.1, 2, NOON + 2 * MINUTE)
    assert (row["band_low"], row["band_high"], row["is_in_band"]) == (5.5, 6.5, True)
    assert row["age_minutes"] == 4.0


@pytest.mark.parametrize(
    ("now", "forecasts", "slope", "expected"),
    [
        pytest.param(6.7, [6.6], 0.0, (0.0, "outside"), id="outside now"),
        pytest.param(6.4, [6.45, 6.55], 0.0, (1.5, "forecast"), id="forecast crosses the upper edge"),
        pytest.param(5.6, [5.4], 0.0, (0.5, "forecast"), id="forecast crosses the lower edge"),
        pytest.param(None, [6.6], 0.0, (1.0, "forecast"), id="present unknown"),
        pytest.param(6.3, [6.3], 0.1, (121.0, "trend"), id="trend reaches the upper edge"),
        pytest.param(5.6, [5.6], -0.1, (61.0, "trend"), id="trend reaches the lower edge"),
        pytest.param(6.0, [6.0], 0.01, (None, None), id="trend too weak"),
        pytest.param(6.0, [6.0], 0.0, (None, None), id="no trend"),
        pytest.param(6.0, [None], None, (None, None), id="nothing known"),
    ],
)
def test_minutes_to_leaving__are_by_forecast_then_by_trend(
    now: float | None, forecasts: list[float | None], slope: float | None, expected: tuple[float | None, str | None]
) -> None:
    row = outlook(now, forecasts, slope)
    minutes, by = expected
    assert row["leaving_by"] == by
    assert row["minutes_to_leaving"] == (None if minutes is None else pytest.approx(minutes))


@pytest.mark.parametrize(
    ("now", "forecasts", "expected"),
    [
        pytest.param(6.0, [6.0], 0.0, id="far inside"),
        pytest.param(6.4, [6.5], 0.5, id="on the edge"),
        pytest.param(6.3, [6.4], 0.1, id="edge at the end of the 80 % interval"),
        pytest.param(6.3, [6.4, 6.5, 6.3], 0.5, id="the worst step counts"),
        pytest.param(6.7, [6.0], 1.0, id="outside now"),
        pytest.param(6.0, [None], None, id="no forecast"),
    ],
)
def test_leaving_probability__follows_the_interval(
    now: float, forecasts: list[float | None], expected: float | None
) -> None:
    found = outlook(now, forecasts)["leaving_probability"]
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-3))


def test_interval_of_no_width__gives_certainty() -> None:
    assert outlook(6.4, [6.6], half_width=0.0)["leaving_probability"] == 1.0


def test_target_without_a_band__has_a_forecast_and_no_risk() -> None:
    rows = pl.DataFrame(
        {
            "system_id": ["a"],
            "timestamp": [NOON],
            "target_col": ["water_temperature"],
            "horizon": [1],
            "water_temperature": [20.0],
            "prediction_for": [NOON],
            "ensemble_avg": [20.5],
            "lower_80": [20.0],
            "upper_80": [21.0],
            "lower_95": [19.0],
            "upper_95": [22.0],
            "lightgbm_optimal_probability": [None],
            "ensemble_members": ["lstm"],
            "prediction_quality": ["ok"],
            "inference_timestamp": [NOON],
            "lstm_version": ["1"],
            "gru_version": ["1"],
            "lightgbm_version": ["1"],
        }
    )
    row = system_outlook(rows, small_settings(target_col="water_temperature"), NOON).row(0, named=True)
    assert (row["prediction"], row["band_low"], row["leaving_probability"]) == (20.5, None, None)


TABLE = sensor_features_table(timedelta(minutes=1), ["ph_level", "tds_level"], [])
MODELS = ServingModels({"lstm": WindowMean()}, {"lstm": "1"})


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(sequence_length=5, forecast_horizon=2)


def test_outlook_table__keeps_the_newest_row_of_every_system(lakehouse: Lakehouse, settings: Settings) -> None:
    first, second, third = (date(2024, 3, d) for d in (1, 2, 3))
    frame = pl.concat(
        [
            feature_rows(list(range(1430, 1450)), system="both days"),
            feature_rows(list(range(20)), system="first day"),
        ]
    )
    lakehouse.replace_days(TABLE, frame, first, third)
    score_days(lakehouse, settings, MODELS, first, third, NOON)
    update_outlook(lakehouse, settings, second, third, NOON)
    update_outlook(lakehouse, settings, first, second, NOON + MINUTE)  # history, scored later
    stored = lakehouse.read_polars("predictions.system_outlook").sort("system_id")
    assert dict(stored.select("system_id", "timestamp").iter_rows()) == {
        "both days": DAY + timedelta(minutes=1449),
        "first day": DAY + timedelta(minutes=19),
    }
    assert stored["updated_at"].unique().to_list() == [NOON + MINUTE]
    assert stored["prediction_quality"].to_list() == ["model_missing"] * 2


def test_outlook__of_a_row_that_was_scored_for_another_target_is_of_that_target() -> None:
    other = {"target_col": "air_temperature", "air_temperature": 27.0, "air_temperature_slope_1h": 0.0}
    row = outlook(6.0, [27.5], **other)
    assert (row["current_value"], row["band_low"], row["band_high"], row["is_in_band"]) == (27.0, 20.0, 28.0, True)
    assert row["leaving_probability"] < 0.5
    assert row["minutes_to_leaving"] is None
