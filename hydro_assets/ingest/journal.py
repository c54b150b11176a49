"""Imports, numbered: what each brought, what of it is in Gold, and taking one back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
from filelock import FileLock, Timeout

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IMPORTS, GOLD_IOT_DATA

_LONGEST_WAIT = 600.0  # seconds


@dataclass(frozen=True)
class Entry:
    """One import as `gold.imports` keeps it. `ingestion_timestamp` marks its rows in `gold.iot_data`."""

    import_id: int
    source_file: str
    systems: str
    readings: int
    added: int
    known: int
    merged: int
    left_out: int
    first_reading: datetime | None
    last_reading: datetime | None
    ingestion_timestamp: datetime
    imported_at: datetime
    forgotten_at: datetime | None = None


def entries(lakehouse: Lakehouse) -> list[Entry]:
    """Every import in order, those that were taken back included."""
    if not lakehouse.exists(GOLD_IMPORTS.name):
        return []
    rows = lakehouse.read_polars(GOLD_IMPORTS.name).sort("import_id")
    return [Entry(**row) for row in rows.select(GOLD_IMPORTS.column_names).iter_rows(named=True)]


def rows_in_gold(lakehouse: Lakehouse) -> dict[datetime, int]:
    """Rows of `gold.iot_data` per `ingestion_timestamp`."""
    if not lakehouse.exists(GOLD_IOT_DATA.name):
        return {}
    rows = lakehouse.read_polars(GOLD_IOT_DATA.name, columns=["ingestion_timestamp"])
    return dict(rows.group_by("ingestion_timestamp").len().drop_nulls().iter_rows())


def next_place(known: Sequence[Entry], stored: pl.DataFrame | None, now: datetime) -> tuple[int, datetime]:
    """(number, ingestion_timestamp) of the next import: later than all before it, whatever the wall clock says.

    `stored`: rows of Gold on the days of the import. What arrives later is in force, so an import by a clock that was
    set back must still come last.
    """
    before = [e.ingestion_timestamp for e in known]
    if stored is not None and "ingestion_timestamp" in stored.columns:
        newest = stored["ingestion_timestamp"].cast(pl.Datetime("us")).max()
        before += [newest.replace(tzinfo=UTC)] if isinstance(newest, datetime) else []
    latest = max(before, default=None)
    stamp = now.astimezone(UTC)
    if latest is not None and stamp <= latest:
        stamp = latest + timedelta(microseconds=1)
    return max((e.import_id for e in known), default=0) + 1, stamp


def record(lakehouse: Lakehouse, entry: Entry) -> None:
    """Add an import to the journal."""
    row = pl.DataFrame([vars(entry)], schema_overrides={"forgotten_at": pl.Datetime("us", "UTC")})
    lakehouse.append(GOLD_IMPORTS, row.select(GOLD_IMPORTS.column_names).cast({"import_id": pl.Int32}))


def forget(lakehouse: Lakehouse, taken: Sequence[Entry], now: datetime) -> int:
    """Take the rows of these imports out of Gold and mark them; returns how many rows went. One commit on Gold.

    Rows that they corrected are in force again. Raises TableError when Gold has no column `date` to replace days by.
    """
    from pyspark.sql import functions as F

    with_rows = [e for e in taken if e.first_reading is not None and e.last_reading is not None]
    gone = 0
    if with_rows and lakehouse.exists(GOLD_IOT_DATA.name):
        start: date = min(e.first_reading.date() for e in with_rows if e.first_reading)
        end: date = max(e.last_reading.date() for e in with_rows if e.last_reading) + timedelta(days=1)
        stored = lakehouse.read(GOLD_IOT_DATA.name, start, end)
        if not {"date", "ingestion_timestamp"} <= set(stored.columns):
            raise TableError(
                "gold.iot_data has no columns date and ingestion_timestamp, so an import cannot be told apart",
                "Remove its rows with the tool that wrote the table",
            )
        marks = [e.ingestion_timestamp.astimezone(UTC) for e in with_rows]
        arrived = F.col("ingestion_timestamp")
        is_taken = F.coalesce(arrived.isin([F.lit(m) for m in marks]), F.lit(False))
        gone = stored.where(is_taken).count()
        held = tuple(c for c in GOLD_IOT_DATA.columns if c.name in stored.columns)
        if gone:
            lakehouse.replace_days(replace(GOLD_IOT_DATA, columns=held), stored.where(~is_taken), start, end)
    ids = {e.import_id for e in taken}
    marked = [replace(e, forgotten_at=now.astimezone(UTC)) if e.import_id in ids else e for e in entries(lakehouse)]
    frame = pl.DataFrame([vars(e) for e in marked], schema_overrides={"forgotten_at": pl.Datetime("us", "UTC")})
    lakehouse.overwrite(GOLD_IMPORTS, frame.select(GOLD_IMPORTS.column_names).cast({"import_id": pl.Int32}))
    return gone


def overtaken_by(
    known: Sequence[Entry], file: str, systems: Sequence[str], first: datetime, last: datetime
) -> list[Entry]:
    """Imports in force of a file of this name, with one of these systems, whose time overlaps `[first, last]`."""
    return [
        e
        for e in known
        if e.forgotten_at is None
        and e.source_file == file
        and set(e.systems.split(",")) & set(systems)
        and e.first_reading is not None
        and e.last_reading is not None
        and e.first_reading.replace(tzinfo=None) <= last
        and first <= e.last_reading.replace(tzinfo=None)
    ]


@contextmanager
def gold_lock(settings: Settings, report: Callable[[str], None]) -> Iterator[None]:
    """Only one import of a home writes Gold at a time; another one waits, and says for whom.

    Raises TableError after ten minutes. On Databricks jobs have no home in common, so nothing is locked there.
    """
    if settings.environment == "databricks":
        yield
        return
    settings.root.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(settings.root / "gold.lock"), settings.root / "gold.lock.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report(f"waiting for {_holder(holder)}, which writes Gold here")
        try:
            lock.acquire(timeout=_LONGEST_WAIT)
        except Timeout as exc:
            raise TableError(
                f"{_holder(holder)} has held Gold in {settings.root} for more than 10 minutes",
                "Wait until it ends, or end that process, and import again",
            ) from exc
    try:
        holder.write_text(json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _holder(path: object) -> str:
    try:
        told = json.loads(path.read_text())  # type: ignore[attr-defined]
        return f"another import (process {told['pid']}, since {told['since']})"
    except (OSError, ValueError, KeyError):
        return "another import"
