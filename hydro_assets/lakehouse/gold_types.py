"""Gold as other writers leave it: what cannot be read as it is, and the statement that mends it."""

from __future__ import annotations

from collections.abc import Mapping

from hydro_assets.errors import TableError
from hydro_assets.tables import ACTUATOR_COLUMNS, GOLD_IOT_DATA, OPTIMAL_FLAGS

_TIMES = {"timestamp_key": ("timestamp", "timestamp_ntz"), "date": ("date",)}
_SWITCHES = (*ACTUATOR_COLUMNS, *OPTIMAL_FLAGS)
_NAMES = {column.name for column in GOLD_IOT_DATA.columns}


def require_readable(columns: Mapping[str, str], table: str) -> None:
    """Raise TableError that names every column of Gold whose name or type cannot be read.

    Args:
        columns: Spark SQL type by column.
        table: full name of the table.
    """
    renamed = {name: name.lower() for name in columns if name not in _NAMES and name.lower() in _NAMES}
    recast: dict[str, str] = {}
    for name, kind in columns.items():
        column = name.lower()
        if column in _TIMES and kind not in _TIMES[column]:
            recast[name] = f"CAST({name} AS {_TIMES[column][0].upper()}) AS {column}"
        elif column in _SWITCHES and kind == "string":
            recast[name] = f"upper({name}) IN ('ON', 'TRUE', '1', 'YES') AS {column}"
    if not renamed and not recast:
        return
    problems = [f"column {name} is {columns[name]}" for name in recast]
    if capitals := [name for name in renamed if name not in recast]:
        problems.append(f"not written in small letters: {', '.join(capitals)}")
    changed = [*renamed, *(name for name in recast if name not in renamed)]
    made = [recast.get(name, f"{name} AS {name.lower()}") for name in changed]
    raise TableError(
        f"{table} cannot be read: {'; '.join(problems)}",
        f"Write it anew, or make a table of that kind beside it: CREATE OR REPLACE TABLE {table} AS "
        f"SELECT * EXCEPT ({', '.join(changed)}), {', '.join(made)} FROM {table}",
    )
