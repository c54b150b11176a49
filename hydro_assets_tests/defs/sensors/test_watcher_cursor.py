from __future__ import annotations

from datetime import date

import pytest

from hydro_assets.defs.sensors.watcher_cursor import WatcherCursor
from hydro_assets.features.staleness import Built, BuiltDays, ChangedDays
from hydro_assets.lakehouse.tables import TableVersion

D1, D2 = date(2026, 1, 1), date(2026, 1, 2)


def test_cursor__survives_the_trip_through_text() -> None:
    cursor = WatcherCursor(
        ChangedDays(TableVersion("g", 7), {D1: 3, D2: 7}, frozenset({D1})),
        BuiltDays(TableVersion("f", 2), {D1: Built(TableVersion("g", 3), '{"timezone": "UTC"}')}),
    )
    assert WatcherCursor.from_json(cursor.to_json()) == cursor


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "17", "no json", '{"format": 99, "gold": 1}'])
def test_cursor__of_another_making_is_forgotten(text: str | None) -> None:
    assert WatcherCursor.from_json(text) == WatcherCursor()
