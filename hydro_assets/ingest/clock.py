"""The clock of a file against the clock of the farm: zones, skipped and repeated hours, resets, order of the rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from hydro_assets.ingest.column_choice import Columns
from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.timestamps import Stamps
from hydro_assets.ingest.zones import repeated_in, skipped_by, utc_of_wall_clock, winter_zone

_HEADER_ZONE = re.compile(r"\b(?:UTC|GMT|Z)(?:\s*([+-])(\d{1,2}):?(\d{2})?)?\b", re.IGNORECASE)
_RESET = timedelta(hours=1)


@dataclass(frozen=True)
class FileClock:
    """Times of a file's rows.

    Attributes:
        wall: wall clock of the farm, naive; what Gold stores.
        instants: UTC where the file tells instants (an offset, Unix time, another zone), else null.
        zone: time zone in which `wall` repeats and skips hours, the farm's.
        source: header of the time; `shown`: up to three texts and what they became.
        problem: (sentence, remedy) where the zone skips times that are stamped.
    """

    wall: pl.Series
    instants: pl.Series
    zone: str
    zone_text: str
    source: str
    shown: tuple[tuple[str, datetime], ...]
    notes: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None

    def in_order(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows in the order in which they were written, with the `instant` of each.

        A file that is written newest first is turned round, and instants are sorted: in the hour that a clock set
        back repeats, the order tells the first pass from the second.
        """
        if frame["instant"].null_count() == 0:
            return frame.sort("instant", maintain_order=True)
        steps = frame["timestamp_key"].diff().drop_nulls()
        backwards = int((steps < timedelta(0)).sum())
        if backwards > len(steps) - backwards:
            frame = frame.reverse()
        number = frame["reading_id"] if "reading_id" in frame.columns else None
        if self.zone == "UTC" or not repeated_in(frame["timestamp_key"], self.zone).any():
            made = utc_of_wall_clock(frame["timestamp_key"], self.zone)
            return frame.with_columns(pl.coalesce("instant", made).alias("instant"))
        parts = []
        for rows in frame.partition_by("system_id", maintain_order=True):
            number = rows["reading_id"] if "reading_id" in rows.columns else None
            made = utc_of_wall_clock(rows["timestamp_key"], self.zone, number)
            parts.append(rows.with_columns(pl.coalesce("instant", made).alias("instant")))
        return pl.concat(parts)


def farm_clock(stamps: Stamps, chosen: Columns, profile: Profile, farm_zone: str, text: pl.Series) -> FileClock:
    """The farm's wall clock of the stamps; naive ones are in the zone of the profile, of the header, or the farm's."""
    notes: list[str] = []
    wall, instants = stamps.wall, stamps.instants
    offset = None if profile.timezone else _header_offset(chosen.time)
    zone, zone_text = profile.timezone or farm_zone, profile.timezone or farm_zone
    problem = None
    naive = wall.is_not_null()
    if offset is not None and naive.any():
        from_header = (wall - offset).dt.replace_time_zone("UTC")
        instants = pl.select(pl.coalesce(instants, from_header)).to_series()
        zone_text = f"UTC{'+' if offset >= timedelta(0) else '-'}{abs(offset)} as its header says, kept as {farm_zone}"
    elif naive.any():
        skipped = skipped_by(wall, zone)
        if skipped.any():
            problem = _skipped_problem(wall.filter(skipped), zone)
        if zone != farm_zone:
            from_zone = utc_of_wall_clock(wall, zone)
            instants = pl.select(pl.coalesce(instants, from_zone)).to_series()
            zone_text = f"{zone}, kept as {farm_zone}"
    told = int(instants.is_not_null().sum())
    of_instants = instants.dt.convert_time_zone(farm_zone).dt.replace_time_zone(None)
    if told and told == len(instants) - stamps.unreadable.sum() and offset is None and not naive.any():
        zone_text = f"instants, kept as {farm_zone}"
    if told:
        notes.append(
            f"{told:,} timestamps with an offset, of another zone or in Unix time became the wall clock of {farm_zone}"
        )
    kept = pl.select(pl.coalesce(of_instants, wall).alias("wall")).to_series()
    usable = kept.is_not_null()
    places = usable.arg_true().to_list()
    shown = tuple((text[i], kept[i]) for i in dict.fromkeys([*places[:2], *places[-1:]]))
    return FileClock(kept, instants, farm_zone, zone_text, chosen.time, shown, tuple(notes), problem)


def clock_notes(frame: pl.DataFrame, clock: FileClock, lines: pl.Series) -> list[str]:
    """What is strange about the order of the stamps; `is_instant` marks rows whose instant the file itself tells."""
    notes = list(clock.notes)
    naive = frame.filter(~pl.col("is_instant"))
    if not naive.is_empty():
        notes += _repeated_hours(naive, clock.zone)
        back = naive.with_columns(
            (pl.col("timestamp_key").diff() < -_RESET).over("system_id").fill_null(False).alias("back")
        ).filter("back")
        back = back.filter(~repeated_in(back["timestamp_key"], clock.zone))
        if 0 < len(back) <= 0.05 * len(naive):
            first = back.row(0, named=True)
            notes.append(
                f"the clock jumps back by more than an hour {len(back)} times, first to {first['timestamp_key']} on "
                f"line {lines[first['row']]}: a clock that was set, or files that were joined"
            )
    return notes


def _repeated_hours(naive: pl.DataFrame, zone: str) -> list[str]:
    again = naive.filter(repeated_in(naive["timestamp_key"], zone))
    notes = []
    for (day,), rows in sorted(again.group_by(pl.col("timestamp_key").dt.date()), key=lambda item: str(item[0][0])):
        offsets = (rows["timestamp_key"].dt.replace_time_zone("UTC") - rows["instant"]).n_unique()
        if offsets > 1:
            notes.append(
                f"{len(rows):,} readings stand in the hour that {zone} repeats on {day}; their order tells them apart"
            )
        else:
            remedy = winter_zone(zone, rows["timestamp_key"])
            notes.append(
                f"WARNING the hour that {zone} repeats on {day} is in the file once ({len(rows):,} readings, read "
                f"as the first pass): does the clock keep winter time? --timezone {remedy}"
            )
    return notes


def _skipped_problem(skipped: pl.Series, zone: str) -> tuple[str, str]:
    remedy = winter_zone(zone, skipped)
    return (
        f"{len(skipped):,} readings are stamped at times that {zone} skips ({skipped.min()} .. {skipped.max()}): the "
        "clock keeps winter time",
        f"Say so for this logger with --timezone {remedy}, or for the farm with HYDRO_TIMEZONE={remedy}; --allow reads "
        "them as an hour later",
    )


def _header_offset(header: str) -> timedelta | None:
    found = _HEADER_ZONE.search(header.replace("_", " "))
    if found is None:
        return None
    sign = -1 if found[1] == "-" else 1
    return sign * timedelta(hours=int(found[2] or 0), minutes=int(found[3] or 0))
