"""Fill Gold from raw exports or from the simulated greenhouse. Adding the same readings again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from hydro_assets.errors import HydroError, SourceFileError
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.staleness import Reach
from hydro_assets.ingest import journal
from hydro_assets.ingest.cadence import require_filled, sensor_cadences
from hydro_assets.ingest.dimensions import dim_equipment, dim_time
from hydro_assets.ingest.export import Export, read_export
from hydro_assets.ingest.merge import differing_from, new_readings
from hydro_assets.ingest.profile import Profile
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings
from hydro_assets.tables import (
    ACTUATOR_COLUMNS,
    GOLD_DIM_EQUIPMENT,
    GOLD_DIM_TIME,
    GOLD_IOT_DATA,
    OPTIMAL_FLAGS,
    SENSORS,
    Table,
    names,
)

# Columns that a farm may lack altogether; Gold gets them with the first file that has them.
_OPTIONAL = {*(c.name for c in SENSORS), *ACTUATOR_COLUMNS, *OPTIMAL_FLAGS, "water_level"}


@dataclass(frozen=True)
class GoldImport:
    """What an import did. `read + held == added + known + merged + sum(left_out)`."""

    read: int
    added: int
    known: int
    days: tuple[date, ...]
    systems: tuple[str, ...]
    cadences: pl.DataFrame
    merged: int = 0
    held: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    import_id: int | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.known and self.known == self.read + self.held:
            return f"all {self.read:,} readings are in Gold already, nothing changed"
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in self.left_out.items())
        total = (
            f"{self.read:,} readings in the file"
            + (f" + {self.held:,} held between changes" if self.held else "")
            + f" = {self.added:,} added + {self.known:,} already there + {self.merged:,} merged + "
            f"{sum(self.left_out.values()):,} left out" + (f" ({reasons})" if reasons else "")
        )
        if not self.added:
            return f"nothing changed; {total}"
        number = f" as import {self.import_id}" if self.import_id is not None else ""
        return (
            f"{self.added:,} readings of {', '.join(self.systems)} added to Gold{number}; "
            f"{len(self.days)} day{'s' * (len(self.days) > 1)}, {self.days[0]} to {self.days[-1]}; {total}"
        )


def read_exports(
    lakehouse: Lakehouse, paths: Sequence[Path], system_id: str | None, ingested_at: datetime, profile: Profile | None
) -> list[Export]:
    """Every file read, before anything is written.

    Raises SourceFileError, with the problems of all files, when one cannot be read whole.
    """
    exports, problems = [], []
    for path in paths:
        try:
            exports.append(read_export(path, system_id, ingested_at, lakehouse.settings, profile))
        except SourceFileError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        remedies = "; ".join(dict.fromkeys(e.remedy for e in problems))
        raise SourceFileError.of_all([e.problem for e in problems], remedies)
    return exports


def require_enough(lakehouse: Lakehouse, paths: Sequence[Path], exports: Sequence[Export]) -> None:
    """Raise SourceFileError when Gold would still hold too few readings with these files.

    A few late rows of a long history are welcome.
    """
    least, held = lakehouse.settings.minimum_records, 0
    if lakehouse.exists(GOLD_IOT_DATA.name):
        held = sum(lakehouse.rows_by_day(GOLD_IOT_DATA.name).values())
    found = sum(e.frame.height for e in exports)
    if held + found < least:
        beside = f" beside the {held} in Gold" if held else ""
        raise SourceFileError(
            f"{', '.join(map(str, paths))} holds {found} readings{beside}, fewer than the {least} that a model needs "
            "at least",
            "Export a longer period (several days), or lower HYDRO_MINIMUM_RECORDS if you know better",
        )


def import_export(
    lakehouse: Lakehouse,
    path: Path,
    system_id: str | None,
    ingested_at: datetime,
    profile: Profile | None = None,
    replaces: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> GoldImport:
    """Read one export and add its readings to Gold as the next import. Raises as `read_exports` and
    `require_enough` do."""
    (export,) = read_exports(lakehouse, [path], system_id, ingested_at, profile)
    require_enough(lakehouse, [path], [export])
    return import_readings(lakehouse, export, path.name, ingested_at, replaces, report)


def import_readings(
    lakehouse: Lakehouse,
    export: Export,
    file: str,
    now: datetime,
    replaces: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> GoldImport:
    """Add the readings of an export to Gold as the next import.

    `replaces`: earlier imports in force of a file of this name, of the same systems and of overlapping time, are
    taken back once the new rows are in. `report` is told when another import is waited for, and what is taken back.
    """
    with journal.gold_lock(lakehouse.settings, report):
        known = journal.entries(lakehouse)
        days = export.frame["date"].unique().sort().to_list()
        stored = _existing(lakehouse, export.frame, days)
        number, stamp = journal.next_place(known, stored, now)
        incoming = export.frame.with_columns(pl.lit(stamp).alias("ingestion_timestamp"))
        systems = tuple(incoming["system_id"].unique().sort().to_list())
        first, last = incoming["timestamp_key"].min(), incoming["timestamp_key"].max()
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        taken = journal.overtaken_by(known, file, systems, first, last) if replaces else []
        if stored is not None and taken:
            stored = stored.filter(~pl.col("ingestion_timestamp").is_in([e.ingestion_timestamp for e in taken]))
        fresh = incoming if stored is None else new_readings(incoming, stored)
        done = _done(export, incoming, fresh, number if fresh.height else None, lakehouse.settings)
        if stored is not None and (corrected := differing_from(fresh, stored)):
            done = replace(done, notes=(*done.notes, _correction_note(corrected, done)))
        if fresh.height:
            _extend_dimensions(lakehouse, done.days)
            journal.record(
                lakehouse,
                journal.Entry(
                    number, file, ",".join(systems), done.read, done.added, done.known, done.merged,
                    sum(done.left_out.values()), first, last, stamp, now,
                ),
            )  # fmt: skip
            lakehouse.append(present_columns(fresh), fresh.select(present_columns(fresh).column_names))
        for entry in taken:
            span_text = f"{entry.first_reading:%Y-%m-%d} .. {entry.last_reading:%Y-%m-%d}"
            report(f"import {entry.import_id} of {entry.source_file} ({span_text}) is taken back")
        if taken:
            journal.forget(lakehouse, taken, now)
        if taken:
            _extend_dimensions(lakehouse)
            _drop_features_without_gold(lakehouse)
    return done


def _correction_note(corrected: int, done: GoldImport) -> str:
    text = f"{corrected:,} readings differ from what Gold holds of the same instant, and count in its place from now on"
    if corrected > done.added / 2:
        text = f"WARNING {text}; of another system? hydro forget {done.import_id}, and import with --system NAME"
    return text


def preview(lakehouse: Lakehouse, export: Export) -> GoldImport:
    """What importing would do; nothing is written."""
    stored = _existing(lakehouse, export.frame, export.frame["date"].unique().sort().to_list())
    fresh = export.frame if stored is None else new_readings(export.frame, stored)
    return _done(export, export.frame, fresh, None, lakehouse.settings)


def forget_import(
    lakehouse: Lakehouse, import_id: int, now: datetime, report: Callable[[str], None] = lambda line: None
) -> tuple[journal.Entry, int]:
    """Take the rows of one import out of Gold: (its entry, rows taken). Raises HydroError for an unknown number."""
    with journal.gold_lock(lakehouse.settings, report):
        known = journal.entries(lakehouse)
        entry = next((e for e in known if e.import_id == import_id), None)
        if entry is None:
            numbers = ", ".join(str(e.import_id) for e in known if e.forgotten_at is None) or "none"
            raise HydroError(f"There is no import {import_id}; in force: {numbers}", "List them: hydro imports")
        if entry.forgotten_at is not None:
            raise HydroError(
                f"Import {import_id} was taken back on {entry.forgotten_at:%Y-%m-%d}", "List them: hydro imports"
            )
        gone = journal.forget(lakehouse, [entry], now)
        _extend_dimensions(lakehouse)
        _drop_features_without_gold(lakehouse)
    return entry, gone


def add_readings(lakehouse: Lakehouse, incoming: pl.DataFrame) -> GoldImport:
    """Add readings that Gold does not hold yet (of the simulator), and the calendar and equipment they need."""
    days = incoming["date"].unique().sort().to_list()
    existing = _existing(lakehouse, incoming, days)
    fresh = incoming if existing is None else new_readings(incoming, existing)
    if not fresh.is_empty():
        _extend_dimensions(lakehouse, fresh["date"].unique().to_list())
        lakehouse.append(present_columns(fresh), fresh.select(present_columns(fresh).column_names))
    return _done(None, incoming, fresh, None, lakehouse.settings)


def _done(
    export: Export | None, incoming: pl.DataFrame, fresh: pl.DataFrame, number: int | None, settings: Settings
) -> GoldImport:
    return GoldImport(
        read=incoming.height if export is None else export.readings,
        added=fresh.height,
        known=incoming.height - fresh.height,
        days=tuple(fresh["date"].unique().sort().to_list()),
        systems=tuple(incoming["system_id"].unique().sort().to_list()),
        cadences=sensor_cadences(incoming, settings.default_system),
        merged=0 if export is None else export.merged,
        held=0 if export is None else export.held,
        left_out={} if export is None else export.left_out,
        import_id=number,
        notes=() if export is None else tuple(export.notes),
    )


def present_columns(frame: pl.DataFrame) -> Table:
    """`gold.iot_data` without the optional columns that this farm lacks (absent or null throughout)."""
    columns = tuple(
        c
        for c in GOLD_IOT_DATA.columns
        if c.name not in _OPTIONAL or (c.name in frame.columns and frame[c.name].null_count() < frame.height)
    )
    return replace(GOLD_IOT_DATA, columns=columns)


def require_fitting_grid(lakehouse: Lakehouse) -> None:
    """Raise before a grid is built that the newest readings leave mostly empty, or that the feature table has not."""
    settings = lakehouse.settings
    newest = lakehouse.days(GOLD_IOT_DATA.name)[-7:]
    rows = lakehouse.read_polars(GOLD_IOT_DATA.name, newest[0], newest[-1] + timedelta(days=1))
    require_filled(sensor_cadences(rows, settings.default_system), settings, "hydro run")
    spec = farm_spec(lakehouse)
    if lakehouse.exists(spec.table.name):
        lakehouse.ensure(spec.table)


def _existing(lakehouse: Lakehouse, incoming: pl.DataFrame, days: Sequence[date]) -> pl.DataFrame | None:
    if not lakehouse.exists(GOLD_IOT_DATA.name) or not days:
        return None
    stored = lakehouse.read_polars(GOLD_IOT_DATA.name, days[0], days[-1] + timedelta(days=1))
    lacking = [pl.lit(None, kind).alias(n) for n, kind in incoming.schema.items() if n not in stored.columns]
    stored = stored.with_columns(lacking).with_columns(pl.col("timestamp_key").dt.replace_time_zone(None))
    return stored.select(pl.col(n).cast(kind) for n, kind in incoming.schema.items() if n in stored.columns)


def _extend_dimensions(lakehouse: Lakehouse, coming: Sequence[date] = ()) -> None:
    """Calendar and equipment of the days of Gold, and of those that come next: no day is without, whoever is killed."""
    held = lakehouse.days(GOLD_IOT_DATA.name) if lakehouse.exists(GOLD_IOT_DATA.name) else []
    lakehouse.overwrite(GOLD_DIM_TIME, dim_time(sorted({*held, *coming})))
    lakehouse.overwrite(GOLD_DIM_EQUIPMENT, dim_equipment())


def _drop_features_without_gold(lakehouse: Lakehouse) -> None:
    """Empty the feature days whose last reading was taken out of Gold; the days beside them are stale and rebuilt."""
    if not lakehouse.exists(names.SENSOR_FEATURES):
        return
    held, reach = set(lakehouse.days(names.IOT_DATA)), Reach.of(lakehouse.settings)
    for day in lakehouse.days(names.SENSOR_FEATURES):
        if held.isdisjoint(reach.own_days(day)):
            end = day + timedelta(days=1)
            none = lakehouse.read(names.SENSOR_FEATURES, day, end).where("false")
            lakehouse.replace_days(farm_spec(lakehouse).table, none, day, end)
