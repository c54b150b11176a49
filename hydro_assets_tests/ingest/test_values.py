from __future__ import annotations

import polars as pl
import pytest

from hydro_assets.ingest.values import decimal_mark, null_options, numbers, switches, without_empties


@pytest.mark.parametrize(
    ("cells", "is_usual", "mark"),
    [
        (["6.01", "7"], None, "."),
        (["6,01", "22,1"], None, ","),
        (["6,01", "1,585"], True, ","),
        (["1,234.5", "6.0"], None, "."),
        (["1,234,567"], None, "."),
        (["1.299,5", "6,01"], True, ","),
        (["0,585"], None, ","),
    ],
)
def test_decimal_mark__is_found_in_the_numbers(cells: list[str], is_usual: bool | None, mark: str) -> None:
    assert decimal_mark([pl.Series(cells)], None, is_usual) == (mark, None)


@pytest.mark.parametrize(
    ("cells", "is_usual", "problem"),
    [
        (["1,250", "1,300"], None, "may have a decimal comma or a comma for thousands"),
        (["6,01", "1.299"], True, "'1.299' is written with a dot in a file of decimal commas"),
        (["6,01", "1,234.5"], None, "has a decimal comma and"),
    ],
)
def test_decimal_mark__says_what_cannot_be_told(cells: list[str], is_usual: bool | None, problem: str) -> None:
    assert problem in (decimal_mark([pl.Series(cells)], None, is_usual)[1] or "")
    assert decimal_mark([pl.Series(cells)], ",", is_usual) == (",", None)


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("6.01", ".", 6.01), ("+6", ".", 6.0), (".5", ".", 0.5), ("1,299.5", ".", 1299.5), ("1.299,5", ",", 1299.5),
        
        ("1 299", ".", 1299.0), ("1'299.5", ".", 1299.5), ("6,01", ",", 6.01), ("8.2e2", ".", 820.0),
        ("821.5 ppm", ".", 821.5),
        ("821.5ppm", ".", 821.5), 
        ("0.8 g/L", ".", 800.0), ("TDS", ".", None), ("1e999", ".", None), ("5..5", ".", None),
    ],
)  # fmt: skip
def test_numbers__of_one_cell(cell: str, mark: str, value: float | None) -> None:
    assert numbers(pl.Series([cell]), "tds_level", mark, None).values.to_list() == [value]


def test_numbers__convert_by_column_unless_the_cell_names_its_own_unit() -> None:
    read = numbers(pl.Series(["71.6", "22 °C", None]), "air_temperature", ".", "degF")
    assert read.values.to_list() == [pytest.approx(22), 22, None]
    assert read.units == ("°C",)


def test_numbers__a_unit_of_another_quantity_is_a_problem_of_the_column() -> None:
    assert "no unit of ph_level" in (numbers(pl.Series(["6.1 mS/cm"]), "ph_level", ".", None).problem or "")


def test_numbers__list_every_unreadable_word_with_count_and_first_row() -> None:
    read = numbers(pl.Series(["ERR", "6", "OL", "ERR"]), "ph_level", ".", None)
    assert read.unreadable == {"ERR": (2, 0), "OL": (1, 2)}
    assert null_options(read.unreadable) == "--null ERR --null OL"


def test_without_empties__knows_words_for_no_value_and_counts_them() -> None:
    text, words = without_empties(
        pl.Series([" ", "", "NaN", "unavailable", "#N/A", "--", "Over", " 6 ", None]), ("over",)
    )
    assert text.to_list() == [None] * 7 + ["6", None]
    assert words == {"NaN": 1, "unavailable": 1, "#N/A": 1, "--": 1, "Over": 1}


def test_switches__are_on_off_or_a_word_to_name() -> None:
    read = switches(pl.Series(["ON", "off", "1", "0.0", "True", None, "maybe"]), "is_ex_fan_on")
    assert read.values.to_list() == [True, False, True, False, True, None, None]
    assert read.unreadable == {"maybe": (1, 6)}
