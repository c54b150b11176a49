from datetime import datetime

import polars as pl

from hydro_assets.ingest.gold_rows import GOLD_SCHEMA, gold_readings
from hydro_assets.setting_groups import Band, CropProfile

NOON = datetime(2024, 3, 4, 12)


def test_gold_readings__has_gold_columns_and_types_and_null_where_nothing_was_measured() -> None:
    frame = gold_readings(pl.DataFrame({"timestamp_key": [NOON], "ph_level": [6.0]}), CropProfile())
    assert dict(frame.schema) == GOLD_SCHEMA
    row = frame.row(0, named=True)
    assert (row["is_ph_optimal"], row["is_temp_optimal"], row["tds_level"]) == (True, None, None)
    assert row["date"] == NOON.date()


def test_gold_readings__flags_follow_the_crop() -> None:
    lettuce = CropProfile(name="lettuce", ph_level=Band(low=5.6, high=6.0))
    readings = pl.DataFrame({"timestamp_key": [NOON] * 3, "ph_level": [5.6, 6.0, 6.2]})
    assert gold_readings(readings, lettuce)["is_ph_optimal"].to_list() == [True, True, False]


def test_gold_readings__a_farm_with_conductivity_gets_its_tds_flag_from_it() -> None:
    readings = pl.DataFrame({"timestamp_key": [NOON] * 2, "ec_level": [2.0, 3.0]})
    assert gold_readings(readings, CropProfile())["is_tds_optimal"].to_list() == [True, False]
