"""Build days of `sensor_features` from Gold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hydro_assets.errors import DataContractError, TableError
from hydro_assets.features.feature_job import ZONE_MARGIN, farm_spec, sensor_features_frame
from hydro_assets.features.spec import made_with
from hydro_assets.lakehouse import Lakehouse, TableVersion, WriteReceipt
from hydro_assets.tables import Table, names


@dataclass(frozen=True)
class FeatureBuild:
    """What was built: the write, what it was built from, and what the farm lacks."""

    table: Table
    receipt: WriteReceipt
    gold: TableVersion
    notes: tuple[str, ...]


def build_sensor_features(
    lakehouse: Lakehouse,
    start_day: date,
    end_day: date,
    facts: Mapping[str, Any] | None = None,
) -> FeatureBuild:
    """Compute the feature days `[start_day, end_day)` (UTC) from Gold and replace them, in one commit.

    Only the Gold days in reach of the look-back are read. Raises DataContractError when Gold holds no reading in
    the range, so that a typing error in a date does not empty a table.
    """
    spec = farm_spec(lakehouse)
    gold_version = lakehouse.version(names.IOT_DATA)
    assert gold_version is not None
    frame = sensor_features_frame(lakehouse, spec, start_day, end_day)
    # The commit says from what its days were built: the watcher of Gold compares it with what they need.
    note = {
        "gold_version": gold_version.version,
        "gold_table_id": gold_version.table_id,
        "start_day": start_day,
        "end_day": end_day,
        "settings": made_with(lakehouse.settings),
        **(facts or {}),
    }
    require_readings(lakehouse, start_day, end_day)
    receipt = lakehouse.replace_days(spec.table, frame, start_day, end_day, note)
    return FeatureBuild(spec.table, receipt, gold_version, spec.notes)


def feature_span(lakehouse: Lakehouse) -> tuple[date, date]:
    """UTC days `[first, end)` that the wall-clock days of Gold touch, and those that have features already.

    A day may have features and no reading any more: Gold lost it, or was read in another time zone. Raises TableError
    when Gold is empty.
    """
    days = lakehouse.days(names.IOT_DATA)
    if not days:
        raise TableError("Gold holds no reading", "Import readings first: hydro import --csv FILE, or hydro demo")
    margin = timedelta(days=0) if lakehouse.settings.timezone == "UTC" else ZONE_MARGIN
    built = lakehouse.days(names.SENSOR_FEATURES) if lakehouse.exists(names.SENSOR_FEATURES) else []
    first, last = days[0] - margin, days[-1] + margin
    return min([first, *built]), max([last, *built]) + timedelta(days=1)


def require_readings(lakehouse: Lakehouse, start_day: date, end_day: date) -> None:
    """Raise DataContractError when Gold has no reading in `[start_day, end_day)` (with a day's margin for zones)."""
    if not lakehouse.rows_by_day(names.IOT_DATA, start_day - ZONE_MARGIN, end_day + ZONE_MARGIN):
        days = lakehouse.days(names.IOT_DATA)
        span = f"it covers {days[0]} to {days[-1]}" if days else "it is empty"
        raise DataContractError(
            f"Gold has no reading from {start_day} to {end_day - timedelta(days=1)}; {span}",
            "Choose days that Gold covers, or import them",
        )
