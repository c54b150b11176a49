from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from deltalake import write_deltalake

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse

GOLD = pl.DataFrame(
    {
        "timestamp_key": [datetime(2026, 1, 1, 8)],
        "system_id": ["a"],
        "ph_level": [6.0],
        "is_add_water_on": [True],
        "date": [date(2026, 1, 1)],
    }
)


def stored(lakehouse: Lakehouse, gold: pl.DataFrame) -> Lakehouse:
    write_deltalake(lakehouse.uri("gold.iot_data"), gold.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return lakehouse


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        pytest.param(
            GOLD.with_columns(pl.col("date").cast(pl.String)),
            ["hydroponics.gold.iot_data", "column date is string", "CAST(date AS DATE) AS date"],
            id="text dates",
        ),
        pytest.param(
            GOLD.with_columns(pl.col("timestamp_key").cast(pl.String)),
            ["column timestamp_key is string", "EXCEPT (timestamp_key)", "CAST(timestamp_key AS TIMESTAMP)"],
            id="text times",
        ),
        pytest.param(
            GOLD.rename(str.upper),
            ["not written in small letters: TIMESTAMP_KEY, SYSTEM_ID", "PH_LEVEL AS ph_level", "DATE AS date"],
            id="capitals",
        ),
        pytest.param(
            GOLD.with_columns(is_add_water_on=pl.lit("ON")),
            ["column is_add_water_on is string", "upper(is_add_water_on) IN ('ON'"],
            id="ON and OFF",
        ),
        pytest.param(
            GOLD.with_columns(pl.col("date").cast(pl.String)).rename({"date": "DATE"}),
            ["column DATE is string", "CAST(DATE AS DATE) AS date"],
            id="text dates in capitals",
        ),
    ],
)
def test_gold__of_another_writer_is_refused_with_the_column_and_the_statement(
    lakehouse: Lakehouse, gold: pl.DataFrame, words: list[str]
) -> None:
    found = stored(lakehouse, gold)
    for read in (found.days, found.read_polars, found.columns):
        with pytest.raises(TableError) as error:
            read("gold.iot_data")
        assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize("kind", [pl.String, pl.Decimal(5, 2), pl.Float32, pl.Int64])
def test_gold__with_naive_times_integer_switches_and_sensors_of_any_number_is_read(
    lakehouse: Lakehouse, kind: type[pl.DataType]
) -> None:
    gold = GOLD.with_columns(pl.col("ph_level").cast(kind), is_add_water_on=pl.lit(1, pl.Int32)).drop("date")
    found = stored(lakehouse, gold)
    assert found.days("gold.iot_data") == [date(2026, 1, 1)]
    assert found.read_polars("gold.iot_data")["ph_level"].to_list() == [6.0]
    assert found.span("gold.iot_data", "ph_level") == (1, 6.0, 6.0)
