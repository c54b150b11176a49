from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from hydro_assets.quality import Finding
from hydro_assets.quality.gold_findings import (
    cadence,
    completeness,
    day_findings,
    enough_history,
    measured,
    ranges,
)
from hydro_assets.settings import Settings

DAY = date(2026, 1, 5)
START = datetime(2026, 1, 5)
GOOD = {"ph_level": 6.0, "tds_level": 900.0, "air_temperature": 24.0, "air_humidity": 60.0}


def gold(n: int = 4, every: timedelta = timedelta(minutes=1), **columns: Any) -> pl.DataFrame:
    rows = {"timestamp_key": [START + i * every for i in range(n)], **{k: [v] * n for k, v in GOOD.items()}}
    return pl.DataFrame({**rows, **columns})


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {f.name: f for f in findings}


def failed(findings: list[Finding]) -> dict[str, str]:
    return {f.name: f.severity for f in findings if not f.passed}


def test_day_findings__a_good_day_passes() -> None:
    assert failed(day_findings(gold(), DAY)) == {}


@pytest.mark.parametrize(
    ("readings", "name", "severity", "sentence"),
    [
        pytest.param(gold(0), "arrived", "warn", "Gold has no reading on 2026-01-05", id="nothing"),
        pytest.param(gold().select(x=1), "columns", "error", "needs timestamp_key", id="no columns"),
        pytest.param(
            gold(timestamp_key=[START, None, START + timedelta(days=1), START]),
            "own_day",
            "error",
            "1 readings have no timestamp and 1 are stamped on another day",
            id="timestamps",
        ),
        pytest.param(
            gold(2, timestamp_key=[START, START], ph_level=[6.0, 5.0]),
            "duplicates",
            "error",
            "100.0% of 1 instants carry readings that differ (0 more rows agree and are merged); two systems share",
            id="two systems under one name",
        ),
        pytest.param(
            gold(ph_level=[600.0, 610.0, 590.0, 6.0]), "ph_level_range", "error", "another unit", id="pH times 100"
        ),
        pytest.param(
            gold(ph_level=[99.0, 6.0, 6.0, 6.0]), "ph_level_range", "warn", "(99 to 99)", id="one cell out of range"
        ),
        pytest.param(
            gold(ph_level=[0.0, 6.0, None, 6.0]),
            "ph_level_complete",
            "warn",
            "50.0% of 4 readings have no usable ph_level",
            id="zeros and nulls are not usable",
        ),
        pytest.param(
            gold(**dict.fromkeys(GOOD, [None] * 4)), "any_value", "error", "No usable value of ph_level", id="all null"
        ),
    ],
)
def test_day_findings__name_the_fault_with_its_numbers(
    readings: pl.DataFrame, name: str, severity: str, sentence: str
) -> None:
    cast = readings.with_columns(pl.col(pl.Null).cast(pl.Float64))
    finding = by_name(day_findings(cast, DAY))[name]
    assert (finding.passed, finding.severity) == (False, severity)
    assert sentence in finding.sentence


def test_day_findings__a_plain_copy_is_no_conflict() -> None:
    finding = by_name(day_findings(pl.concat([gold(), gold()]), DAY))["duplicates"]
    assert finding.passed
    assert finding.facts["copies"] == 4


def test_day_findings__equal_instants_of_two_systems_are_no_conflict() -> None:
    two = pl.concat([gold(system_id="a"), gold(system_id="b", ph_level=5.0)])
    assert failed(day_findings(two, DAY)) == {}


def test_ranges__a_placeholder_zero_is_not_out_of_range() -> None:
    assert failed(ranges(gold(ph_level=[0.0] * 4))) == {}


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        pytest.param({"water_temperature": -777.0}, {"water_temperature_range": "warn"}, id="dead optional probe"),
        pytest.param({"ph_level": -777.0}, {"ph_level_range": "warn", "ph_level_complete": "warn"}, id="dead probe"),
        pytest.param({"water_temperature": [300.1, 301.2, 299.8, 302.0]}, {"water_temperature_range": "warn"}, id="K"),
        pytest.param(
            {"air_temperature": [300.1, 301.2, 299.8, 302.0]},
            {"air_temperature_range": "error", "air_temperature_complete": "warn"},
            id="Kelvin of a required sensor",
        ),
    ],
)
def test_day_findings__a_dead_probe_blocks_no_day_but_another_unit_does(
    columns: dict[str, Any], outcome: dict[str, str]
) -> None:
    rows = {name: cells if isinstance(cells, list) else [cells] * 4 for name, cells in columns.items()}
    assert failed(day_findings(gold(**rows), DAY)) == outcome


def test_measured__names_the_sensors_with_a_usable_value() -> None:
    assert measured(gold(ph_level=[0.0] * 4, water_temperature=[-1023.0] * 4)) == list(GOOD)[1:]


def test_completeness__conductivity_may_be_tds_or_ec() -> None:
    ec_only = gold(ec_level=1.5).drop("tds_level")
    ec_beside_dead_tds = gold(ec_level=1.5, tds_level=pl.Series([None] * 4, dtype=pl.Float64))
    assert failed(completeness(ec_only)) == {}
    assert failed(completeness(ec_beside_dead_tds)) == {}


def test_completeness__an_absent_column_warns_but_does_not_stop() -> None:
    assert failed(completeness(gold().drop("air_humidity"))) == {"air_humidity_complete": "warn"}


def test_enough_history__counts_records_and_days(settings: Settings) -> None:
    assert failed(enough_history(5000, DAY, DAY + timedelta(days=4), settings)) == {}
    short = enough_history(999, DAY, DAY, settings)
    assert failed(short) == {"minimum_records": "error", "span": "warn"}
    assert "999 readings, fewer than the 1,000 needed" in short[0].sentence
    assert "covers 1 days" in short[1].sentence


@pytest.mark.parametrize(
    ("every", "outcome"),
    [
        pytest.param(timedelta(seconds=10), {}, id="faster than the grid"),
        pytest.param(timedelta(seconds=62), {}, id="the grid, with jitter"),
        pytest.param(timedelta(minutes=5), {"cadence_system_1": "warn"}, id="slower"),
        pytest.param(
            timedelta(hours=1), {"cadence_system_1": "error"}, id="slower than the gap rule: no window at all"
        ),
    ],
)
def test_cadence__is_judged_against_the_grid_step(
    settings: Settings, every: timedelta, outcome: dict[str, str]
) -> None:
    assert failed(cadence(gold(20, every), settings)) == outcome


def test_cadence__names_the_setting_to_change_per_system(make_settings: Callable[..., Settings]) -> None:
    both = pl.concat([gold(20, system_id="a"), gold(20, timedelta(minutes=5), system_id="b")])
    found = by_name(cadence(both, make_settings()))
    assert found["cadence_a"].passed
    assert found["cadence_b"].sentence == (
        "b is read every 5 min, the grid step is 60 s: most steps stay empty; set HYDRO_FEATURE_STEP=5min"
    )


def test_day_findings__judge_a_mended_day_as_mended() -> None:
    wrong = gold(ph_level=[600.0, 600.0, 600.0, 600.0]).with_columns(
        reading_id=pl.Series([1, 2, 3, 4]), ingestion_timestamp=pl.lit(datetime(2026, 1, 1))
    )
    mended = gold().with_columns(reading_id=pl.Series([1, 2, 3, 4]), ingestion_timestamp=pl.lit(datetime(2026, 1, 2)))
    assert "ph_level_range" in failed(day_findings(wrong, DAY))
    assert failed(day_findings(pl.concat([wrong, mended]), DAY)) == failed(day_findings(mended, DAY))


def test_day_findings__without_ids_take_a_later_file_of_the_same_name_as_a_correction() -> None:
    def arrived(hour: int, file: str, **values: Any) -> pl.DataFrame:
        at, no_id = pl.lit(datetime(2026, 1, 6, hour)), pl.lit(None, pl.Int32)
        return gold(**values).with_columns(reading_id=no_id, ingestion_timestamp=at, source_file=pl.lit(file))

    in_fahrenheit = arrived(1, "a.csv", air_temperature=[75.0] * 4)
    mended, of_another_system = arrived(2, "a.csv"), arrived(2, "b.csv", ph_level=[6.2] * 4)
    assert failed(day_findings(pl.concat([in_fahrenheit, mended]), DAY)) == failed(day_findings(mended, DAY))
    assert failed(day_findings(pl.concat([mended, of_another_system]), DAY))["duplicates"] == "error"
    twice = pl.concat([mended, mended.with_columns(ph_level=pl.lit(6.2))])
    assert failed(day_findings(twice, DAY))["duplicates"] == "error"
