"""Delimited text as loggers write it: separator, comment lines, header, unit row, broken lines, sections."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.table import BadLine, TextTable
from hydro_assets.ingest.units import is_unit

SEPARATORS = (";", "\t", ",")
_OTHER_SEPARATORS = "|^~:"
_KINDS = {"", "avg", "smp", "min", "max", "tot", "std", "med"}  # how a Campbell logger made its columns
_MOST_ABOVE = 3  # lines above the header that look like values, such as `Logger;7`
_LOOKED_AT = 200
_LONGEST_CELL = 40  # lines
_NUMBER_OR_DATE = re.compile(r"[-+]?\d[\d.,:/\-TZ +]*|[-+]?[.,]\d+", re.ASCII)


@dataclass(frozen=True)
class Record:
    """Cells of one line (a quoted cell may reach over several) and its first line's number, from 1."""

    line: int
    cells: tuple[str, ...]
    text: str

    @property
    def is_blank(self) -> bool:
        return not any(cell.strip() for cell in self.cells)

    def is_comment(self, mark: str) -> bool:
        """Whether the line begins with `mark`; a header whose first name is the mark itself (`"#","Date"`) is none."""
        return (self.text or self.cells[0]).startswith(mark) and self.cells[0].strip() != mark

    @property
    def looks_like_data(self) -> bool:
        """Whether at least two cells, or all but one, are numbers or dates."""
        filled = [c.strip() for c in self.cells if c.strip()]
        found = sum(_NUMBER_OR_DATE.fullmatch(c) is not None for c in filled)
        return found >= 2 or (found >= 1 and found >= len(filled) - 1)


def read_delimited(text: str, name: str, profile: Profile, encoding: str, notes: Sequence[str]) -> TextTable:
    """The table of a text file. Raises SourceFileError when it shows no separator or no header."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = lines[: len(lines) - (lines[-1] == "")]
    notes, start = list(notes), profile.skip or 0
    if start < len(lines) and (told := re.fullmatch(r"\ufeff?\"?sep=(.)\"?", lines[start].strip())):  # Excel's own line
        start += 1
        profile = profile if profile.separator else profile.model_copy(update={"separator": told[1]})
    if lines[start : start + 1] and re.match(
        r'"?TOA5"?,', lines[start]
    ):  # Campbell Scientific: station, header, units, kind
        start += 1
    separator = profile.separator or _separator_of(lines[start : start + _LOOKED_AT], name, profile)
    records = list(records_of(lines, separator, start, notes))
    layout = [("encoding", encoding), ("separator", {"\t": "tab"}.get(separator, f"'{separator}'"))]
    return table_of_records(records, name, profile, layout, notes, decimal_comma=None if separator == "," else True)


def records_of(lines: Sequence[str], separator: str, start: int, notes: list[str]) -> Iterator[Record]:
    """Records from line `start` on. A quote that never closes is read as a plain character, and noted."""
    at = start
    while at < len(lines):
        line = lines[at]
        if '"' not in line:
            yield Record(at + 1, tuple(line.split(separator)), line)
            at += 1
            continue
        cells, taken = _quoted(lines, at, separator)
        if cells is None:
            notes.append(f"line {at + 1} has a quotation mark without its partner: it is read as plain text")
            cells, taken = line.replace('"', "").split(separator), 1
        yield Record(at + 1, tuple(cells), line)
        at += taken


def _quoted(lines: Sequence[str], at: int, separator: str) -> tuple[list[str] | None, int]:
    """Cells of the record that begins on line `at` and the lines it takes; None where a quote does not close."""
    used = 0

    def following() -> Iterator[str]:
        nonlocal used
        for line in lines[at : at + _LONGEST_CELL]:
            used += 1
            yield line + "\n"

    try:
        cells = next(csv.reader(following(), delimiter=separator))
    except (csv.Error, StopIteration):
        return None, 1
    whole = max(len(cells) - 1, 1)
    swallowed = any(line.count(separator) >= whole for line in lines[at + 1 : at + used - 1])
    never_closed = used > 1 and (at + used >= len(lines) or used == _LONGEST_CELL) and not cells[-1].endswith('"')
    closes = sum(line.count('"') for line in lines[at : at + used]) % 2 == 0
    if used > 1 and (swallowed or (never_closed and not closes)):
        return None, 1
    return [c.rstrip("\n") if i == len(cells) - 1 else c for i, c in enumerate(cells)], used


def _separator_of(lines: Sequence[str], name: str, profile: Profile) -> str:
    comment = profile.comment or "#"
    shown = [line for line in lines if line.strip() and not line.startswith(comment)]
    if not shown:
        shown = [line for line in lines if line.strip()]
    first_data = next((i for i, line in enumerate(shown) if _is_mostly_digits(line)), len(shown))
    above = shown[first_data - 1] if first_data else ""
    if not above and (comments := [line for line in lines if line.startswith(comment)]):
        above = comments[-1]
    candidates = [s for s in SEPARATORS if s in above] or [s for s in SEPARATORS if any(s in line for line in shown)]
    if not candidates:
        other = max(_OTHER_SEPARATORS, key=lambda s: min((line.count(s) for line in shown[:20]), default=0))
        if shown and min(line.count(other) for line in shown[:20]) and other != ":":
            raise SourceFileError(
                f"The first line of {name} has no comma, semicolon or tab; it looks separated by '{other}'",
                f'Say so: --separator "{other}"',
            )
        spaced = len(shown) > 1 and all(re.search(r"\S\s+\S", line) for line in shown[:20])
        raise SourceFileError(
            f"The first line of {name} has no comma, semicolon or tab",
            'Name what stands between the cells, for example --separator "|"'
            + (", or --separator space" if spaced else "")
            + "; or save it as CSV, one header line and one line per reading",
        )

    def score(separator: str) -> tuple[float, int]:
        widths = Counter(len(next(csv.reader([line], delimiter=separator), [])) for line in shown)
        width, lines_of_it = widths.most_common(1)[0]
        return (0.0, 1) if width < 2 else (round(lines_of_it / len(shown), 1), width)

    return max(candidates, key=score)


def _is_mostly_digits(line: str) -> bool:
    letters = sum(c.isalpha() for c in line)
    return sum(c.isdigit() for c in line) > letters


# -- header, units, rows -----------------------------------------------------------------------------------------------


def table_of_records(
    records: Sequence[Record],
    name: str,
    profile: Profile,
    layout: Sequence[tuple[str, str]],
    notes: Sequence[str],
    decimal_comma: bool | None,
) -> TextTable:
    """The table under the header that is found among the records; also used for the rows of a workbook."""
    notes = list(notes)
    comment = profile.comment or "#"
    body = [r for r in records if not r.is_blank]
    if not body:
        raise SourceFileError(f"{name} is empty", "Export the readings again, with a header line")
    header, rest = _header_of(body, name, profile, comment, notes)
    if not rest:
        raise SourceFileError(f"{name} has a header but no readings", "Export the readings again")
    width = len(header.cells)
    usual = Counter(len(r.cells) for r in rest[:_LOOKED_AT]).most_common(1)[0][0]
    units, rest = _unit_row(rest, width)
    if not rest:
        raise SourceFileError(f"{name} has a header but no readings", "Export the readings again")
    names = _named(header.cells)
    positions, repeats, comments = list(range(width)), 0, 0
    rows: list[list[str | None]] = []
    lines: list[int] = []
    bad: list[BadLine] = []
    for record in rest:
        cells = [c.strip() for c in record.cells]
        if record.is_comment(comment):
            comments += 1
            continue
        if section := _section(cells, names):
            repeats += 1
            names, positions = section
            continue
        while len(cells) > len(positions) and not cells[-1]:
            cells.pop()
        if len(cells) < len(positions) == width and len(cells) == usual:
            cells += [""] * (width - len(cells))
        if len(cells) != len(positions):
            bad.append(BadLine(record.line, f"{len(cells)} values where the header names {width} columns", record.text))
        elif "\ufffd" in record.text:
            bad.append(BadLine(record.line, "not text", record.text))
        else:
            row: list[str | None] = [None] * len(names)
            for position, cell in zip(positions, cells, strict=True):
                row[position] = cell
            rows.append(row)
            lines.append(record.line)
    if repeats:
        notes.append(f"the header is repeated ({repeats} times), as after a restart of the logger")
    if comments:
        notes.append(f"{comments} lines that begin with '{comment}' are comments")
    if not rows:
        raise SourceFileError(
            f"No line of {name} has the {width} values that its header on line {header.line} names: {bad[0]}",
            "Name the header's place with --skip N, the separator with --separator, or export the readings again",
        )
    full = [row + [None] * (len(names) - len(row)) for row in rows]
    cells_frame = pl.DataFrame(
        {str(i): pl.Series(column, dtype=pl.String) for i, column in enumerate(zip(*full, strict=True))}
    )
    where = ("header", f"line {header.line}" if header.line else "none")
    return TextTable(
        name, tuple(names), cells_frame, pl.Series(lines, dtype=pl.Int64), units, decimal_comma,
        (*layout, where), tuple(notes), tuple(bad),
    )  # fmt: skip


def _header_of(
    body: Sequence[Record], name: str, profile: Profile, comment: str, notes: list[str]
) -> tuple[Record, list[Record]]:
    plain = [r for r in body if not r.is_comment(comment)]
    if profile.no_header:
        width = Counter(len(r.cells) for r in plain).most_common(1)[0][0] if plain else 0
        return Record(0, tuple(f"column_{i + 1}" for i in range(width)), ""), plain
    if profile.skip is not None and plain and not plain[0].looks_like_data:
        return plain[0], list(plain[1:])
    width = Counter(len(r.cells) for r in plain[:_LOOKED_AT]).most_common(1)[0][0] if plain else 0
    filled = [sum(bool(c.strip()) for c in r.cells) for r in plain]
    wide = [i for i, r in enumerate(plain) if len(r.cells) >= max(width - 1, 2) and filled[i] >= max(0.6 * width, 2)]
    wide = wide or [i for i, r in enumerate(plain) if len(r.cells) >= 2]
    named = [i for i in wide if not plain[i].looks_like_data]
    first = named[0] if named and named[0] <= _MOST_ABOVE else wide[0] if wide else 0
    if plain and not plain[first].looks_like_data:
        if first:
            notes.append(f"lines skipped above the header: {first}, the first '{plain[0].text[:60]}' (--skip N)")
        return plain[first], list(plain[first + 1 :])
    commented = [r for r in body if r.is_comment(comment) and abs(len(r.cells) - width) <= 1]
    if commented and plain and commented[-1].line < plain[first].line:
        last = commented[-1]
        named = (last.cells[0].lstrip(comment + " "), *last.cells[1:])
        return Record(last.line, named, last.text), [r for r in plain if r.line > last.line]
    line = plain[first].line if plain else body[0].line
    cells = plain[first].cells if plain else ()
    time = next((i for i, c in enumerate(cells) if re.search(r"\d[-/.:]\d+[-/.:]\d", c)), 0)
    raise SourceFileError(
        f"{name} has no header: line {line} holds values ('{(plain or body)[first].text[:60]}')",
        f"Say --no-header and name the columns, for example --no-header --time column_{time + 1} "
        f"--map pH=column_{time + 2}; or name the header's place with --skip N",
    )


def _named(cells: Sequence[str]) -> list[str]:
    return [" ".join(c.strip().strip('"').splitlines()) or f"column_{i + 1}" for i, c in enumerate(cells)]


def _unit_row(rest: Sequence[Record], width: int) -> tuple[tuple[str | None, ...], list[Record]]:
    """Units of a row under the header: no number or date in it, and at least one word that is a unit."""
    first = [c.strip() for c in rest[0].cells]
    has_value = any(_NUMBER_OR_DATE.fullmatch(c) for c in first)
    if has_value or len(first) > width + 1 or not any(is_unit(c) for c in first):
        return (), list(rest)
    after = list(rest[1:])
    if after and {c.strip().casefold() for c in after[0].cells} <= _KINDS:
        after = after[1:]
    return tuple(c.strip("()[] ") if is_unit(c) else None for c in first[:width]), after


def _section(cells: Sequence[str], names: list[str]) -> tuple[list[str], list[int]] | None:
    """(all names, positions of this section's columns) where the cells are a header again."""
    known = {n.casefold(): i for i, n in enumerate(names)}
    filled = [c for c in cells if c]
    if len(filled) < 2 or sum(c.casefold() in known for c in filled) < max(2, 0.5 * len(filled)):
        return None
    if any(_NUMBER_OR_DATE.fullmatch(c) for c in filled):
        return None
    names, positions = list(names), []
    for place, cell in enumerate(cells):
        key = cell.casefold() if cell else f"column_{place + 1}"
        if key not in known:
            known[key] = len(names)
            names.append(cell or key)
        positions.append(known[key])
    return names, positions
