"""An export as a table of text: what every kind of file becomes before anything in it is understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from hydro_assets.errors import SourceFileError


@dataclass(frozen=True)
class BadLine:
    """A line that is no reading: where it stands and why it is left out."""

    line: int
    reason: str
    text: str = ""

    def __str__(self) -> str:
        shown = f" '{self.text[:40]}{'...' if len(self.text) > 40 else ''}'" if self.text else ""
        return " ".join(f"line {self.line}{shown}: {self.reason}".splitlines())


@dataclass(frozen=True)
class TextTable:
    """Columns of text under their headers.

    Attributes:
        header: names as written; columns without one are `column_N`.
        cells: strings, one column per header, named by position ("0", "1", ...).
        lines: line (record, row) of the file on which each row of `cells` stands, from 1.
        units: units of a row under the header, None where there is none.
        decimal_comma: whether a comma in a number is its decimal mark; None = not known from the format.
        layout: how the file was read, as pairs of a word and its value, for the report.
        bad: lines that are no readings.
    """

    name: str
    header: tuple[str, ...]
    cells: pl.DataFrame
    lines: pl.Series
    units: tuple[str | None, ...] = ()
    decimal_comma: bool | None = False
    layout: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    bad: tuple[BadLine, ...] = field(default=())

    def column(self, position: int) -> pl.Series:
        return self.cells[str(position)]

    def named(self, header: str) -> list[int]:
        """Positions of the columns with this header, without regard to case and outer spaces."""
        wanted = header.strip().casefold()
        return [i for i, name in enumerate(self.header) if name.strip().casefold() == wanted]


def table_of(name: str, header: Sequence[str], rows: Sequence[Sequence[str | None]], **more: object) -> TextTable:
    """A table whose rows are records 1, 2, ... of a document."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    cells = pl.DataFrame({str(i): pl.Series(c, dtype=pl.String) for i, c in enumerate(columns)})
    if cells.is_empty():
        raise SourceFileError(f"{name} holds no readings", "Export the readings again")
    return TextTable(name, tuple(header), cells, pl.Series(range(1, len(rows) + 1), dtype=pl.Int64), **more)  # type: ignore[arg-type]
