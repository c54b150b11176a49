from datetime import date, datetime

from hydro_assets.ingest.dimensions import dim_equipment, dim_time
from hydro_assets.tables import ACTUATORS, GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME


def test_dim_time__has_one_row_per_hour_of_the_half_open_range() -> None:
    frame = dim_time(date(2024, 3, 1), date(2024, 3, 3))
    assert frame.columns == GOLD_DIM_TIME.column_names
    assert len(frame) == 48
    assert frame["timestamp_key"][-1] == datetime(2024, 3, 2, 23)


def test_dim_time__knows_friday_from_saturday() -> None:
    frame = dim_time(date(2024, 3, 1), date(2024, 3, 3))
    days = frame.select("day_of_week", "day_type").unique(maintain_order=True)
    assert days.rows() == [(5, "weekday"), (6, "weekend")]


def test_dim_equipment__lists_the_five_actuators_by_code() -> None:
    frame = dim_equipment()
    assert frame.columns == GOLD_DIM_EQUIPMENT.column_names
    assert frame.select("equipment_id", "equipment_code").rows() == [
        (i, code) for i, (_, code, _) in enumerate(ACTUATORS, start=1)
    ]
