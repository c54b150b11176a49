"""Cells of text to numbers and switches: decimal marks, units in cells, words that mean no value, words that do not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from hydro_assets.ingest.units import GOLD_UNIT, converted, fits, unit_of

NO_VALUE = frozenset(
    [
        "nan",
        "null",
        "none",
        "na",
        "n/a",
        "#n/a",
        "#na",
        "<na>",
        "nil",
        "-",
        "--",
        "---",
        "----",
        "unavailable",
        "unknown",
        "undefined",
        "inf",
        "-inf",
        "+inf",
        "infinity",
        "-infinity",
        "#value!",
        "#div/0!",
        "#ref!",
        "1.#qnan",
        "-1.#ind",
    ]
)
_ON, _OFF = ("on", "true", "1", "1.0", "1.00", "yes"), ("off", "false", "0", "0.0", "0.00", "no")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SHOWN = 8


@dataclass(frozen=True)
class Cells:
    """A column of values.

    Attributes:
        values: numbers in Gold's unit, or booleans; null where the cell has no value or cannot be read.
        no_value: word -> how often it stands for no value (empty cells are not counted).
        unreadable: word -> (how often, position of the first) of cells that cannot be read.
        units: units that stood in cells, as written.
        problem: why the column as a whole cannot be read.
    """

    values: pl.Series
    no_value: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    problem: str | None = None


def says_no_value(text: pl.Series, words: Iterable[str]) -> pl.Series:
    """Which cells say by a word that there is no value; an empty cell says nothing."""
    own = {w.strip().casefold() for w in words}
    folded = text.str.strip_chars().str.to_lowercase()
    return (folded.is_in(list(NO_VALUE | own)) & (folded != "")).fill_null(False)


def without_empties(text: pl.Series, words: Iterable[str]) -> tuple[pl.Series, dict[str, int]]:
    """`text` stripped, null where it says that there is no value, and the words that said so."""
    stripped = text.str.strip_chars()
    is_word = says_no_value(text, words)
    counts = stripped.filter(is_word).value_counts(sort=True)
    named = {str(word): int(n) for word, n in counts.iter_rows()}
    kept = pl.select(pl.when(~is_word & (stripped != "")).then(stripped)).to_series()
    return kept.alias(text.name), named


def decimal_mark(columns: Iterable[pl.Series], told: str | None, is_usual: bool | None) -> tuple[str, str | None]:
    """(`.` or `,`, why it cannot be told) for all numeric columns of a file together.

    `is_usual`: whether a comma in a number is usually the decimal mark, as in files separated by semicolons; None
    where only the numbers themselves can show it (quoted cells between commas, workbooks).
    """
    if told is not None:
        return told, None
    cells = pl.concat([c.drop_nulls().unique() for c in columns] or [pl.Series([], dtype=pl.String)])
    cells = cells.str.extract(r"^([-+]?[\d.,]+)")
    with_comma = cells.filter(cells.str.contains(",", literal=True).fill_null(False))
    if with_comma.is_empty():
        return ".", None
    decimal = with_comma.filter(with_comma.str.contains(r"^[-+]?\d*,(\d{1,2}|\d{4,})$|^[-+]?0,\d+$|\d\.\d{3},\d*$"))
    thousands = with_comma.filter(with_comma.str.contains(r"^[-+]?\d{1,3}(,\d{3})+\.\d*$|^[-+]?\d{1,3}(,\d{3}){2,}$"))
    if len(thousands) and not len(decimal):
        return ".", None
    if len(decimal) and len(thousands):
        return ".", f"'{decimal[0]}' has a decimal comma and '{thousands[0]}' a comma for thousands"
    dotted = cells.filter(cells.str.contains(r"^[-+]?\d+\.\d+$").fill_null(False))
    if is_usual or len(decimal):
        if len(dotted):
            text = f"'{dotted[0]}' is written with a dot in a file of decimal commas (such as '{with_comma[0]}')"
            return ",", f"{text}: a thousands mark, or another decimal mark"
        return ",", None
    return ".", f"'{with_comma[0]}' may have a decimal comma or a comma for thousands"


def numbers(text: pl.Series, column: str, mark: str, unit: str | None) -> Cells:
    """Numbers of a Gold column. `text` comes from `without_empties`; `unit` (pint) counts where cells name none."""
    plain = text.str.replace_all(r"(\d)[\s\u00a0\u202f'’](\d{3})", "${1}${2}")
    if mark == ",":
        plain = plain.str.replace_all(r"\.(\d{3})", "${1}").str.replace(",", ".", literal=True)
    else:
        plain = plain.str.replace_all(r",(\d{3})", "${1}")
    value = plain.str.extract(rf"^({_NUMBER})$").cast(pl.Float64, strict=False)
    value = pl.select(pl.when(value.is_finite()).then(value)).to_series()
    values = converted(value, unit, column) if unit is not None else value
    left = value.is_null() & text.is_not_null()
    found: list[str] = []
    if left.any() and column in GOLD_UNIT:
        suffixed = plain.str.extract(rf"^{_NUMBER}\s*(\S.*?)$")
        before = plain.str.extract(rf"^([^\d.+\-]+?)\s*[:=]?\s*{_NUMBER}$")
        written = pl.select(pl.when(left).then(pl.coalesce(suffixed, before))).to_series()
        number = plain.str.extract(rf"({_NUMBER})").cast(pl.Float64, strict=False)
        for word in written.drop_nulls().unique(maintain_order=True):
            if (own := unit_of(word)) is None:
                continue
            here = (written == word).fill_null(False)
            if not fits(own, column):
                return Cells(values, problem=f"its cells are in {word}, which is no unit of {column}")
            made = converted(pl.select(pl.when(here).then(number)).to_series(), own, column)
            values = pl.select(pl.when(here).then(made).otherwise(values)).to_series()
            found.append(word)
    return Cells(values.alias(column), unreadable=_unreadable(text, values), units=tuple(found))


def switches(text: pl.Series, column: str) -> Cells:
    """ON and OFF, 1 and 0, true and false, yes and no as booleans."""
    folded = text.str.to_lowercase()
    value = pl.select(pl.when(folded.is_in(_ON)).then(True).when(folded.is_in(_OFF)).then(False)).to_series()
    return Cells(value.alias(column), unreadable=_unreadable(text, value))


def _unreadable(text: pl.Series, values: pl.Series) -> dict[str, tuple[int, int]]:
    bad = text.is_not_null() & values.is_null()
    if not bad.any():
        return {}
    frame = pl.DataFrame({"word": text, "row": range(len(text))}).filter(bad)
    counts = frame.group_by("word", maintain_order=True).agg(pl.len(), pl.col("row").first())
    return {word: (n, row) for word, n, row in counts.iter_rows()}


def unreadable_text(words: Mapping[str, tuple[int, int]], line_of: pl.Series) -> str:
    """`'ERR' 3 times (first on line 5), 'OL' once (line 17)`."""
    ordered = sorted(words.items(), key=lambda item: -item[1][0])
    told = []
    for word, (n, row) in ordered[:_SHOWN]:
        where = f"{n:,} times (first on line {line_of[row]})" if n > 1 else f"once (line {line_of[row]})"
        told.append(f"'{' '.join(word.splitlines())[:40]}' {where}")
    more = sum(n for _, (n, _) in ordered[_SHOWN:])
    return ", ".join(told) + (f" and {more:,} more cells of {len(ordered) - _SHOWN:,} kinds" if more else "")


def null_options(words: Iterable[str]) -> str:
    """`--null` options for these words, as they are typed."""
    return " ".join(f"--null {w}" if re.fullmatch(r"[\w.]+", w) else f'--null "{w}"' for w in list(words)[:_SHOWN])
