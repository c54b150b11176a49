"""What a power cut tears is told in one sentence; nothing is read as an older version in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse, durability
from hydro_assets.lakehouse.delta_log import StorageLog
from hydro_assets.tables import Column, Table, names

COLUMNS = (Column("import_id", "int", "", "number"),)
TABLES = {name: Table(name, COLUMNS, "Two commits.") for name in (names.IMPORTS, names.FEATURE_DRIFT)}


def commit_of(folder: Path, newest: int = -1) -> Path:
    return sorted((folder / "_delta_log").glob("*.json"))[newest]


def newest_file(folder: Path) -> Path:
    return max(folder.glob("*.parquet"), key=lambda p: p.stat().st_mtime_ns)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


TORN: dict[str, Callable[[Path], object]] = {
    "commit of no byte": lambda t: commit_of(t).write_bytes(b""),
    "commit cut short": lambda t: cut(commit_of(t)),
    "commit of zeros": lambda t: zeros(commit_of(t)),
    "file of no byte": lambda t: newest_file(t).write_bytes(b""),
    "file cut short": lambda t: cut(newest_file(t)),
    "file of zeros": lambda t: zeros(newest_file(t)),
    "file gone": lambda t: newest_file(t).unlink(),
}


@pytest.fixture
def two_rows(lakehouse: Lakehouse) -> Lakehouse:
    for table in TABLES.values():
        for number in (1, 2):
            lakehouse.append(table, pl.DataFrame({"import_id": [number]}))
    return Lakehouse(lakehouse.settings)


@pytest.mark.parametrize("torn", TORN)
@pytest.mark.parametrize("name", TABLES)
def test_torn_table__is_never_read_and_repair_is_told(two_rows: Lakehouse, name: str, torn: str) -> None:
    TORN[torn](Path(two_rows.uri(name)))
    log = StorageLog(str(two_rows.settings.table_root), two_rows.settings.table)
    for read in (lambda: two_rows.read_polars(name), lambda: two_rows.version(name), lambda: log.read(name, None)):
        with pytest.raises(TableError, match=rf"{name}.* is damaged.*hydro repair {name}"):
            read()
    told = two_rows.repair(name)
    if name == names.FEATURE_DRIFT:
        assert "removed. Next: hydro run" in told
        assert not two_rows.exists(name)
    else:
        assert "goes on without what was torn" in told
        assert two_rows.read_polars(name)["import_id"].to_list() == [1]
        two_rows.append(TABLES[name], pl.DataFrame({"import_id": [3]}))
        assert sorted(two_rows.read_polars(name)["import_id"]) == [1, 3]
    assert durability.damage(two_rows.uri(name)) == durability.Damage()


def test_whole_table__is_left_as_it_is(two_rows: Lakehouse) -> None:
    assert two_rows.repair(names.IMPORTS) == f"{names.IMPORTS} is whole: nothing was changed"
    with pytest.raises(TableError, match="There is no table gold.dim_time"):
        two_rows.repair(names.DIM_TIME)


def test_commit_of_what_cannot_be_made_again__is_flushed_with_its_files_and_folders(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durability, "_fsync", flushed.append)
    for name, table in TABLES.items():
        flushed.clear()
        lakehouse.append(table, pl.DataFrame({"import_id": [1]}))
        folder = Path(lakehouse.uri(name))
        wanted = {commit_of(folder), newest_file(folder), folder, folder / "_delta_log"}
        assert wanted <= {*flushed} if name == names.IMPORTS else flushed == []
