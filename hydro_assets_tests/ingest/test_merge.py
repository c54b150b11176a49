from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from hydro_assets.ingest.merge import differing_from, held, merge_instants, new_readings

T0 = datetime(2026, 1, 5, 12)


def rows(*cells: tuple[int, float | None, float | None], system: str = "a", arrived: int = 0) -> pl.DataFrame:
    """(minute, pH, humidity) of each row."""
    data: dict[str, Any] = {
        "timestamp_key": [T0 + timedelta(minutes=m) for m, _, _ in cells],
        "ph_level": [p for _, p, _ in cells],
        "air_humidity": [h for _, _, h in cells],
    }
    kinds = {"timestamp_key": pl.Datetime("us"), "ph_level": pl.Float64, "air_humidity": pl.Float64}
    return pl.DataFrame(data, schema=kinds).with_columns(
        system_id=pl.lit(system), ingestion_timestamp=pl.lit(T0 + timedelta(hours=arrived)).dt.replace_time_zone("UTC")
    )


def values(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("ph_level", "air_humidity").rows()


def test_merge_instants__rows_that_complete_each_other_become_one() -> None:
    found = merge_instants(rows((0, 6.0, None), (1, 6.1, 60.0), (0, None, 61.0)))
    assert values(found.frame) == [(6.0, 61.0), (6.1, 60.0)]
    assert (found.merged, found.differing) == (1, 0)


def test_merge_instants__only_known_values_can_differ() -> None:
    found = merge_instants(rows((0, 6.0, 60.0), (0, 6.5, None), (0, 6.0, 60.0), (1, 6.0, None), (1, 6.0, None)))
    assert values(found.frame) == [(6.0, 60.0), (6.5, None), (6.0, None)]
    assert (found.merged, found.differing) == (2, 1)


def test_merge_instants__systems_are_kept_apart() -> None:
    both = pl.concat([rows((0, 6.0, None)), rows((0, 5.0, None), system="b")])
    assert merge_instants(both).frame.equals(both)


def test_new_readings__say_nothing_that_is_in_force_already() -> None:
    stored = pl.concat([rows((0, 6.0, None)), rows((0, None, 60.0), arrived=1)])
    assert new_readings(rows((0, 6.0, 60.0)), stored).is_empty()
    assert new_readings(rows((0, None, None)), stored).is_empty()
    assert len(new_readings(rows((0, 6.0, 61.0)), stored)) == 1
    assert len(new_readings(rows((1, None, None)), stored)) == 1
    assert len(new_readings(rows((0, 6.0, 60.0), system="b"), stored)) == 1


def test_new_readings__a_value_that_was_overtaken_is_new_again() -> None:
    stored = pl.concat([rows((0, 6.0, 60.0)), rows((0, 5.0, None), arrived=1)])
    assert values(new_readings(rows((0, 6.0, None)), stored)) == [(6.0, None)]
    assert new_readings(rows((0, 5.0, 60.0)), stored).is_empty()


def test_new_readings__two_values_of_one_import_are_both_in_force() -> None:
    twice = rows((0, 6.0, None), (0, 6.6, None))
    assert new_readings(twice, twice).is_empty()


def test_new_readings__read_what_gold_stores_whatever_its_types() -> None:
    incoming = rows((0, 6.0, 60.0))
    stored = incoming.with_columns(pl.col("timestamp_key").dt.replace_time_zone("UTC")).drop("ingestion_timestamp")
    assert new_readings(incoming, stored).is_empty()
    assert new_readings(incoming, stored.drop("air_humidity")).equals(incoming)


def test_differing_from__counts_corrections_and_not_additions() -> None:
    stored = rows((0, 6.0, None), (1, 6.1, 60.0))
    assert differing_from(rows((0, 6.0, 61.0), (1, 6.2, None), (2, 7.0, None)), stored) == 1


HOLD, STEP = timedelta(minutes=3), timedelta(minutes=1)


def instants(*cells: tuple[int, float | None, float | None], system: str = "a") -> pl.DataFrame:
    made = rows(*cells, system=system)
    return made.with_columns(instant=pl.col("timestamp_key").dt.replace_time_zone("UTC"))


def test_held__keeps_a_value_up_to_the_limit_and_never_looks_ahead() -> None:
    frame = held(instants((0, 6.0, None), (1, None, 60.0), (5, None, 61.0)), HOLD, STEP, "UTC")
    assert frame["timestamp_key"].dt.minute().to_list() == [0, 1, 2, 3, 4, 5]
    assert values(frame) == [(6.0, None), (6.0, 60.0), (6.0, 60.0), (6.0, 60.0), (None, 60.0), (None, 61.0)]


def test_held__adds_no_row_where_nothing_holds() -> None:
    frame = held(instants((0, 6.0, None), (10, 6.1, None)), timedelta(minutes=2), STEP, "UTC")
    assert frame["timestamp_key"].dt.minute().to_list() == [0, 1, 2, 10]


def test_held__a_value_ends_where_its_own_sensor_of_its_system_says_that_there_is_none() -> None:
    both = pl.concat([instants((0, 6.0, 60.0), (5, 6.1, 61.0)), instants((0, 5.0, 50.0), (5, 5.1, 51.0), system="b")])
    at = pl.DataFrame({"system_id": ["a"], "instant": [T0 + timedelta(minutes=2)]}).with_columns(
        pl.col("instant").dt.replace_time_zone("UTC")
    )
    frame = held(both, HOLD, STEP, "UTC", {"ph_level": at})
    a, b = (values(frame.filter(pl.col("system_id") == s)) for s in "ab")
    assert a == [(6.0, 60.0), (6.0, 60.0), (None, 60.0), (None, 60.0), (6.1, 61.0)]
    assert [ph for ph, _ in b] == [5.0] * 4 + [5.1]


def test_held__goes_through_the_hour_that_a_clock_skips_and_the_one_that_it_repeats() -> None:
    for start, hours in ((datetime(2026, 3, 29, 0, 30), ["01:30", "03:00", "03:30"]),
                         (datetime(2026, 10, 25, 0, 30), ["02:30", "02:00", "02:30"])):  # fmt: skip
        instant = pl.Series([start, start + timedelta(hours=1)]).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        wall = instant.dt.convert_time_zone("Europe/Berlin").dt.replace_time_zone(None)
        frame = pl.DataFrame({"system_id": "a", "timestamp_key": wall, "instant": instant, "ph_level": [6.0, 6.1]})
        made = held(frame, timedelta(hours=2), timedelta(minutes=30), "Europe/Berlin")
        assert made["timestamp_key"].dt.to_string("%H:%M").to_list() == hours
        assert made["ph_level"].to_list() == [6.0, 6.0, 6.1]
