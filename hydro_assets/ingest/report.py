"""What an import found in a file, shown before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.ingest.cadence import sensor_cadences
from hydro_assets.ingest.headers import HEADER_OF
from hydro_assets.ingest.units import likely_unit, unit_text
from hydro_assets.tables import PLACEHOLDERS, SENSOR, ZERO_IS_PLACEHOLDER

LONG_GAP = timedelta(hours=1)
WRONG_COLUMN_SHARE = 0.5


@dataclass(frozen=True)
class SensorFacts:
    """One sensor column of an export, in Gold's unit."""

    column: str
    source: str
    unit: str
    known: int
    low: float | None
    median: float | None
    high: float | None
    outside: int
    placeholders: Mapping[float, int]
    every: timedelta | None
    no_value: Mapping[str, int]

    def __str__(self) -> str:
        unit = SENSOR[self.column].unit
        text = f"{self.source} -> {self.column}"
        if self.unit and self.unit != unit:
            text += f", {self.unit} -> {unit}"
        text += f": {self.known:,} values"
        if self.low is not None and self.high is not None:
            text += f", {self.low:g} .. {self.high:g} {unit}"
        if self.every is not None:
            text += f", every {duration_text(self.every)}"
        if self.placeholders:
            text += f", placeholders {', '.join(f'{v:g} x {n:,}' for v, n in self.placeholders.items())}"
        if self.outside:
            text += f", {self.outside:,} outside {SENSOR[self.column].range_text}"
        if self.no_value:
            text += f", no value: {', '.join(f'{w} x {n:,}' for w, n in self.no_value.items())}"
        return text


@dataclass(frozen=True)
class ImportReport:
    """How a file was read and what is in it; `lines` is the text of it."""

    layout: tuple[tuple[str, str], ...]
    time: str
    stamps: tuple[tuple[str, datetime], ...]
    zone: str
    sensors: tuple[SensorFacts, ...]
    others: tuple[str, ...]
    gaps: tuple[tuple[str, datetime, datetime], ...]
    left_out: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report, one fact a line."""
        shown = ", ".join(f"'{text}' = {moment}" for text, moment in self.stamps)
        longest = sorted(self.gaps, key=lambda g: g[1] - g[2])[:3]
        return [
            f"read as {', '.join(f'{k} {v}' for k, v in self.layout)}",
            f"time {self.time}: {shown} ({self.zone})",
            *(str(sensor) for sensor in self.sensors),
            *self.others,
            *(
                [
                    f"{len(self.gaps):,} gap{'s' * (len(self.gaps) > 1)} over {duration_text(LONG_GAP)}, the longest "
                    + ", ".join(f"{start} .. {end} ({system})" for system, start, end in longest)
                ]
                if self.gaps
                else []
            ),
            *self.left_out,
        ]


def sensor_facts(
    frame: pl.DataFrame,
    sources: Mapping[str, str],
    units: Mapping[str, str],
    no_value: Mapping[str, Mapping[str, int]],
    default_system: str,
) -> tuple[SensorFacts, ...]:
    """Facts of every sensor column of `frame` (Gold's columns)."""
    cadences = dict(sensor_cadences(frame, default_system).group_by("sensor").agg(pl.col("every").max()).iter_rows())
    facts = []
    for column in (c for c in SENSOR if c in sources):
        known = frame[column].drop_nulls()
        is_placeholder = placeholder(column, known)
        real = known.filter(~is_placeholder)
        sensor = SENSOR[column]
        outside = real.filter((real < sensor.low) | (real > sensor.high))
        counts = known.filter(is_placeholder).value_counts(sort=True)
        facts.append(
            SensorFacts(
                column,
                sources[column],
                units.get(column, ""),
                len(known),
                _number(real.min()),
                _number(real.median()),
                _number(real.max()),
                len(outside),
                {float(v): int(n) for v, n in counts.iter_rows()},
                cadences.get(column),
                no_value.get(column, {}),
            )
        )
    return tuple(facts)


def placeholder(column: str, cells: pl.Series) -> pl.Series:
    """Which cells are what a probe or logger writes where it has no answer."""
    sensor = SENSOR[column]
    outside = (cells < sensor.low) | (cells > sensor.high)
    zero = (cells == 0) if column in ZERO_IS_PLACEHOLDER else pl.repeat(False, len(cells), eager=True)
    return zero | (outside & cells.is_in(list(PLACEHOLDERS)))


def wrong_columns(facts: tuple[SensorFacts, ...]) -> list[tuple[str, str]]:
    """(problem, remedy) of every sensor most of whose cells are physically impossible."""
    found = []
    for fact in facts:
        real = fact.known - sum(fact.placeholders.values())
        if not real or fact.outside <= WRONG_COLUMN_SHARE * real:
            continue
        sensor, name = SENSOR[fact.column], HEADER_OF[fact.column]
        likely = likely_unit(fact.median or 0.0, fact.column)
        remedy = f"--unit {name}={unit_text(likely[0])}" if likely else f"--unit {name}=UNIT"
        if fact.column == "ec_level":
            remedy += f', or --map "TDS={fact.source}" where it is TDS in ppm'
        found.append(
            (
                f"{fact.outside:,} of {real:,} cells of {fact.source} lie outside {sensor.range_text} {sensor.unit} of "
                f"{fact.column} ({fact.low:g} .. {fact.high:g}): another unit or another column",
                remedy,
            )
        )
    return found


def unusual(facts: tuple[SensorFacts, ...]) -> list[str]:
    """A warning for every sensor whose middle value is unusual for its unit."""
    found = []
    for fact in facts:
        if fact.median is None or (likely := likely_unit(fact.median, fact.column)) is None:
            continue
        unit, value = unit_text(likely[0]), likely[1]
        found.append(
            f"WARNING the middle value {fact.median:g} of {fact.source} is unusual for {fact.column} in "
            f"{SENSOR[fact.column].unit}; in {unit} it would be {value:.3g}: --unit {HEADER_OF[fact.column]}={unit}"
        )
    return found


def gaps_of(frame: pl.DataFrame) -> tuple[tuple[str, datetime, datetime], ...]:
    """(system, last reading before, first after) in wall clock of every gap over an hour between `instant`s."""
    times = frame.select("system_id", "instant", "timestamp_key").unique().sort("system_id", "instant")
    before = pl.col("timestamp_key").shift().over("system_id")
    gaps = times.with_columns(before.alias("before")).filter(pl.col("instant").diff().over("system_id") > LONG_GAP)
    return tuple(gaps.select("system_id", "before", "timestamp_key").iter_rows())


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]
