"""Timestamps of exports, as text, to wall clocks and instants.

Read without being told: ISO 8601 (`2023-12-21 11:17:03`, `2023-12-21T10:17Z`, with a fraction, an offset, `UTC`, the
name of a zone, or an abbreviation that has one meaning); compact stamps (`20231221_1117`); day and month in either
order before the year, of four or two digits, with AM/PM, if the file shows which comes first; names of months in seven
languages (`21-Dec-2023`, `21 décembre 2023`, `Dec 21, 2023`, `Thu Dec 21 11:17:03 2023`); Unix time in s, ms, us or
ns; days since 1899-12-30, as spreadsheets count. Anything else by a strptime format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from hydro_assets.ingest.date_order import order_of
from hydro_assets.ingest.zones import utc_of_wall_clock

ACCEPTED = "2023-12-21 11:17:03, 2023-12-21T11:17:03+01:00, 21/12/2023 11:17 or Unix seconds"

_CLOCK = (
    r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.m](?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?i:uhr|h|hrs?))?\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?"
)
_ZONE = (
    r"\s*(?P<zone>(?:UTC|GMT|utc|gmt)?\s?[+-]\d{1,2}(?::?\d{2})?|\[?[A-Za-z]{1,5}\]?)?"
    r"\s*(?:\[?(?P<place>[A-Z][A-Za-z_]+(?:/[\w+-]+)+)\]?|\[\w+\])?"
)
# First three letters of the months in English, German, French, Spanish, Italian, Dutch and Portuguese, without accents.
_MONTHS = {
    name: str(number)
    for number, names in enumerate(
        ("jan ene gen", "feb fev", "mar mrz maa", "apr avr abr", "may mai mei mag", "jun giu", "jul lug", "aug aou ago",
         "sep set", "oct okt out ott", "nov", "dec dez dic des"), start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = rf"(?P<name>(?i:{'|'.join(_MONTHS)}|jui)[a-zA-Z]*)\.?"
_WEEKDAY = r"(?:[A-Za-z]{2,12}\.?,?\s+)?"
_THEN = r"[,;: T_]+(?:(?i:at|um|om|a|alle|as)\s+)?"
_PATTERNS = (
    rf"^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:[T _,-]+{_CLOCK}{_ZONE})?$",
    r"^(?P<year>20\d{2})(?P<month>\d{2})(?P<day>\d{2})(?:[T_ -]?(?P<hour>\d{2}):?(?P<minute>\d{2})"
    rf"(?::?(?P<second>\d{{2}})(?:[.,](?P<fraction>\d{{1,9}}))?)?)?{_ZONE}$",
    rf"^{_WEEKDAY}(?P<first>\d{{1,2}})[-/.](?P<other>\d{{1,2}})[-/.](?P<year>\d{{4}}|\d{{2}})(?:{_THEN}{_CLOCK}{_ZONE})?$",
    rf"^{_WEEKDAY}(?P<day>\d{{1,2}})[. /-]*(?:de )?{_MONTH}(?: de )?[., /-]*(?P<year>\d{{4}}|\d{{2}})"
    rf"(?:{_THEN}{_CLOCK}{_ZONE})?$",
    rf"^{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?:{_THEN}{_CLOCK}{_ZONE})?$",
    rf"^{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_CLOCK}{_ZONE}\s+(?P<year>\d{{4}})$",
)
_UNIX = {9: 1e6, 10: 1e6, 12: 1e3, 13: 1e3, 15: 1.0, 16: 1.0, 18: 1e-3, 19: 1e-3}
_UNIX_UNIT = {"unix": 1e6, "unix_ms": 1e3, "unix_us": 1.0, "unix_ns": 1e-3}
_EXCEL_EPOCH = -2_209_161_600_000_000  # 1899-12-30 in microseconds since 1970
# Abbreviations with one meaning among those in use; CST, IST, BST and the like have several.
_ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "MEZ": 60, "MESZ": 120, "EET": 120,
    "EEST": 180, "MSK": 180, "EST": -300, "EDT": -240, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480,
    "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "JST": 540, "KST": 540, "SGT": 480, "HKT": 480,
    "AEST": 600, "AEDT": 660, "ACST": 570, "AWST": 480, "NZST": 720, "NZDT": 780, "SAST": 120, "BRT": -180,
}  # fmt: skip


@dataclass(frozen=True)
class Stamps:
    """Times of a column.

    Attributes:
        wall: naive times as written; null where the text is null, unreadable or an instant.
        instants: UTC, of texts with an offset and of Unix time; else null.
        problem: why the whole column cannot be read, with `remedy`; None where it can.
    """

    wall: pl.Series
    instants: pl.Series
    notes: tuple[str, ...] = ()
    problem: str | None = None
    remedy: str = f"Write times as {ACCEPTED}, or name their format: --time-format '%d.%m.%Y %H:%M:%S'"

    @property
    def unreadable(self) -> pl.Series:
        return self.wall.is_null() & self.instants.is_null()


def read_stamps(
    text: pl.Series,
    dates: Literal["dmy", "mdy"] | None = None,
    time_format: str | None = None,
    zone_given: bool = False,
) -> Stamps:
    """Wall clocks and instants of `text`, one per cell. `zone_given`: stamps' own abbreviations may be ignored."""
    text = text.rename("text")
    none = pl.Series([None] * len(text), dtype=pl.Datetime("us", "UTC"))
    if time_format is not None:
        return _by_format(text, time_format, none)
    plain = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    if plain.null_count() == text.null_count():
        return Stamps(plain, none)
    if counted := _counted(text, none):
        return counted
    text = text.str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    parts = pl.concat([_parts(text, pattern) for pattern in _PATTERNS], how="diagonal_relaxed")
    parts = parts.unique("row", keep="first", maintain_order=True)
    for name in ("first", "other", "name", "day", "month", "half", "zone", "place", "fraction"):
        if name not in parts.columns:
            parts = parts.with_columns(pl.lit(None, pl.String).alias(name))
    day_first, notes, problem, remedy = order_of(parts, text, dates)
    if problem:
        return Stamps(none.dt.replace_time_zone(None), none, (), problem, remedy)
    clockless = parts["hour"].null_count()
    if clockless == parts.height and parts.height > 1 and parts["text"].n_unique() < parts.height:
        example = parts["text"][0]
        return Stamps(
            none.dt.replace_time_zone(None), none, (), f"the times are dates without a clock, such as '{example}'",
            "Join the two columns of date and clock: --time Date+Time",
        )  # fmt: skip
    day, month = ("first", "other") if day_first else ("other", "first")
    moments = _moments(parts, day, month)
    odd = pl.coalesce("zone", "place").is_not_null() & pl.col("minutes").is_null()
    strange = moments.filter(odd)
    if strange.height > moments.height / 2 and not zone_given:
        shown = strange["place"][0] or strange["zone"][0]
        return Stamps(
            none.dt.replace_time_zone(None), none, (),
            f"the zone '{shown}' of the times is unknown or has several meanings",
            "Name the zone of these clocks: --timezone, for example --timezone Asia/Kolkata",
        )  # fmt: skip
    if not zone_given:
        moments = moments.with_columns(pl.when(~odd).then("wall").alias("wall"))
    placed = pl.DataFrame({"row": range(len(text))}, schema={"row": pl.UInt32}).join(
        moments.select("row", "wall", "minutes"), on="row", how="left", maintain_order="left"
    )
    instants = placed.select((pl.col("wall") - pl.duration(minutes="minutes")).dt.replace_time_zone("UTC")).to_series()
    wall = placed.select(pl.when(pl.col("minutes").is_null()).then("wall").alias("wall")).to_series()
    return Stamps(wall, instants, tuple(notes))


def within_calendar(stamps: Stamps) -> Stamps:
    """`stamps` without years that Python's calendar lacks, in any time zone: they become unreadable."""
    wall, instants = (
        pl.select(pl.when(times.dt.year().is_between(2, 9998)).then(times)).to_series()
        for times in (stamps.wall, stamps.instants)
    )
    return replace(stamps, wall=wall, instants=instants)


def _by_format(text: pl.Series, time_format: str, none: pl.Series) -> Stamps:
    naive = none.dt.replace_time_zone(None)
    time_format = time_format.replace(".%f", "%.f")  # Python's fraction, as polars writes it
    remedy = "Correct --time-format: a strptime format such as '%d.%m.%Y %H:%M', or unix, unix_ms, excel"
    if time_format in _UNIX_UNIT or time_format == "excel":
        number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        if time_format == "excel":
            return Stamps(_of_excel(number), none, remedy=remedy)
        micros = (number * _UNIX_UNIT[time_format]).round()
        return Stamps(naive, _of_micros(micros).dt.replace_time_zone("UTC"), remedy=remedy)
    try:
        if "%z" in time_format or "%:z" in time_format:
            aware = text.str.to_datetime(time_format, time_unit="us", strict=False, time_zone="UTC")
            return Stamps(naive, aware, remedy=remedy)
        return Stamps(text.str.to_datetime(time_format, time_unit="us", strict=False), none, remedy=remedy)
    except (pl.exceptions.PolarsError, ValueError) as exc:
        reason = (str(exc).strip().splitlines() or ["not understood"])[0]
        return Stamps(naive, none, (), f"the time format '{time_format}' is none ({reason})", remedy)


def _counted(text: pl.Series, none: pl.Series) -> Stamps | None:
    """Columns of plain numbers: Unix time, days of a spreadsheet, or a count since start, which is no time."""
    known = text.drop_nulls()
    if len(known) and known.str.contains(r"^\d(?:[.,]\d+)?[eE]\+?\d+$").all():
        return Stamps(
            none.dt.replace_time_zone(None), none, (), f"the times are rounded, such as '{known[0]}'",
            "A spreadsheet did that: format the column as text there, and export again",
        )  # fmt: skip
    naive = none.dt.replace_time_zone(None)
    numbers = known.str.replace(",", ".", literal=True)
    if known.is_empty() or numbers.str.contains(r"^\d+(\.\d+)?$").mean() < 0.9:  # type: ignore[operator]
        return None
    size = numbers.str.split(".").list.first().str.len_chars()
    looks_compact = known.str.contains(r"^20\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])[0-5]\d(\d{2})?$")
    if looks_compact.all() or known.str.contains(r"^20\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])$").all():
        return None
    if size.is_in(list(_UNIX)).mean() > 0.9:  # type: ignore[operator]
        # Integers keep all 19 digits of nanoseconds; floats do not.
        whole = text.str.extract(r"^(\d+)").cast(pl.Int64, strict=False)
        part = text.str.extract(r"([.,]\d+)$").str.replace(",", ".", literal=True).cast(pl.Float64).fill_null(0.0)
        length = text.str.extract(r"^(\d+)").str.len_chars().cast(pl.Int64)
        frame = pl.DataFrame({"whole": whole, "part": part, "size": length})
        micros = frame.select(
            pl.when(pl.col("size").is_in([9, 10]))
            .then(pl.col("whole") * 1_000_000 + (pl.col("part") * 1e6).round().cast(pl.Int64))
            .when(pl.col("size").is_in([12, 13]))
            .then(pl.col("whole") * 1000 + (pl.col("part") * 1e3).round().cast(pl.Int64))
            .when(pl.col("size").is_in([15, 16]))
            .then(pl.col("whole"))
            .when(pl.col("size").is_in([18, 19]))
            .then(pl.col("whole") // 1000)
            .alias("micros")
        ).to_series()
        return Stamps(naive, micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), ("times are Unix time",))
    value = numbers.cast(pl.Float64, strict=False)
    if ((value >= 20_000) & (value < 80_000)).all() and numbers.str.contains(r"\.\d").any():
        days = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        return Stamps(_of_excel(days), none, ("times are days since 1899-12-30, as a spreadsheet counts",))
    shown = ", ".join(known.head(3).to_list())
    return Stamps(
        naive, none, (),
        f"the times are plain numbers ({shown}, ...): a count since the logger started (uptime) is no time",
        "Give every reading the time of a clock: name another column with --time, or the meaning of the number with "
        "--time-format unix, unix_ms or excel",
    )  # fmt: skip


def _of_excel(days: pl.Series) -> pl.Series:
    return _of_micros((days * 86_400).round() * 1e6 + _EXCEL_EPOCH)


def _of_micros(micros: pl.Series) -> pl.Series:
    usable = micros.is_finite() & (micros.abs() < 2.5e17)
    return pl.select(pl.when(usable).then(micros).cast(pl.Int64).cast(pl.Datetime("us"))).to_series()


def _parts(text: pl.Series, pattern: str) -> pl.DataFrame:
    frame = pl.DataFrame({"row": range(len(text)), "text": text}, schema={"row": pl.UInt32, "text": pl.String})
    frame = frame.filter(pl.col("text").str.contains(pattern))
    groups = re.compile(pattern.replace("(?i:", "(?:")).groupindex
    return frame.with_columns(
        pl.col("text").str.extract(pattern, place).alias(group) for group, place in groups.items()
    )


def _moments(parts: pl.DataFrame, day: str, month: str) -> pl.DataFrame:
    """`wall` as written and `minutes`, its offset to UTC, null where none is written."""
    name = pl.col("name").str.to_lowercase().str.replace("^jui(n|l)", "ju${1}").str.slice(0, 3)
    number = name.replace_strict(_MONTHS, default=None)
    year = pl.when(pl.col("year").str.len_chars() == 2).then(pl.format("20{}", "year")).otherwise("year")
    half = pl.col("half").str.to_lowercase().str.slice(0, 1)
    hour = pl.col("hour").cast(pl.Int32).fill_null(0)
    hour = pl.when(half.is_not_null()).then(hour % 12 + 12 * (half == "p").cast(pl.Int32)).otherwise(hour)
    is_midnight = (
        (hour == 24) & (pl.col("minute").cast(pl.Int32) == 0) & (pl.col("second").fill_null("0").cast(pl.Int32) == 0)
    )
    is_valid_half = half.is_null() | pl.col("hour").cast(pl.Int32).is_between(1, 12)
    written = pl.format(
        "{}-{}-{} {}:{}:{}.{}",
        year,
        pl.coalesce("month", number, month).str.zfill(2),
        pl.coalesce("day", day).str.zfill(2),
        pl.when(is_midnight).then(0).otherwise(hour).cast(pl.String).str.zfill(2),
        pl.col("minute").fill_null("00"),
        pl.col("second").fill_null("00"),
        pl.col("fraction").fill_null("0").str.pad_end(6, "0").str.slice(0, 6),
    )
    sign = pl.when(pl.col("zone").str.contains("-", literal=True)).then(-1).otherwise(1)
    offset = r"[+-](\d{1,2}?)(?::?(\d{2}))?$"
    hours = pl.col("zone").str.extract(offset, 1).cast(pl.Int32)
    rest = pl.col("zone").str.extract(offset, 2).cast(pl.Int32).fill_null(0)
    abbreviation = pl.col("zone").str.strip_chars("[]").str.to_uppercase()
    known = abbreviation.replace_strict(_ABBREVIATIONS, default=None, return_dtype=pl.Int32)
    moments = parts.with_columns(
        pl.when(is_valid_half)
        .then(
            written.str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_unit="us", strict=False)
            + pl.when(is_midnight).then(timedelta(days=1)).otherwise(timedelta(0))
        )
        .alias("wall"),
        pl.coalesce(sign * (hours * 60 + rest), known).alias("minutes"),
    )
    for place in moments.filter(pl.col("minutes").is_null())["place"].drop_nulls().unique():
        moments = moments.with_columns(pl.coalesce("minutes", _offsets(moments, place)).alias("minutes"))
    return moments


def _offsets(moments: pl.DataFrame, place: str) -> pl.Series:
    """Minutes to UTC of the stamps in the zone `place` (Europe/Rome), in the order of the rows; null for others."""
    wall = moments["wall"]
    try:
        ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return pl.Series([None] * len(wall), dtype=pl.Int32)
    offset = (wall - utc_of_wall_clock(wall, place).dt.replace_time_zone(None)).dt.total_minutes().cast(pl.Int32)
    return pl.select(pl.when(moments["place"] == place).then(offset)).to_series()
