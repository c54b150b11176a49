from datetime import date, datetime

from hydro_assets.ingest.dimensions import dim_equipment, dim_time
from hydro_assets.tables import ACTUATORS, GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME

DAYS = [date(2024, 3, 1), date(2024, 3, 2)]


def test_dim_time__has_one_row_per_hour_of_the_days() -> None:
    frame = dim_time(DAYS)
    assert frame.columns == GOLD_DIM_TIME.column_names
    assert len(frame) == 48
    assert frame["timestamp_key"][-1] == datetime(2024, 3, 2, 23)


def test_dim_time__knows_friday_from_saturday() -> None:
    frame = dim_time(DAYS)
    days = frame.select("day_of_week", "day_type").unique(maintain_order=True)
    assert days.rows() == [(5, "weekday"), (6, "weekend")]


def test_dim_time__a_day_a_century_away_is_a_day_and_no_century() -> None:
    assert dim_time([*DAYS, date(2926, 3, 1)]).height == 72
    assert dim_time([]).is_empty()


def test_dim_equipment__lists_the_five_actuators_by_code() -> None:
    frame = dim_equipment()
    assert frame.columns == GOLD_DIM_EQUIPMENT.column_names
    assert frame.select("equipment_id", "equipment_code").rows() == [
        (i, code) for i, (_, code, _) in enumerate(ACTUATORS, start=1)
    ]
