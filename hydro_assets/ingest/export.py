"""One raw export to rows of Gold: `read_export` is the whole way, without any table or engine.

Physically impossible values stay, as in any Gold table; the feature table flags them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import SourceFileError
from hydro_assets.ingest import column_choice as choose
from hydro_assets.ingest import values as cells
from hydro_assets.ingest.clock import FileClock, clock_notes, farm_clock
from hydro_assets.ingest.gold_rows import gold_readings
from hydro_assets.ingest.headers import HEADER_OF
from hydro_assets.ingest.merge import MEASURED, held, merge_instants
from hydro_assets.ingest.presets import with_preset
from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.report import ImportReport, gaps_of, sensor_facts, unusual, wrong_columns
from hydro_assets.ingest.sources import read_source
from hydro_assets.ingest.table import BadLine, TextTable
from hydro_assets.ingest.timestamps import read_stamps, within_calendar
from hydro_assets.ingest.units import GOLD_UNIT, fits, unit_of, unit_text
from hydro_assets.settings import Settings
from hydro_assets.tables import SENSOR

EARLIEST = datetime(2000, 2, 1)  # clocks without a battery begin at 1970-01-01 or 2000-01-01
_LISTED = 20
_INT32 = 2**31


@dataclass(frozen=True)
class Export:
    """Readings of one file.

    Attributes:
        frame: rows in the columns of `gold.iot_data`.
        notes: what the file lacked and what was done, in plain sentences.
        readings: lines of the file that should be readings.
        merged: lines that went into the row of another one.
        left_out: reason -> lines that are not in `frame`.
        held: rows added between changes (`--hold`).
        report: how the file was read.
    """

    frame: pl.DataFrame
    notes: list[str]
    readings: int
    merged: int
    left_out: Mapping[str, int]
    held: int
    report: ImportReport


def read_export(
    path: Path, system_id: str | None, ingested_at: datetime, settings: Settings, profile: Profile | None = None
) -> Export:
    """Readings of one export file of the system `system_id` (None: the file's own column, else the default system).

    `ingested_at` (aware) becomes `ingestion_timestamp` of every row; `profile` says what the file does not show.
    `readings == len(frame) - held + merged + sum(left_out)`. Raises SourceFileError, which names every problem and
    the option that mends it, for a file that cannot be understood as a whole: nothing of it is imported then.
    """
    if system_id is not None and not system_id.strip():
        raise SourceFileError(f"The system of {path.name} has an empty name", "Name it, for example rack_1")
    profile = profile or Profile()
    table = read_source(path, profile)
    profile, preset = with_preset(profile, table)
    chosen = choose.columns_of(table, profile, path.stem)
    notes = [*([f"read as an export of {preset}"] if preset else []), *table.notes, *chosen.notes]
    reading = _Reading(table, chosen, profile, settings, notes)
    frame, clock, left_out = reading.timed(ingested_at)
    frame = reading.measured(frame)
    frame = reading.of_systems(frame, system_id)
    reading.refuse_problems()
    frame = clock.in_order(frame)
    ends = reading.ends(frame)
    frame = reading.with_values(frame, left_out)
    notes += clock_notes(frame, clock, table.lines)
    frame = frame.drop("is_instant")
    merged = merge_instants(frame, ["system_id", "timestamp_key", "instant"])
    if merged.differing:
        notes.append(_differing_note(frame, merged.differing, table, chosen))
    frame = merged.frame
    before = frame.height
    if profile.hold is not None:
        frame = held(frame, profile.hold, settings.feature_step, clock.zone, ends)
        notes.append(
            f"values are held for {duration_text(profile.hold)}: {frame.height - before:,} rows between changes"
        )
    gaps = gaps_of(frame)
    gold = gold_readings(
        frame.drop("row", "instant").with_columns(
            pl.lit(ingested_at.astimezone(UTC)).alias("ingestion_timestamp"), pl.lit(table.name).alias("source_file")
        ),
        settings.crop,
    )
    facts = sensor_facts(gold, chosen.sources, reading.units, reading.no_value, settings.default_system)
    if not profile.allow and (wrong := wrong_columns(facts)):
        raise SourceFileError(
            f"In {table.name} " + "; ".join(p for p, _ in wrong),
            f"Say what it is ({', '.join(r for _, r in wrong)}), or import it as it is with --allow",
        )
    report = ImportReport(
        (*table.layout, *([("decimal", f"'{reading.mark}'")] if reading.mark == "," else [])),
        clock.source, clock.shown, clock.zone_text, facts, tuple(chosen.others()), gaps,
        tuple(f"left out: {n:,} {reason}" for reason, n in left_out.items()),
    )  # fmt: skip
    return Export(
        gold, [*dict.fromkeys([*notes, *unusual(facts)])], reading.lines, merged.merged, left_out,
        gold.height - before, report,
    )  # fmt: skip


@dataclass
class _Reading:
    """The state of one reading: what was found on the way, and every problem, told together."""

    table: TextTable
    chosen: choose.Columns
    profile: Profile
    settings: Settings
    notes: list[str]
    problems: list[tuple[str, str]] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    no_value: dict[str, dict[str, int]] = field(default_factory=dict)
    ended: dict[str, pl.Series] = field(default_factory=dict)
    mark: str = "."
    lines: int = 0

    def timed(self, ingested_at: datetime) -> tuple[pl.DataFrame, FileClock, dict[str, int]]:
        """Rows with `timestamp_key` and `instant`; the clock; lines left out by reason."""
        table, profile = self.table, self.profile
        frame = self.chosen.cells.with_row_index("row")
        blank = pl.all_horizontal(pl.all().exclude("row").str.strip_chars().fill_null("") == "")
        frame = frame.filter(~blank)
        left_out: dict[str, int] = {}
        self.lines = frame.height + len(table.bad)
        if self.chosen.unmapped:
            unmapped = frame["row"].is_in(self.chosen.unmapped_rows)
            listed = ", ".join(self.chosen.unmapped[:6]) + (", ..." if len(self.chosen.unmapped) > 6 else "")
            left_out[f"lines of series that are not mapped ({listed})"] = int(unmapped.sum())
            frame = frame.filter(~unmapped)
        text, _ = cells.without_empties(frame["timestamp_key"], profile.null)
        if text.null_count() == len(text):
            raise SourceFileError(
                f"The column {self.chosen.time} of {table.name} is empty", "Name another column with --time"
            )
        stamps = within_calendar(read_stamps(text, profile.dates, profile.time_format, profile.timezone is not None))
        if stamps.problem:
            raise SourceFileError(f"In {table.name} {stamps.problem}", stamps.remedy)
        self.notes += stamps.notes
        unreadable = stamps.unreadable
        clock = farm_clock(stamps, self.chosen, profile, self.settings.timezone, text)
        frame = frame.with_columns(
            clock.wall.alias("timestamp_key"),
            clock.instants.alias("instant"),
            clock.instants.is_not_null().alias("is_instant"),
        )
        latest = ingested_at.astimezone(UTC).replace(tzinfo=None) + timedelta(days=1)
        impossible = ~unreadable & ~frame["timestamp_key"].is_between(EARLIEST, latest)
        bad = [*table.bad]
        bad += [BadLine(table.lines[r], "no time" if t is None else f"'{t}' is not a readable date and time")
                for r, t in zip(frame["row"].filter(unreadable), text.filter(unreadable), strict=True)]  # fmt: skip
        never = f"which no clock of this farm showed (before {EARLIEST:%Y-%m} or after the import)"
        bad += [BadLine(table.lines[r], f"stamped {t}, {never}") for r, t in
                zip(frame["row"].filter(impossible), text.filter(impossible), strict=True)]  # fmt: skip
        self._refuse_bad(sorted(bad, key=lambda b: b.line), stamps.remedy if unreadable.any() else None)
        for reason, n in (
            ("broken lines", len(table.bad)),
            ("lines without a readable time", int(unreadable.sum())),
            ("lines stamped by a wrong clock", int(impossible.sum())),
        ):
            if n:
                left_out[reason] = n
        if bad:
            self.notes.append(f"lines left out: {len(bad):,}; {_listed(bad, 5)}")
        good = ~(unreadable | impossible)
        if clock.problem is not None and not profile.allow:
            self.problems.append(clock.problem)
        return frame.filter(good), clock, left_out

    def _refuse_bad(self, bad: Sequence[BadLine], time_remedy: str | None) -> None:
        allowed = self.profile.bad_lines_allowed(self.lines)
        if len(bad) <= allowed:
            return
        share = -(-100 * len(bad) // self.lines)
        limit = f"--max-bad-lines {share}%" if share < 100 else f"--max-bad-lines {len(bad)}"
        remedy = f"Leave them out with {limit}, or correct them"
        raise SourceFileError(
            f"{len(bad):,} of {self.lines:,} lines of {self.table.name} are no readings: {_listed(bad, _LISTED)}",
            f"{time_remedy}; or leave them out with {limit}" if time_remedy else remedy,
        )

    def measured(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Sensors, codes and ids as numbers, actuators as booleans; what cannot be read becomes a problem."""
        lines = self.table.lines.gather(frame["row"])
        text: dict[str, pl.Series] = {}
        for column in (c for c in frame.columns if c in HEADER_OF and c not in ("timestamp_key", "system_id")):
            text[column], words = cells.without_empties(frame[column], self.profile.null)
            if words:
                self.no_value[column] = words
                self.ended[column] = frame["row"].filter(cells.says_no_value(frame[column], self.profile.null))
        numeric = [c for c in text if c in SENSOR or c in ("water_level", "reading_id")]
        self.mark, unclear = cells.decimal_mark(
            [text[c] for c in numeric if c != "reading_id"], self.profile.decimal, self.table.decimal_comma
        )
        if unclear:
            self.problems.append((unclear, "Say which mark stands before the decimals: --decimal , or --decimal ."))
            return frame
        made, unreadable = [], {}
        for column, series in text.items():
            if column in numeric:
                unit = self._unit(column)
                read = cells.numbers(series, column, self.mark, unit)
                for own in read.units:
                    self.units[column] = unit_text(unit_of(own) or own)
                if read.units:
                    self.notes.append(
                        f"{self.chosen.sources[column]}: the unit {', '.join(read.units)} stands in its cells"
                    )
            else:
                read = cells.switches(series, column)
            if read.problem:
                self.problems.append((f"{self.chosen.sources[column]}: {read.problem}", "Map it to what it is: --map"))
            if read.unreadable and column != "reading_id":
                unreadable[column] = read
            made.append(self._coded(column, read.values, series))
        for column, read in unreadable.items():
            kind = "numbers" if column in numeric else "ON or OFF"
            told = cells.unreadable_text(read.unreadable, lines)
            self.problems.append((f"{self.chosen.sources[column]} has cells that are not {kind}: {told}", ""))
        if unreadable:
            words = dict.fromkeys(w for read in unreadable.values() for w in read.unreadable)
            option = cells.null_options(words)
            self.problems.append(("", f"Say which of these words mean no value ({option}), or correct the cells"))
        return frame.with_columns(made)

    def _unit(self, column: str) -> str | None:
        """The pint unit of a sensor column, from the profile, the header or the row of units."""
        if column not in GOLD_UNIT:
            return None
        source = self.chosen.sources[column]
        told = choose.told_unit(self.profile, column, source)
        text = told or self.chosen.units.get(column)
        if text is None:
            return None
        unit = unit_of(text)
        if unit is None:
            self.problems.append((f"'{text}' is no known unit of {source}", "Write for example --unit EC=uS/cm"))
            return None
        if not fits(unit, column):
            others = [HEADER_OF[c] for c in GOLD_UNIT if fits(unit, c)]
            self.problems.append(
                (
                    f"{source} is in {text}, which is no unit of {column}",
                    f'Map it to {" or ".join(others)}, for example --map "{others[0]}={source}"'
                    if others
                    else "Correct --unit",
                )
            )
            return None
        self.units[column] = unit_text(unit)
        if unit != GOLD_UNIT[column]:
            self.notes.append(f"{source}: converted from {text} to {SENSOR[column].unit} ({column})")
        return unit

    def _coded(self, column: str, values: pl.Series, text: pl.Series) -> pl.Series:
        """`reading_id` and `water_level` as 32-bit integers, null where they cannot be."""
        if column not in ("reading_id", "water_level"):
            return values.alias(column)
        number = values.round() if column == "water_level" else values
        usable = (number == number.floor()) & (number.abs() < _INT32)
        code = pl.select(pl.when(usable).then(number)).to_series().cast(pl.Int32).alias(column)
        changed = int((text.is_not_null() & (code.cast(pl.Float64) != values).fill_null(True)).sum())
        if changed and column == "reading_id":
            self.notes.append(f"{changed:,} ids are not whole numbers of 32 bits and become null")
        elif changed:
            self.notes.append(
                f"{changed:,} water levels are not whole codes and were rounded, or null where impossible"
            )
        return code

    def of_systems(self, frame: pl.DataFrame, system_id: str | None) -> pl.DataFrame:
        """`system_id` of every row: the file's own, else the one named by the caller, else the default."""
        fallback = (system_id or self.settings.default_system).strip()
        if "system_id" not in frame.columns:
            return frame.with_columns(pl.lit(fallback).alias("system_id"))
        own = frame["system_id"].str.strip_chars()
        own = pl.select(pl.when(own != "").then(own)).to_series().alias("system_id")
        named = own.drop_nulls().unique().sort().to_list()
        if system_id is not None and set(named) - {fallback}:
            self.problems.append(
                (
                    f"{self.table.name} names its own systems ({', '.join(named[:5])}) but is imported as {fallback}",
                    "Leave out the system of the import, or remove the column system_id",
                )
            )
        if nameless := own.null_count():
            self.notes.append(f"{nameless:,} rows name no system and belong to {fallback}")
        return frame.with_columns(own.fill_null(fallback))

    def ends(self, frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Column -> system and instant of the cells that say by a word, such as `unavailable`: no value from now on."""
        at = frame.select("row", "system_id", "instant")
        return {c: at.filter(pl.col("row").is_in(rows.implode())).drop("row") for c, rows in self.ended.items()}

    def with_values(self, frame: pl.DataFrame, left_out: dict[str, int]) -> pl.DataFrame:
        """Without the lines that hold a time and nothing else."""
        has_value = pl.any_horizontal(pl.col(c).is_not_null() for c in MEASURED if c in frame.columns)
        kept = frame.filter(has_value)
        if kept.is_empty():
            raise SourceFileError(f"No line of {self.table.name} holds a value", "Export the readings again")
        if empty := frame.height - kept.height:
            left_out["lines without any value"] = empty
        return kept

    def refuse_problems(self) -> None:
        """One error that names every problem found so far."""
        if self.problems:
            told = "; ".join(dict.fromkeys(p for p, _ in self.problems if p))
            remedies = "; ".join(dict.fromkeys(r for _, r in self.problems if r))
            raise SourceFileError(f"In {self.table.name} {told}", remedies)


def _listed(bad: Sequence[BadLine], most: int) -> str:
    more = f"; and {len(bad) - most:,} more" if len(bad) > most else ""
    return "; ".join(str(b) for b in bad[:most]) + more


def _differing_note(frame: pl.DataFrame, differing: int, table: TextTable, chosen: choose.Columns) -> str:
    """Name instants with two readings, and the column that tells them apart."""
    instants = frame.select("system_id", "timestamp_key").n_unique()
    text = f"WARNING {differing:,} of {instants:,} instants repeat with other values"
    again = frame.filter(pl.len().over("system_id", "timestamp_key") > 1)
    for position in chosen.ignored:
        kinds = table.column(position).gather(again["row"])
        pairs = again.select("system_id", "timestamp_key").with_columns(kinds.alias("kind"))
        few = 1 < kinds.n_unique() <= max(50, len(kinds) // 20)
        if few and not re.fullmatch(r"[\d.,\s-]*\d{4,}", str(kinds[0])) and not pairs.is_duplicated().any():
            header = table.header[position]
            return f"{text}: {header} differs between them, is this the system? --map system_id={header}"
    return f"{text}: two systems under one name? --system NAME, one import each"
