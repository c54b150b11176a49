"""All feature rows, as a frame that need not fit in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

from hydro_assets.errors import TableError
from hydro_assets.features.point_in_time import feature_rows_of
from hydro_assets.lakehouse import Lakehouse, TableVersion
from hydro_assets.scoring.task_grid import commits
from hydro_assets.tables import names

ROWS_AT_ONCE = 200_000
_TRIES = 3


@contextmanager
def feature_rows(
    lakehouse: Lakehouse, as_of: datetime | None = None, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[tuple[pl.DataFrame, TableVersion]]:
    """The feature table by system and time, and its version, for as long as the context lasts.

    Days are read in pieces of at most `rows_at_once` rows (or one day where a day has more) and laid down in a
    temporary Arrow file. The frame is a mapping of that file: its pages are read when a column is used, and leave
    memory when others need the room.

    Args:
        as_of: None reads the table; a moment gives the rows as they were known then (`features/point_in_time.py`).

    Raises TableError when there is no feature table, or when it keeps changing while it is read.
    """
    with tempfile.TemporaryDirectory() as folder:
        for attempt in range(_TRIES):
            before = lakehouse.version(names.SENSOR_FEATURES)
            path = Path(folder, f"features_{attempt}.arrow")
            systems = _lay_down(lakehouse, path, rows_at_once, as_of)
            if before is not None and lakehouse.version(names.SENSOR_FEATURES) == before:
                break
            path.unlink()
        else:
            raise TableError(
                f"{names.SENSOR_FEATURES} was written {_TRIES} times while it was read for training",
                "Train again when the feature runs have ended",
            )
        with pa.memory_map(str(path)) as source:
            file = pa.ipc.open_file(source)
            batches = [file.get_batch(i) for i in sorted(range(len(systems)), key=systems.__getitem__)]
            frame = pl.from_arrow(pa.Table.from_batches(batches, file.schema), rechunk=False)
            assert isinstance(frame, pl.DataFrame)
            yield frame, before


def _lay_down(lakehouse: Lakehouse, path: Path, rows_at_once: int, as_of: datetime | None) -> list[str]:
    """Write batches of one system each, day after day; returns the system of each batch."""
    by_day = lakehouse.rows_by_day(names.SENSOR_FEATURES)
    days = sorted(by_day) or [date.min]
    systems: list[str] = []
    with ExitStack() as stack:
        writer: pa.RecordBatchFileWriter | None = None
        for start, end in commits(by_day, days[0], days[-1] + timedelta(days=1), rows_at_once):
            piece = feature_rows_of(lakehouse, start, end, as_of)
            for (system,), rows in piece.partition_by("system_id", as_dict=True, maintain_order=True).items():
                table = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
                writer = writer or stack.enter_context(pa.ipc.new_file(str(path), table.schema))
                writer.write_table(table)
                systems.append(str(system))
        if writer is None:
            schema = lakehouse.read_polars(names.SENSOR_FEATURES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
            stack.enter_context(pa.ipc.new_file(str(path), schema))
    return systems
