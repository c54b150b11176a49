"""Facts stand on the page of an asset, not behind a link: they are short enough for Dagster to show them at once."""

from __future__ import annotations

import math

import polars as pl
import pytest

from hydro_assets.defs.facts import SHOWN_AT_ONCE, definition_facts, section_facts, table_facts
from hydro_assets.report.page import Number, Section
from hydro_assets.tables import GOLD_IOT_DATA

DAY = [6 + math.sin(i / 90) for i in range(1440)]


def test_section__opens_with_numbers_and_a_picture_that_needs_no_click() -> None:
    numbers = [Number("mean absolute error (pH)", "0.031", amount=0.031), Number("systems", "3")]
    trend = {"system_1 forecast": DAY, "actual": [v + 0.05 for v in DAY]}
    facts = section_facts(Section("Forecasts", "The last day.", numbers, trend=trend))
    assert list(facts) == [
        "mean absolute error (pH)",
        "systems",
        "at a glance (system_1 forecast green, actual black)",
    ]
    assert facts["mean absolute error (pH)"] == 0.031
    assert len(facts["at a glance (system_1 forecast green, actual black)"].value) < SHOWN_AT_ONCE


@pytest.mark.parametrize(("rows", "names"), [(3, ["table"]), (80, ["table, first rows", "table"])])
def test_table__that_is_long_shows_its_first_rows(rows: int, names: list[str]) -> None:
    frame = pl.DataFrame({"system_id": [f"system_{i}" for i in range(rows)], "risk": [0.1234567] * rows})
    facts = table_facts("table", frame)
    assert list(facts) == names
    assert len(facts[names[0]].value) < SHOWN_AT_ONCE
    assert "system_0" in facts[names[0]].value
    assert facts["table"].value.count("system_") == rows + 1  # and the heading


def test_columns__come_after_the_facts() -> None:
    facts = definition_facts(GOLD_IOT_DATA, "hydroponics.gold.iot_data")
    assert "dagster/column_schema" not in facts
    assert [c.name for c in facts["columns"].columns] == list(GOLD_IOT_DATA.column_names)
