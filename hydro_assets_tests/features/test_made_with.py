"""Features know the settings that shaped them: never two zones, two crops or two grids in one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from hydro_assets.errors import DataContractError
from hydro_assets.features.spec import differing_settings, made_with
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features, feature_span
from hydro_assets.pipeline.outdated import outdated_days, require_one_making
from hydro_assets.pipeline.training import train_model
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA, names
from hydro_assets_tests.builders.gold_rows import gold_rows

FIRST = date(2026, 1, 5)


def filled(settings: Settings) -> Lakehouse:
    lakehouse = Lakehouse(settings)
    rows = gold_rows(1, datetime(2026, 1, 5), timedelta(days=3), timedelta(minutes=30))
    lakehouse.append(GOLD_IOT_DATA, rows.with_columns(system_id=pl.lit("a")))
    return lakehouse


def test_zone_changed__is_refused_by_training_until_every_day_is_built_again(
    make_settings: Callable[..., Settings],
) -> None:
    before = filled(make_settings(feature_step="30min"))
    build_sensor_features(before, *feature_span(before))
    require_one_making(before)
    utc = before.read_polars(names.SENSOR_FEATURES)

    now = Lakehouse(make_settings(feature_step="30min", timezone="Asia/Kolkata"))
    build_sensor_features(now, FIRST + timedelta(days=1), FIRST + timedelta(days=2))
    with pytest.raises(DataContractError, match="2 of 3 feature days .* timezone UTC, now Asia/Kolkata"):
        train_model(now, "gru", datetime(2026, 2, 1, tzinfo=UTC))
    assert outdated_days(now).changed_settings == ["timezone UTC, now Asia/Kolkata"]

    for day in outdated_days(now).days:
        build_sensor_features(now, day, day + timedelta(days=1))
    assert outdated_days(now).days == []
    require_one_making(now)
    shifted = pl.col("timestamp") - timedelta(hours=5, minutes=30)
    moved = now.read_polars(names.SENSOR_FEATURES)
    assert sorted(moved["timestamp"]) == sorted(utc.select(shifted).to_series())

    # Back again: the day before the first has rows of the other zone only, and is emptied.
    assert outdated_days(before).days[0] == FIRST - timedelta(days=1)
    build_sensor_features(before, *feature_span(before))
    assert outdated_days(before).days == []
    assert sorted(before.read_polars(names.SENSOR_FEATURES)["timestamp"]) == sorted(utc["timestamp"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"timezone": "Asia/Kolkata"}, "timezone UTC, now Asia/Kolkata"),
        ({"max_gap": "20min"}, "gap_limit 5min, now 20min"),
        ({"min_window_coverage": 0.9}, "min_window_coverage 0.5, now 0.9"),
        ({"default_system": "north"}, "default_system system_1, now north"),
        ({"feature_step": "2min"}, "feature_step 1min, now 2min"),
        ({"crop": {"ph_level": {"low": 5.8, "high": 6.2}}}, "bands .*ph_level 5.5..6.5.*, now .*ph_level 5.8..6.2"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_every_setting_that_shapes_a_row__is_recorded(
    make_settings: Callable[..., Settings], change: dict[str, Any], told: str
) -> None:
    (found,) = differing_settings(made_with(make_settings()), made_with(make_settings(**change)))
    assert re.search(told, found)


def test_settings_that_shape_no_row__leave_features_as_they_are(make_settings: Callable[..., Settings]) -> None:
    other = make_settings(seed=1, recurrent={"epochs": 3}, target_col="tds_level", days_per_task=1)
    assert made_with(other) == made_with(make_settings())
