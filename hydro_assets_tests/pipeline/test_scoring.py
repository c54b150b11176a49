from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.scoring import refresh_outlook
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import sensor_features_table
from hydro_assets_tests.builders.stand_ins import DAY, feature_rows

FIRST, SECOND, THIRD = (date(2024, 3, d) for d in (1, 2, 3))
NOON = DAY + timedelta(hours=12)


def score(lakehouse: Lakehouse, settings: Settings, rows: pl.DataFrame) -> None:
    table = sensor_features_table(settings.feature_step, ["ph_level", "tds_level"], [])
    lakehouse.replace_days(table, rows, FIRST, THIRD)
    score_days(lakehouse, settings, ServingModels({}, {}), FIRST, THIRD, NOON)


def test_refresh_outlook__shows_a_system_that_came_later_with_older_readings(
    lakehouse: Lakehouse, settings: Settings
) -> None:
    there = feature_rows(list(range(1440, 1460)), system="there")
    score(lakehouse, settings, there)
    assert refresh_outlook(lakehouse, NOON)["system_id"].to_list() == ["there"]
    score(lakehouse, settings, pl.concat([there, feature_rows(list(range(10)), system="of yesterday")]))
    outlook = refresh_outlook(lakehouse, NOON)
    assert dict(outlook.select("system_id", "timestamp").iter_rows()) == {
        "of yesterday": DAY + timedelta(minutes=9),
        "there": DAY + timedelta(minutes=1459),
    }
