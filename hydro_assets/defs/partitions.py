"""Daily partitions of every partitioned asset: one definition, so that no two can disagree."""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg

from hydro_assets.lakehouse.delta_log import StorageLog
from hydro_assets.settings import Settings
from hydro_assets.tables import names

# Where neither a setting nor a Gold table here tells.
FALLBACK_START = date(2023, 1, 1)


def first_day(settings: Settings) -> date:
    """The first partition: `partitions_start`, else the first day of Gold or features in folders of this machine.

    Definitions must load without a catalog or an object store, which may be away: there the setting alone tells.
    """
    if settings.partitions_start is not None:
        return settings.partitions_start
    root = settings.table_root
    if root is None or "://" in root:
        return FALLBACK_START
    log = StorageLog(root, settings.table)
    gold, built = log.days(names.IOT_DATA), log.days(names.SENSOR_FEATURES)
    if not gold:
        return FALLBACK_START
    # East of Greenwich the first wall-clock day begins on the UTC day before.
    margin = timedelta(days=0 if settings.timezone == "UTC" else 1)
    return min([min(gold) - margin, *built])


def feature_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """UTC days from the first to today (which is still growing)."""
    return dg.DailyPartitionsDefinition(start_date=first_day(settings).isoformat(), end_offset=1, timezone="UTC")


def day_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The half-open range of days of this run, for a single day and for a range alike."""
    window = context.partition_time_window
    return window.start.date(), window.end.date()
