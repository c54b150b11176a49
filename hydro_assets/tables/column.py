"""What is known of a column and of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a table. `type` is a Spark SQL type; `sources` are full column names it is computed from."""

    name: str
    type: str
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    sources: tuple[str, ...] = ()
    nullable: bool = True

    @property
    def range_text(self) -> str:
        """`0 .. 14`; empty without limits."""
        if self.low is None and self.high is None:
            return ""
        return f"{'' if self.low is None else f'{self.low:g}'} .. {'' if self.high is None else f'{self.high:g}'}"


@dataclass(frozen=True)
class Table:
    """A Delta table: its name without catalog, columns in order, keys and partition column."""

    name: str
    columns: tuple[Column, ...]
    comment: str
    keys: tuple[str, ...] = ()
    partition_by: str | None = None
    time_column: str | None = None
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def column_names(self) -> list[str]:
        return [c.name for c in self.columns]

    def __getitem__(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)
