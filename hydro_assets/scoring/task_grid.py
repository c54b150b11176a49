"""Cut a range of days into tasks of bounded size, each with the history it looks back on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from hydro_assets.durations import midnight

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class TaskGrid:
    """Tasks 0, 1, ... of `span` each over the half-open days [start_day, end_day); whole seconds throughout."""

    start_day: date
    end_day: date
    span: timedelta
    look_back: timedelta

    @property
    def count(self) -> int:
        return -(-(self.end_day - self.start_day) // self.span)

    @property
    def first_day_read(self) -> date:
        """The day in which the look-back of the first task begins."""
        return (midnight(self.start_day) - self.look_back).date()

    def bounds(self, task: int) -> tuple[datetime, datetime]:
        """Half-open time range of what a task is to give."""
        start = midnight(self.start_day) + task * self.span
        return start, min(start + self.span, midnight(self.end_day))

    def assign(self, frame: DataFrame, time_column: str) -> DataFrame:
        """Every row once per task that needs it: its own, and later ones that look back on it; new column `task`."""
        from pyspark.sql import functions as F

        since_start = F.unix_timestamp(F.col(time_column)) - int(midnight(self.start_day).timestamp())
        span, look_back = int(self.span.total_seconds()), int(self.look_back.total_seconds())
        first = F.greatest(F.floor(since_start / span), F.lit(0))
        last = F.least(F.floor((since_start + look_back) / span), F.lit(self.count - 1))
        frame = frame.withColumn("_first", first.cast("int")).withColumn("_last", last.cast("int"))
        tasks = F.explode(F.sequence(F.col("_first"), F.col("_last")))
        return frame.where("_first <= _last").withColumn("task", tasks).drop("_first", "_last")


def commits(rows_by_day: Mapping[date, int], start_day: date, end_day: date, most_rows: int) -> list[tuple[date, date]]:
    """Cut [start_day, end_day) into consecutive ranges of at most `most_rows` rows, or one day where a day has more."""
    ranges: list[tuple[date, date]] = []
    begin, rows = start_day, 0
    for offset in range((end_day - start_day).days):
        day = start_day + timedelta(days=offset)
        rows += rows_by_day.get(day, 0)
        if rows > most_rows and day > begin:
            ranges.append((begin, day))
            begin, rows = day, rows_by_day.get(day, 0)
    return [*ranges, (begin, end_day)]
