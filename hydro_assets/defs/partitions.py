"""Daily partitions of every partitioned asset: one definition, so that no two can disagree."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from hydro_assets.settings import Settings

# Where neither a setting nor a local Gold table tells.
FALLBACK_START = date(2023, 1, 1)


def first_day(settings: Settings) -> date:
    """The first partition: `partitions_start`, else the first day of Gold in folders of this machine."""
    if settings.partitions_start is not None:
        return settings.partitions_start
    root = settings.table_root
    gold = Path(root, settings.catalog, "gold", "iot_data") if root is not None and "://" not in root else None
    if gold is None or not (gold / "_delta_log").is_dir():
        return FALLBACK_START
    from deltalake import DeltaTable

    days = [p["date"] for p in DeltaTable(str(gold)).partitions() if p.get("date")]
    if not days:
        return FALLBACK_START
    earliest = date.fromisoformat(min(days))
    # East of Greenwich the first wall-clock day begins on the UTC day before.
    return earliest if settings.timezone == "UTC" else earliest - timedelta(days=1)


def feature_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """UTC days from the first to today (which is still growing)."""
    return dg.DailyPartitionsDefinition(start_date=first_day(settings).isoformat(), end_offset=1, timezone="UTC")


def day_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The half-open range of days of this run, for a single day and for a range alike."""
    window = context.partition_time_window
    return window.start.date(), window.end.date()
