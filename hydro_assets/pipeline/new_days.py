"""Days that a job has to do: features older than their readings, predictions older than their features."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hydro_assets.features.spec import made_with
from hydro_assets.features.staleness import BuiltDays, ChangedDays, Reach, stale_days
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.delta_log import ChangeLog
from hydro_assets.lakehouse.sql_warehouse import SparkStatements
from hydro_assets.lakehouse.warehouse_log import WarehouseLog, change_log
from hydro_assets.pipeline.outdated import days_of, look_back_of, unsettled_days
from hydro_assets.tables import names


def unbuilt_days(lakehouse: Lakehouse, until: date) -> list[date]:
    """Days up to `until` (included) whose features are older than Gold, or were made with other settings."""
    log = _log(lakehouse)
    gold = log.read(names.IOT_DATA, None)
    if gold is None:
        return []
    made = BuiltDays().advance(log.read(names.SENSOR_FEATURES, None))
    settings = lakehouse.settings
    stale = stale_days(ChangedDays().advance(gold), made, Reach.of(settings), made_with(settings))
    return sorted(day for day in stale if day <= until)


def unscored_days(lakehouse: Lakehouse) -> list[date]:
    """Days whose features, or the history they look back on, are newer than their predictions.

    A day scored by a version that no longer serves is not scored again: a promotion must not repeat all history.
    """
    log = _log(lakehouse)
    features = log.read(names.SENSOR_FEATURES, None)
    if features is None:
        return []
    predictions, back = log.read(names.BATCH_PREDICTIONS, None), look_back_of(lakehouse.settings)
    return unsettled_days(days_of(features), predictions, {names.SENSOR_FEATURES: features}, look_back=back)


def ranges_of(days: Sequence[date], most_apart: timedelta = timedelta(days=31)) -> list[tuple[date, date]]:
    """Half-open ranges that hold the sorted `days`; a longer break ends one.

    A reading stamped by a clock that fell back to the year 2000 must not make a run of thousands of empty days.
    """
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] < most_apart:
            ranges[-1] = (ranges[-1][0], day + timedelta(days=1))
        else:
            ranges.append((day, day + timedelta(days=1)))
    return ranges


def _log(lakehouse: Lakehouse) -> ChangeLog:
    """The log of the tables: where a step has Spark, that answers in place of a warehouse."""
    settings = lakehouse.settings
    if settings.table_root is not None:
        return change_log(settings)
    return WarehouseLog(SparkStatements(lakehouse.spark), settings.table)
