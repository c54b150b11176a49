from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.scoring.system_outlook import outlook_table, refresh_outlook, system_outlook
from hydro_assets.settings import Settings
from hydro_assets.tables import FORECASTS, sensor_features_table
from hydro_assets_tests.builders.stand_ins import DAY, MINUTE, WindowMean, feature_rows, small_settings

NOON = DAY + timedelta(hours=12)
SETTINGS = small_settings(forecast_horizon=1, lead_times=("15min", "1h", "6h"))
HORIZONS = (1, 15, 60, 360)


def rows_of(target: str, forecasts: list[float | None], leaving: list[float | None], **other: Any) -> pl.DataFrame:
    """Stored forecasts of one system, one per horizon."""
    rows = [
        {
            "system_id": "a",
            "timestamp": NOON,
            "target": target,
            "horizon": h,
            "lead_minutes": float(h),
            "prediction_for": NOON + h * MINUTE,
            "ensemble_avg": forecast,
            "lower_80": forecast and forecast - 0.1,
            "upper_80": forecast and forecast + 0.1,
            "lower_95": forecast and forecast - 0.2,
            "upper_95": forecast and forecast + 0.2,
            "leaving_probability": p,
            "ensemble_members": "lstm",
            "prediction_quality": "ok",
            "inference_timestamp": NOON,
            "lstm_version": "1",
            "gru_version": "1",
            "lightgbm_version": "1",
            **other,
        }
        for h, forecast, p in zip(HORIZONS, forecasts, leaving, strict=True)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def measured(**values: float | None) -> pl.DataFrame:
    return pl.DataFrame({"system_id": ["a"], "timestamp": [NOON], **{name: [v] for name, v in values.items()}})


def outlook(now: float | None, forecasts: list[float | None], leaving: list[float | None]) -> dict[str, Any]:
    made = system_outlook(rows_of("ph_level", forecasts, leaving), measured(ph_level=now), SETTINGS, NOON + 5 * MINUTE)
    return made.row(0, named=True)


def test_outlook__has_a_forecast_per_lead_time_and_the_farthest_with_its_bounds() -> None:
    row = outlook(6.0, [6.0, 6.1, 6.2, 6.3], [0.0, 0.0, 0.1, 0.2])
    assert (row["prediction_15min"], row["prediction_1h"], row["prediction_6h"]) == (6.1, 6.2, 6.3)
    assert (row["lead_minutes"], row["prediction"], row["prediction_for"]) == (360.0, 6.3, NOON + 360 * MINUTE)
    assert (row["lower_80"], row["upper_95"]) == (6.2, 6.5)
    assert (row["band_low"], row["band_high"], row["is_in_band"], row["age_minutes"]) == (5.5, 6.5, True, 4.0)
    assert (row["leaving_probability_1h"], row["leaving_probability_6h"]) == (0.1, 0.2)
    assert row["minutes_to_leaving"] is None


def test_every_target__has_a_row_and_labels_stand_beside_them() -> None:
    frames = [
        rows_of("ph_level", [6.0] * 4, [0.1] * 4),
        rows_of("water_temperature", [20.0] * 4, [None] * 4),
        rows_of("is_env_optimal", [0.4, 0.3, 0.2, 0.1], [None] * 4, prediction_quality="one_class"),
    ]
    made = system_outlook(
        pl.concat(frames, how="diagonal_relaxed"), measured(ph_level=6.0, water_temperature=20.5), SETTINGS, NOON
    )
    assert made["target"].to_list() == ["ph_level", "water_temperature"]
    assert made["optimal_probability"].to_list() == [0.1, 0.1]
    assert made["optimal_quality"].to_list() == ["one_class"] * 2
    without_band = made.row(1, named=True)
    assert (without_band["band_low"], without_band["leaving_probability_6h"]) == (None, None)
    assert without_band["current_value"] == 20.5


def test_system_outside_its_band__has_left_already() -> None:
    row = outlook(6.7, [6.6] * 4, [1.0] * 4)
    assert (row["is_in_band"], row["minutes_to_leaving"], row["leaving_probability_1h"]) == (False, 0.0, 1.0)


def test_forecast_that_is_not_there__leaves_the_last_one_that_is() -> None:
    row = outlook(6.0, [6.0, 6.1, None, None], [0.0, 0.1, None, None])
    assert (row["lead_minutes"], row["prediction"], row["prediction_6h"]) == (15.0, 6.1, None)


# -- in the lakehouse --------------------------------------------------------------------------------------------------

TABLE = sensor_features_table(MINUTE, ["ph_level", "tds_level"], [])
FIRST, SECOND, THIRD = (date(2024, 3, d) for d in (1, 2, 3))


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(sequence_length=5, forecast_horizon=2, lead_times=())


def test_outlook_table__has_the_newest_rows_of_every_system(lakehouse: Lakehouse, settings: Settings) -> None:
    frame = pl.concat(
        [
            feature_rows(list(range(1430, 1450)), system="both days"),
            feature_rows(list(range(20)), system="first day"),
        ]
    )
    lakehouse = Lakehouse(settings)
    lakehouse.replace_days(TABLE, frame, FIRST, THIRD)
    models = ServingModels({"lstm": WindowMean(targets=("ph_level", "tds_level"))}, {"lstm": "1"})
    score_days(lakehouse, settings, models, FIRST, THIRD, NOON)
    refresh_outlook(lakehouse, NOON)
    score_days(lakehouse, settings, models, FIRST, SECOND, NOON)  # history, scored later
    refresh_outlook(lakehouse, NOON + MINUTE)
    stored = lakehouse.read_polars("predictions.system_outlook").sort("system_id", "target")
    assert stored.select("system_id", "target", "timestamp").rows() == [
        (system, target, DAY + timedelta(minutes=m))
        for system, m in (("both days", 1449), ("first day", 19))
        for target in ("ph_level", "tds_level")
    ]
    assert stored["updated_at"].unique().to_list() == [NOON + MINUTE]
    assert stored.columns == outlook_table(settings).column_names
    assert stored["current_value"].null_count() == 0


def test_outlook_of_nothing__says_what_to_do(lakehouse: Lakehouse, settings: Settings) -> None:
    lakehouse = Lakehouse(settings)
    lakehouse.replace_days(TABLE, feature_rows([0]).clear(), FIRST, SECOND)
    lakehouse.ensure(FORECASTS)
    with pytest.raises(TableError, match="Score a day first"):
        refresh_outlook(lakehouse, NOON)
