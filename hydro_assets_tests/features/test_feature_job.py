from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA
from hydro_assets_tests.builders.gold_rows import gold_rows
from hydro_assets_tests.features.test_system_features import assert_same

FIRST, LAST = date(2026, 3, 24), date(2026, 4, 2)  # nine days; Amsterdam's clock goes forward on the 29th
DAYS = [FIRST + timedelta(days=i) for i in range((LAST - FIRST).days)]


def two_systems() -> pl.DataFrame:
    start = datetime(2026, 3, 23, 22)
    length = timedelta(days=9, hours=4)
    a = gold_rows(1, start, length, timedelta(minutes=7), ((50.0, 80.0), (130.0, 130.5)), (("ph_level", 90.0, 130.0),))
    b = gold_rows(2, start, length, timedelta(minutes=13), ((20.0, 21.0),))
    return pl.concat([a.with_columns(system_id=pl.lit("a")), b.with_columns(system_id=pl.lit("b"))])


def with_gold(make_settings: Callable[..., Settings], gold: pl.DataFrame, **overrides: object) -> Lakehouse:
    settings = make_settings(**{"feature_step": "10min", "timezone": "Europe/Amsterdam", **overrides})
    lakehouse = Lakehouse(settings)
    lakehouse.append(GOLD_IOT_DATA, gold)
    return lakehouse


def whole_history(lakehouse: Lakehouse, gold: pl.DataFrame) -> pl.DataFrame:
    spec = farm_spec(lakehouse)
    parts = [features_of_system(rows, spec, str(key[0])) for key, rows in gold.group_by("system_id")]
    inside = (pl.col("date") >= FIRST) & (pl.col("date") < LAST)
    return pl.concat(parts).filter(inside).sort("system_id", "timestamp")


def stored(lakehouse: Lakehouse) -> pl.DataFrame:
    return lakehouse.read_polars("feature_store.sensor_features").sort("system_id", "timestamp")


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({"days_per_task": 1}, id="a day per task"),
        pytest.param({"days_per_task": 7}, id="a week per task"),
        pytest.param({"days_per_task": 1, "timezone": "UTC"}, id="UTC"),
        pytest.param({"days_per_task": 2, "timezone": "America/Los_Angeles"}, id="west"),
        pytest.param({"days_per_task": 1, "timezone": "UTC", "feature_step": "6h"}, id="coarsest grid"),
    ],
)
def test_build__distributed_equals_the_whole_history_at_once(
    make_settings: Callable[..., Settings], overrides: dict[str, object]
) -> None:
    gold = two_systems()
    lakehouse = with_gold(make_settings, gold, **overrides)
    built = build_sensor_features(lakehouse, FIRST, LAST)
    expected = whole_history(lakehouse, gold)
    assert_same(stored(lakehouse).select(expected.columns), expected, 1e-9)
    assert sum(built.receipt.rows_by_day.values()) == expected.height


def test_build__any_single_day_again_gives_the_same_rows(make_settings: Callable[..., Settings]) -> None:
    lakehouse = with_gold(make_settings, two_systems())
    build_sensor_features(lakehouse, FIRST, LAST)
    before = stored(lakehouse)
    for day in (DAYS[0], DAYS[3], DAYS[5]):
        build_sensor_features(lakehouse, day, day + timedelta(days=1))
    assert_same(stored(lakehouse), before, 1e-9)


def test_build__overlapping_ranges_touch_only_their_own_days(make_settings: Callable[..., Settings]) -> None:
    lakehouse = with_gold(make_settings, two_systems())
    build_sensor_features(lakehouse, DAYS[1], DAYS[4])
    build_sensor_features(lakehouse, DAYS[2], DAYS[6])
    expected = whole_history(lakehouse, two_systems()).filter((pl.col("date") >= DAYS[1]) & (pl.col("date") < DAYS[6]))
    assert_same(stored(lakehouse).select(expected.columns), expected, 1e-9)


def test_build__late_rows_reach_their_day_and_the_next_but_no_other(make_settings: Callable[..., Settings]) -> None:
    gold = two_systems()
    lakehouse = with_gold(make_settings, gold.filter((pl.col("system_id") == "a") | (pl.col("date") != DAYS[3])))
    build_sensor_features(lakehouse, FIRST, LAST)
    lakehouse.append(GOLD_IOT_DATA, gold.filter((pl.col("system_id") == "b") & (pl.col("date") == DAYS[3])))
    build_sensor_features(lakehouse, DAYS[2], DAYS[5])  # the wall-clock day, its UTC days and the look-back after it
    expected = whole_history(lakehouse, gold)
    assert_same(stored(lakehouse).select(expected.columns), expected, 1e-9)


def test_build__without_a_reading_in_the_range_nothing_is_emptied(make_settings: Callable[..., Settings]) -> None:
    lakehouse = with_gold(make_settings, two_systems())
    build_sensor_features(lakehouse, DAYS[0], DAYS[1])
    rows = stored(lakehouse).height
    with pytest.raises(DataContractError, match=r"no reading from 2027-01-01 to 2027-01-01; it covers 2026-03-23"):
        build_sensor_features(lakehouse, date(2027, 1, 1), date(2027, 1, 2))
    assert stored(lakehouse).height == rows


def test_build__notes_the_gold_version_it_read(make_settings: Callable[..., Settings]) -> None:
    lakehouse = with_gold(make_settings, two_systems())
    built = build_sensor_features(lakehouse, DAYS[0], DAYS[1], {"run": "r1"})
    from deltalake import DeltaTable

    commit = DeltaTable(lakehouse.uri("feature_store.sensor_features")).history(1)[0]
    assert built.gold == lakehouse.version("gold.iot_data")
    assert f'"gold_version": {built.gold.version}' in str(commit["userMetadata"])
    assert '"run": "r1"' in str(commit["userMetadata"])
