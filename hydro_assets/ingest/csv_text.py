"""A delimited text file as columns of strings, with the line number of every row kept for error messages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from hydro_assets.errors import SourceFileError

_SEPARATORS = ",;\t"
_SAVE_AS_CSV = "Save it as CSV text in UTF-8, one header line and one line per reading"


@dataclass(frozen=True)
class CsvText:
    """Header and body of a file. `header` is as written; row 0 is the first line after the header."""

    name: str
    header: tuple[str, ...]
    separator: str
    header_line: int
    body: str

    def columns(self, positions: Mapping[str, int]) -> pl.DataFrame:
        """The columns at `positions` under new names, all strings; blank lines are rows of nulls.

        Raises SourceFileError when a line has more or fewer values than the header.
        """
        width = len(self.header)
        self._check_width(width)
        everything = pl.read_csv(
            self.body.encode(),
            has_header=False,
            separator=self.separator,
            infer_schema=False,
            schema={str(i): pl.String for i in range(width)},
            columns=sorted(positions.values()),
        )
        return everything.select(pl.col(str(i)).alias(name) for name, i in positions.items())

    def line_of(self, row: int) -> int:
        """Line of the file, from 1, on which row number `row` stands."""
        if '"' not in self.body:
            return self.header_line + 1 + row
        return next(line for i, (line, _) in enumerate(self._records()) if i == row)

    def _check_width(self, width: int) -> None:
        if '"' not in self.body:
            lines = pl.Series(self.body.removesuffix("\n").split("\n"))
            separators = lines.str.count_matches(self.separator, literal=True)
            if (separators == width - 1).all():
                return
        for line, record in self._records():
            if len(record) != width and any(cell.strip() for cell in record):
                raise SourceFileError(
                    f"Line {line} of {self.name} has {len(record)} values where the header names {width} columns",
                    "Correct or remove the line; a cut-off last line means that the file was not copied whole",
                )

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(io.StringIO(self.body, newline=""), delimiter=self.separator)
        line = self.header_line + 1
        for record in reader:
            yield line, record
            line = self.header_line + 1 + reader.line_num


def read_csv_text(path: Path) -> CsvText:
    """Read a file separated by commas, semicolons or tabs, with or without a byte-order mark.

    Raises SourceFileError when it is missing, a folder, empty, not text, or has no header line with columns.
    """
    text = _text_of(path)
    rest, header_line = text, 0
    first = ""
    while rest and not first.strip():
        first, _, rest = rest.partition("\n")
        header_line += 1
    if not first.strip():
        raise SourceFileError(f"{path.name} is empty", "Export the readings again, with a header line")
    separator = max(_SEPARATORS, key=first.count)
    if separator not in first:
        raise SourceFileError(f"The first line of {path.name} has no comma, semicolon or tab", _SAVE_AS_CSV)
    header = next(csv.reader([first], delimiter=separator))
    if not rest or rest.isspace():
        raise SourceFileError(f"{path.name} has a header but no readings", "Export the readings again")
    return CsvText(path.name, tuple(h.strip() for h in header), separator, header_line, rest)


def _text_of(path: Path) -> str:
    if path.is_dir():
        raise SourceFileError(f"{path} is a folder, not a file", "Name one CSV file; several files are several calls")
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise SourceFileError(f"There is no file {path}", "Check the path, and quote it if it has spaces") from exc
    except OSError as exc:
        raise SourceFileError(f"{path} cannot be read ({exc.strerror})", "Check the permissions of the file") from exc
    if b"\0" in data:
        raise SourceFileError(f"{path.name} is a binary file, not CSV text", _SAVE_AS_CSV)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise SourceFileError(f"Line {line} of {path.name} is not UTF-8 text", _SAVE_AS_CSV) from exc
