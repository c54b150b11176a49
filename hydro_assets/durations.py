"""Durations as they are written in settings and column names, and the first instant of a UTC day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import BeforeValidator, TypeAdapter

_UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> timedelta:
    """Read `10s`, `1min`, `5 min`, `1h`, `1d` (or a timedelta, or seconds) as a duration."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    if isinstance(value, str) and value.startswith("P"):  # ISO 8601, as a dumped Settings writes it
        return TypeAdapter(timedelta).validate_python(value)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", str(value).lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"'{value}' is not a duration; write for example 10s, 1min, 5min, 1h")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise ValueError(f"'{value}' is longer than any calendar") from None


def duration_text(value: timedelta) -> str:
    """Exact name of a duration in the largest whole unit up to hours: `10s`, `1min`, `24h`."""
    seconds = int(value.total_seconds())
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time(), UTC)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
