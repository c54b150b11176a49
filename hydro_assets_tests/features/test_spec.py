from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.settings import Settings
from hydro_assets.tables import ACTUATORS
from hydro_assets_tests.builders.gold_rows import gold_rows

START = datetime(2026, 1, 5)
ALL_CODES = [code for _, code, _ in ACTUATORS]


@pytest.fixture
def gold() -> pl.DataFrame:
    return gold_rows(1, START, timedelta(hours=2), timedelta(minutes=1)).with_columns(system_id=pl.lit("a"))


def test_for_farm__a_complete_farm_lacks_only_ec(settings: Settings, gold: pl.DataFrame) -> None:
    spec = FeatureSpec.for_farm(settings, gold.columns, ALL_CODES)
    assert spec.notes == ("no ec_level in Gold: its features are left out",)


@pytest.mark.parametrize(
    ("drop", "note"),
    [
        ("system_id", "all readings belong to system_1"),
        ("ingestion_timestamp", "known_at is the end of the step"),
        ("is_humidifier_on", "no is_humidifier_on in Gold"),
        ("water_temperature", "no water_temperature in Gold"),
    ],
)
def test_for_farm__says_what_is_missing_and_makes_a_table_of_the_rest(
    settings: Settings, gold: pl.DataFrame, drop: str, note: str
) -> None:
    spec = FeatureSpec.for_farm(settings, gold.drop(drop).columns, ALL_CODES)
    assert any(note in text for text in spec.notes)
    made = features_of_system(gold.drop(drop), spec, "a")
    assert made.columns == spec.table.column_names
    assert made["ph_level"].null_count() < made.height
    assert drop == "system_id" or drop not in made.columns


def test_for_farm__an_actuator_that_dim_equipment_does_not_know_is_left_out(
    settings: Settings, gold: pl.DataFrame
) -> None:
    spec = FeatureSpec.for_farm(settings, gold.columns, ["pH_reducer"])
    assert spec.actuators == ("is_ph_reducer_on",)
    assert any("no ex_fan in dim_equipment" in text for text in spec.notes)


def test_for_farm__ec_in_place_of_tds_gets_its_own_band_and_judges_the_environment(
    make_settings: Callable[..., Settings],
) -> None:
    gold = pl.DataFrame(
        {
            "timestamp_key": [START, START + timedelta(minutes=1)],
            "ph_level": [6.0, 6.0],
            "ec_level": [1.5, 1.1],  # 800 .. 1200 ppm are 1.14 .. 1.71 mS/cm on the 700 scale
            "air_temperature": [24.0, 24.0],
            "air_humidity": [60.0, 60.0],
        }
    )
    spec = FeatureSpec.for_farm(make_settings(crop={"tds_scale": 700}), gold.columns)
    made = features_of_system(gold, spec, "a")
    assert made["is_env_optimal"].to_list() == [True, False]
    assert made["ec_level_band_distance"][1] == pytest.approx(1.1 - 800 / 700)


def test_for_farm__a_sensor_that_is_all_null_leaves_the_environment_unknown(
    settings: Settings, gold: pl.DataFrame
) -> None:
    silent = gold.with_columns(
        air_humidity=pl.lit(None, pl.Float64), air_temperature=pl.lit(24.0), ph_level=pl.lit(6.0)
    )
    made = features_of_system(silent, FeatureSpec.for_farm(settings, gold.columns), "a")
    assert set(made["is_env_optimal"].unique()) <= {None, False}
    assert made["air_humidity_mean_1h"].null_count() == made.height
