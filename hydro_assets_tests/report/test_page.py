"""The page of the report: escaped, readable, whole."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from matplotlib.figure import Figure

from hydro_assets.report.page import Number, Section, cell_text, html

MADE = datetime(2026, 3, 5, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"),
        (0.0123456, "0.01235"),
        (1234567, "1,234,567"),
        (True, "yes"),
        (datetime(2026, 3, 5, 7, 30, 59), "2026-03-05 07:30"),
        (date(2026, 3, 5), "2026-03-05"),
    ],
    ids=str,
)
def test_cell__is_written_to_be_read(cell: object, text: str) -> None:
    assert cell_text(cell) == text


def test_page__escapes_what_comes_from_data_and_keeps_pictures() -> None:
    frame = pl.DataFrame({"system_id": ["<script>alert(1)</script>"], "ph_level": [6.1]})
    section = Section("Farm health", "All & sundry", [Number("pH", "6.1", is_bad=True)], [Figure()], [frame])
    page = html("Farm <1>", [section], MADE)
    assert "<script>" not in page
    assert page.count("<svg") == 1
    assert '<h2 id="farm-health">Farm health</h2>' in page
    assert "<th>system id</th><th>ph level</th>" in page
    assert 'class="bad"' in page


def test_page__leaves_an_empty_table_out() -> None:
    page = html("Farm", [Section("Drift", "Nothing yet.", frames=[pl.DataFrame({"feature": []})])], MADE)
    assert "<table>" not in page
    assert "Nothing yet." in page
