"""Timestamps of sensor exports, as text, to the wall clock of the farm.

Read are ISO 8601 with a space or T, a fraction and an offset or none (`2023-12-21 11:17:03`, `2023-12-21T10:17Z`);
day and month in either order before the year (`21/12/2023 11:17`, `12/21/2023 11:17:03 AM`), if the file shows which;
and Unix time in seconds or milliseconds. A moment without an offset stays as written; one with an offset, and Unix
time, is an instant and is turned into the wall clock of the farm's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

ACCEPTED = "2023-12-21 11:17:03, 2023-12-21T11:17:03+01:00, 21/12/2023 11:17 or Unix seconds"

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
_YEAR_FIRST = r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
_YEAR_LAST = r"(?P<first>\d{1,2})[-/.](?P<other>\d{1,2})[-/.](?P<year>\d{4})"
_ISO = rf"^{_YEAR_FIRST}[T ]+{_CLOCK}\s*(?P<zone>Z|[+-]\d{{2}}:?\d{{2}}|[+-]\d{{2}})?$"
_LOCAL = rf"^{_YEAR_LAST},?\s+{_CLOCK}\s*(?P<half>[AaPp][Mm])?$"
_UNIX = r"^(?P<unix>\d{9,10}(?:\.\d+)?)$"
_UNIX_MILLIS = r"^(?P<millis>\d{12,13})$"


@dataclass(frozen=True)
class WallClock:
    """`values` are naive and null where the text is null or unreadable; `problem` is set where no order of day and
    month fits the whole file. `instants` (UTC) are null where a time has no offset; None where no time has one."""

    values: pl.Series
    instants: pl.Series | None = None
    notes: tuple[str, ...] = ()
    problem: str | None = None


def wall_clock(text: pl.Series, timezone: str) -> WallClock:
    """Naive wall-clock times, `Datetime("us")`, of `text`, one per cell; instants are converted to `timezone`."""
    plain = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    if plain.null_count() == text.null_count():
        return WallClock(plain)
    local = text.str.extract_groups(_LOCAL).struct.unnest()
    day_first, order_notes, problem = _order_of(local, text)
    iso = text.str.extract_groups(_ISO).struct.unnest()
    instants = _instants(text, iso)
    of_instants = instants.dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    day, month = ("first", "other") if day_first else ("other", "first")
    values = pl.select(
        pl.coalesce(of_instants, _assembled(iso, "day", "month"), _assembled(local, day, month)).alias("wall")
    ).to_series()
    notes = list(order_notes)
    if converted := len(instants) - instants.null_count():
        notes.append(f"{converted} timestamps with an offset or in Unix time became the wall clock of {timezone}")
    return WallClock(values, instants if converted else None, tuple(notes), problem)


def _assembled(parts: pl.DataFrame, day: str, month: str) -> pl.Series:
    hour = pl.col("hour")
    if "half" in parts.columns:
        twelve = hour.cast(pl.Int32) % 12 + 12 * (pl.col("half").str.to_lowercase() == "pm").cast(pl.Int32)
        hour = pl.when(pl.col("half").is_null()).then(hour).otherwise(twelve.cast(pl.String))
    text = pl.format(
        "{}-{}-{} {}:{}:{}.{}",
        "year",
        pl.col(month).str.zfill(2),
        pl.col(day).str.zfill(2),
        hour.str.zfill(2),
        "minute",
        pl.col("second").fill_null("00"),
        pl.col("fraction").fill_null("0").str.pad_end(6, "0").str.slice(0, 6),
    )
    return parts.select(text.str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_unit="us", strict=False)).to_series()


def _instants(text: pl.Series, iso: pl.DataFrame) -> pl.Series:
    digits = pl.col("zone").str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    minutes = digits.str.slice(0, 2).cast(pl.Int32) * 60 + digits.str.slice(2, 2).cast(pl.Int32)
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    offset = pl.when(pl.col("zone") == "Z").then(0).otherwise(sign * minutes)
    written = iso.with_columns(_assembled(iso, "day", "month").alias("written"))
    with_offset = written.select(pl.col("written") - pl.duration(minutes=offset)).to_series()
    micros = pl.coalesce(
        text.str.extract(_UNIX).cast(pl.Float64) * 1e6, text.str.extract(_UNIX_MILLIS).cast(pl.Float64) * 1e3
    )
    unix = pl.select(micros.round().cast(pl.Int64).cast(pl.Datetime("us"))).to_series()
    return pl.select(pl.coalesce(with_offset, unix).dt.replace_time_zone("UTC")).to_series()


def _order_of(local: pl.DataFrame, text: pl.Series) -> tuple[bool, list[str], str | None]:
    """Whether the day comes first, from days above 12 anywhere in the file; notes; and why it cannot be told."""
    first, other = local["first"].cast(pl.Int32), local["other"].cast(pl.Int32)
    day_first, month_first = (first > 12).fill_null(False), (other > 12).fill_null(False)
    unequal = (first != other).fill_null(False)
    if not unequal.any():
        return True, [], None
    if day_first.any() and month_first.any():
        both = f"'{text.filter(day_first)[0]}' and '{text.filter(month_first)[0]}'"
        return True, [], f"dates are written both day/month and month/day: {both}"
    if not day_first.any() and not month_first.any():
        return True, [], f"'{text.filter(unequal)[0]}' may be day/month or month/day and no other date tells which"
    shown, order = (day_first, "day/month/year") if day_first.any() else (month_first, "month/day/year")
    return bool(day_first.any()), [f"dates are read as {order}, as '{text.filter(shown)[0]}' shows"], None
