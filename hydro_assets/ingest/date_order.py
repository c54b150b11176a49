"""Whether 03/04/2025 is the third of April or the fourth of March, as the other dates of the file show."""

from __future__ import annotations

from typing import Literal

import polars as pl


def order_of(
    parts: pl.DataFrame, text: pl.Series, dates: Literal["dmy", "mdy"] | None
) -> tuple[bool, list[str], str | None, str]:
    """Whether the day comes first (as told, by dots, or from days above 12); notes; why it cannot be told; remedy."""
    written = parts.filter(pl.col("first").is_not_null())
    first, other = written["first"].cast(pl.Int32), written["other"].cast(pl.Int32)
    remedy = "Say which comes first: --dates dmy (day, month, year) or --dates mdy; or write dates year first"
    if written.is_empty():
        return True, [], None, remedy
    if dates is not None:
        return dates == "dmy", [], None, remedy
    if written["text"].str.contains(r"^\D*\d{1,2}-\d{1,2}-\d{2}(\D|$)").any():
        shown = written["text"][0]
        return (
            True,
            [],
            f"'{shown}' may begin with the year, the month or the day",
            "Name the format: --time-format '%d-%m-%y %H:%M'",
        )
    day_first, month_first = first > 12, other > 12
    if day_first.any() and month_first.any():
        both = f"'{written['text'].filter(day_first)[0]}' and '{written['text'].filter(month_first)[0]}'"
        return True, [], f"dates are written both day/month and month/day: {both}", "Write dates year first: 2023-12-21"
    if not day_first.any() and not month_first.any():
        if written["text"].str.contains(r"^\D*\d{1,2}\.\d{1,2}\.\d").all():
            return True, ["dates with dots are read as day.month.year (--dates mdy says otherwise)"], None, remedy
        unequal = first != other
        if not unequal.any():
            return True, [], None, remedy
        shown = written["text"].filter(unequal)[0]
        return True, [], f"'{shown}' may be day/month or month/day and no other date tells which", remedy
    shown, order = (day_first, "day/month/year") if day_first.any() else (month_first, "month/day/year")
    note = f"dates are read as {order}, as '{written['text'].filter(shown)[0]}' shows"
    return bool(day_first.any()), [note], None, remedy
