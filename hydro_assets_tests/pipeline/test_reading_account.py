from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features, feature_span
from hydro_assets.pipeline.gate import require_fit_days
from hydro_assets.pipeline.reading_account import MERGED, UNBUILT, UNEXPLAINED, reading_account
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA
from hydro_assets_tests.builders.gold_rows import gold_rows

FIRST = date(2026, 1, 5)


def readings(days: int, cadence: timedelta = timedelta(minutes=20)) -> pl.DataFrame:
    rows = gold_rows(2, datetime(2026, 1, 5), timedelta(days=days), cadence)
    return rows.with_columns(system_id=pl.lit("a"))


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata"])
def test_reading_account__adds_up_and_names_what_is_left(make_settings: Callable[..., Settings], timezone: str) -> None:
    lakehouse = Lakehouse(make_settings(feature_step="1h", timezone=timezone))
    rows = readings(3)
    same_instant = rows[:5].with_columns(pl.col("reading_id") + 10_000, air_humidity=pl.lit(50.0))
    lakehouse.append(GOLD_IOT_DATA, pl.concat([rows, same_instant]))
    assert reading_account(lakehouse).remainder[UNBUILT] == rows.height

    build_sensor_features(lakehouse, *feature_span(lakehouse))
    account = reading_account(lakehouse)
    assert (account.adds_up, account.in_features, account.remainder[MERGED]) == (True, rows.height, 5)
    assert str(account) == (
        f"{rows.height + 5} readings in Gold = {rows.height} in features "
        "+ 5 share an instant with another reading and are merged with it"
    )

    late = rows[:3].with_columns(pl.col("timestamp_key") + timedelta(seconds=1), pl.col("reading_id") + 20_000)
    lakehouse.append(GOLD_IOT_DATA, late)
    account = reading_account(lakehouse)
    assert (account.adds_up, account.remainder[UNEXPLAINED]) == (False, 3)


def test_require_fit_days__names_the_day_that_the_check_would_stop(
    make_settings: Callable[..., Settings],
) -> None:
    lakehouse = Lakehouse(make_settings(feature_step="1h"))
    bad = (pl.col("date") == FIRST + timedelta(days=1)) & pl.col("ph_level").is_not_null()
    rows = readings(3).with_columns(pl.when(bad).then(pl.col("ph_level") * 100).otherwise("ph_level").alias("ph_level"))
    lakehouse.append(GOLD_IOT_DATA, rows)
    with pytest.raises(DataContractError, match=r"2026-01-06: .* ph_level cells lie outside .*another unit"):
        require_fit_days(lakehouse, FIRST, FIRST + timedelta(days=3))
    require_fit_days(lakehouse, FIRST, FIRST + timedelta(days=1))
