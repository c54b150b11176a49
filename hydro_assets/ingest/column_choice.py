"""Which column of a table is the time, which is which quantity, and what is left for a proposal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.headers import (
    HEADER_OF,
    IDENTITY,
    SYSTEM,
    TIME,
    Name,
    found_columns,
    map_text,
    name_of,
    proposals,
    quantity,
    time_positions,
)
from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.table import TextTable
from hydro_assets.ingest.timestamps import ACCEPTED, read_stamps
from hydro_assets.ingest.units import USUAL
from hydro_assets.tables import SENSOR

_VALUE_WORDS = (("value",), ("state",), ("reading",), ("y",))


@dataclass(frozen=True)
class Columns:
    """The chosen columns.

    Attributes:
        cells: strings under Gold's names, `timestamp_key` the text of the time; one row per row of the table.
        sources: Gold column -> header or series name.
        units: Gold column -> unit in the header or in the row of units, as written.
        time: header of the time, as it is told.
        ignored: positions of columns that are not used.
        unmapped: names of series that are not used; `unmapped_rows` their rows.
    """

    cells: pl.DataFrame
    sources: dict[str, str]
    units: dict[str, str]
    time: str
    ignored: tuple[int, ...] = ()
    unmapped: tuple[str, ...] = ()
    unmapped_rows: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def others(self) -> Iterator[str]:
        """Lines of the report on columns that are no sensors."""
        other = [f"{source} -> {column}" for column, source in self.sources.items() if column not in SENSOR]
        if other:
            yield "also " + ", ".join(other)


def columns_of(table: TextTable, profile: Profile, stem: str) -> Columns:
    """Choose the columns of `table`. `stem` names the sensor of a file that holds one, `ph.csv`.

    Raises SourceFileError where no time or no sensor is named, or a name stands for two columns; the remedy is the
    line to type.
    """
    names = [name_of(header) for header in table.header]
    if profile.long is not None:
        return _of_series(table, profile, names)
    time = _time_of(table, profile, names)
    alone = [i for i, n in enumerate(names) if i not in time and n.words in _VALUE_WORDS]
    mapped = {c for c in (quantity(k) for k in profile.map) if c in SENSOR}
    if (
        len(alone) == 1
        and not found_columns([n for i, n in enumerate(names) if i not in time])[0].keys() & SENSOR.keys()
        and (not mapped or any(v.strip().casefold() == stem.casefold() for v in profile.map.values()))
    ):
        return _of_one_sensor(table, profile, stem, time, alone[0])
    chosen, notes = _wide(table, profile, names, time)
    ignored = tuple(i for i in range(len(names)) if i not in {*chosen.values(), *time})
    told = _leftovers(table, ignored, chosen)
    if not chosen.keys() & SENSOR.keys():
        raise SourceFileError(
            f"{table.name} names no sensor that is known; it has {', '.join(h for h in table.header if h)}",
            told or "Name what its columns are: --map pH=HEADER,EC=HEADER",
        )
    if ignored:
        notes.append(f"columns ignored: {', '.join(table.header[i] for i in ignored)}")
    if told:
        notes.append(f"WARNING some of them may be what the farm measures. {told}")
    units = {c: names[i].unit or (table.units[i] if i < len(table.units) else None) for c, i in chosen.items()}
    cells = table.cells.select(
        _joined(table, time).alias(TIME), *(pl.col(str(i)).alias(column) for column, i in chosen.items())
    )
    return Columns(
        cells, {c: table.header[i] for c, i in chosen.items()}, {c: u for c, u in units.items() if u},
        "+".join(table.header[i] for i in time), ignored, notes=tuple(notes),
    )  # fmt: skip


def told_unit(profile: Profile, column: str, source: str) -> str | None:
    """The unit that the profile gives to a quantity or to its header."""
    for key, unit in profile.unit.items():
        if key.strip().casefold() == source.casefold() or quantity(key) == column:
            return unit
    return None


def _wide(
    table: TextTable, profile: Profile, names: Sequence[Name], time: Sequence[int]
) -> tuple[dict[str, int], list[str]]:
    own: dict[str, int] = {}
    problems = []
    for key, header in profile.map.items():
        column = quantity(key)
        if column is None:
            problems.append(f"'{key}' is no quantity: map one of {', '.join(HEADER_OF.values())}")
        elif column != TIME:
            place = _place(table, names, header)
            if isinstance(place, str):
                problems.append(place)
            else:
                own[column] = place
    if problems:
        raise SourceFileError.of_all(problems, "Correct --map (or the profile)")
    rest = [n if i not in {*own.values(), *time} else name_of("") for i, n in enumerate(names)]
    found, several = found_columns(rest)
    several = {c: places for c, places in several.items() if c not in own}
    twice = [
        c for c, places in several.items() if len({table.header[i].casefold() for i in places}) == 1 and c in SENSOR
    ]
    if twice:
        raise SourceFileError(
            f"The header of {table.name} names {', '.join(HEADER_OF[c] for c in twice)} more than once",
            "Keep one column of each name",
        )
    notes = [
        f"{' and '.join(table.header[i] for i in places)} both may be {HEADER_OF[c]}: choose one, "
        + map_text({HEADER_OF[c]: table.header[places[0]]})
        for c, places in several.items()
        if c in SENSOR
    ]
    chosen = {**{c: i for c, i in found.items() if c not in own}, **own}
    return {c: chosen[c] for c in HEADER_OF if c in chosen and c != TIME}, notes


def _place(table: TextTable, names: Sequence[Name], header: str) -> int | str:
    """Position of the column that a user calls `header`, else a sentence."""
    places = table.named(header)
    if not places:
        wanted = name_of(header)
        places = [i for i, n in enumerate(names) if n.words and n.words == wanted.words]
    if len(places) == 1:
        return places[0]
    if places:
        return f"{table.name} has the column '{header}' more than once"
    return f"{table.name} has no column '{header}'; it has {', '.join(table.header)}"


def _time_of(table: TextTable, profile: Profile, names: Sequence[Name]) -> list[int]:
    """Positions of the one or two columns that hold the time."""
    told = profile.time or next((h for k, h in profile.map.items() if quantity(k) == TIME), None)
    if told is not None:
        places = (
            [_place(table, names, told)] if table.named(told) else [_place(table, names, p) for p in told.split("+")]
        )
        if problems := [p for p in places if isinstance(p, str)]:
            raise SourceFileError.of_all(problems, "Correct --time, for example --time Date+Time")
        return [p for p in places if isinstance(p, int)]
    candidates = [i for i in time_positions(names) if len(_filled(table, i))]
    if profile.no_header or not time_positions(names):
        stamps = [i for i in range(len(names)) if _reads_as_time(table, i)]
        # By its cells alone a column is the time where nothing else can be it; a count may be anything.
        candidates = (
            stamps if profile.no_header or (len(stamps) == 1 and not _are(table, stamps[0], r"^[\d.]+$")) else []
        )
    if not candidates and (empty := time_positions(names)):
        raise SourceFileError(
            f"The column {table.header[empty[0]]} of {table.name} is empty", "Name another column with --time"
        )
    if not candidates:
        raise SourceFileError(
            f"{table.name} lacks a column of time; it has {', '.join(h for h in table.header if h)}",
            _time_remedy(table),
        )
    clock = [i for i in candidates if _are(table, i, r"^\d{1,2}:\d{2}")]
    day = [
        i
        for i in candidates
        if not _are(table, i, r"\d:\d{2}") and _are(table, i, r"^\D{0,12}\d{1,4}[-/. ]\w{1,9}[-/., ]+\d{1,4}$")
    ]
    if clock and day and candidates[0] in (*clock, *day):
        return [day[0], clock[0]]
    return [candidates[0]]


def _are(table: TextTable, position: int, pattern: str) -> bool:
    return bool(table.column(position).drop_nulls().head(20).str.strip_chars().str.contains(pattern).all())


def _time_remedy(table: TextTable) -> str:
    for i, header in enumerate(table.header):
        if _reads_as_time(table, i):
            return f"{header} looks like it ('{_filled(table, i)[0]}'): --time {_quoted(header)}"
    return f"Name it with --time; the time of each reading cannot be guessed, write it as {ACCEPTED}"


def _filled(table: TextTable, position: int) -> pl.Series:
    """The first cells of a column that hold something."""
    cells = table.column(position).head(1000).str.strip_chars()
    return cells.filter(cells != "").head(20)


def _reads_as_time(table: TextTable, position: int) -> bool:
    shown = _filled(table, position)
    if shown.is_empty() or shown.str.contains(r"^[-+]?[\d.,]{1,8}$").any():
        return False
    stamps = read_stamps(shown)
    return stamps.problem is None and not stamps.unreadable.any()


def _quoted(header: str) -> str:
    return header if re.fullmatch(r"[\w.+-]+", header) else f'"{header}"'


def _joined(table: TextTable, positions: Sequence[int]) -> pl.Expr:
    return pl.concat_str([pl.col(str(i)).str.strip_chars() for i in positions], separator=" ")


def _leftovers(table: TextTable, ignored: Sequence[int], chosen: dict[str, int]) -> str:
    """The line to type for columns that were not understood; empty where nothing is proposed."""
    known = {name_of(table.header[i]).words for i in chosen.values()}
    named = [
        (table.header[i], _median(table.column(i))) for i in ignored if name_of(table.header[i]).words not in known
    ]
    made = proposals(named, chosen, USUAL if not chosen.keys() & SENSOR.keys() else {})
    return f"Perhaps {map_text(made)}" if made else ""


def _median(text: pl.Series) -> float | None:
    number = (
        text.str.strip_chars()
        .str.replace(",", ".", literal=True)
        .str.extract(r"^([-+]?\d+\.?\d*)")
        .cast(pl.Float64, strict=False)
    )
    steps = number.drop_nulls().diff().drop_nulls()
    if len(steps) > 2 and ((steps == 1).all() or (steps == -1).all()):
        return None  # a counter
    return number.median()  # type: ignore[return-value]


# -- one value per line ------------------------------------------------------------------------------------------------


def _of_series(table: TextTable, profile: Profile, names: Sequence[Name]) -> Columns:
    assert profile.long is not None
    series_header, value_header, time_header = (part.strip() for part in profile.long.split(","))
    parts = [series_header] if table.named(series_header) else series_header.split("+")
    places = [_place(table, names, h) for h in (*parts, value_header, time_header)]
    if problems := [p for p in places if isinstance(p, str)]:
        raise SourceFileError.of_all(problems, "Correct --long NAME,VALUE,TIME")
    *series_at, value_at, time_at = (p for p in places if isinstance(p, int))
    labels = table.cells.select(
        pl.concat_str([pl.col(str(i)).str.strip_chars() for i in series_at], separator=".").alias("series")
    )["series"]
    value = table.column(value_at)
    unit = next(
        (i for i, n in enumerate(names) if n.words in (("unit",), ("units",), ("unit", "of", "measurement"))), None
    )
    system = next((_place(table, names, h) for k, h in profile.map.items() if quantity(k) == SYSTEM), None)
    if isinstance(system, str):
        raise SourceFileError(system, "Correct --map system_id")
    if system is None:
        system = next((i for i, n in enumerate(names) if n.words in (("system", "id"), ("system",))), None)
    distinct = labels.drop_nulls().unique(maintain_order=True).to_list()
    by_series, notes = _series_columns(table, profile, distinct)
    if not by_series:
        medians = [(s, _median(value.filter(labels == s))) for s in distinct]
        told = proposals(medians, (), USUAL)
        raise SourceFileError(
            f"{table.name} names no series that is known; it has {', '.join(distinct[:20])}",
            f"Perhaps {map_text(told)}" if told else "Name what they are: --map pH=SERIES,EC=SERIES",
        )
    text = (
        value
        if unit is None
        else pl.select(
            pl.when(value.str.contains(r"^\s*[-+\d.,]+\s*$"))
            .then(pl.concat_str([value, table.column(unit)], separator=" ", ignore_nulls=True))
            .otherwise(value)
        ).to_series()
    )
    made = [pl.select(pl.when(labels == s).then(text).alias(column)).to_series() for column, s in by_series.items()]
    cells = pl.DataFrame([table.column(time_at).alias(TIME), *made])
    used = set(by_series.values())
    unmapped = [s for s in distinct if s not in used]
    rows = tuple((~labels.is_in(list(used)).fill_null(False)).arg_true().to_list())
    if system is not None:
        cells = cells.with_columns(table.column(system).alias(SYSTEM))
    # A line of another series has no cell of ours: only its time would be left.
    return Columns(
        cells, by_series | ({SYSTEM: table.header[system]} if system is not None else {}),
        {c: u for c, s in by_series.items() if (u := name_of(s).unit)},
        table.header[time_at], tuple(i for i in range(len(names)) if i not in {*series_at, value_at, time_at, system}),
        tuple(unmapped), rows, tuple(notes),
    )  # fmt: skip


def _series_columns(table: TextTable, profile: Profile, distinct: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    folded = {s.casefold(): s for s in distinct}
    own: dict[str, str] = {}
    for key, wanted in profile.map.items():
        column = quantity(key)
        if column in (SYSTEM, TIME, IDENTITY, None):
            if column is None:
                raise SourceFileError(f"'{key}' is no quantity", f"Map one of {', '.join(HEADER_OF.values())}")
            continue
        if wanted.strip().casefold() not in folded:
            raise SourceFileError(
                f"{table.name} has no series '{wanted}'; it has {', '.join(distinct[:20])}", f"Correct --map {key}"
            )
        own[column] = folded[wanted.strip().casefold()]
    names = [name_of("" if s in own.values() else s) for s in distinct]
    found, several = found_columns(names)
    notes = [
        f"{' and '.join(distinct[i] for i in places)} both may be {HEADER_OF[c]}: choose one, "
        + map_text({HEADER_OF[c]: distinct[places[0]]})
        for c, places in several.items()
        if c not in own
    ]
    return {
        **{c: distinct[i] for c, i in found.items() if c not in own and c not in (TIME, IDENTITY, SYSTEM)},
        **own,
    }, notes


def _of_one_sensor(table: TextTable, profile: Profile, stem: str, time: Sequence[int], value: int) -> Columns:
    """A file of one sensor: its name is the file's."""
    column = next((quantity(k) for k, v in profile.map.items() if v.strip().casefold() == stem.casefold()), None)
    match = name_of(stem).matches()
    column = column or (match[0] if match else None)
    if column is None:
        raise SourceFileError(
            f"{table.name} holds one sensor, and neither its headers nor its name say which",
            f"Say which: --map pH={_quoted(stem)}, or the name of another quantity",
        )
    unit = name_of(table.header[value]).unit or name_of(stem).unit
    cells = table.cells.select(_joined(table, time).alias(TIME), pl.col(str(value)).alias(column))
    ignored = tuple(i for i in range(len(table.header)) if i not in {*time, value})
    return Columns(
        cells, {column: stem}, {column: unit} if unit else {}, "+".join(table.header[i] for i in time), ignored,
        notes=(f"one sensor a file: {stem} is {HEADER_OF[column]}",),
    )  # fmt: skip
