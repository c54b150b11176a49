"""Tables in local folders and the power cut: what was committed stays, and what was torn is told, not skipped.

A file that was written and renamed may be empty, cut or full of zeros after a power cut until it was flushed. delta-rs
flushes nothing, and reads an empty newest commit as if it had never been: the newest rows would be lost in silence.
Object stores take a file whole or not at all; nothing is done there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hydro_assets.errors import TableError
from hydro_assets.tables import names

IRREPLACEABLE = (names.IOT_DATA, names.DIM_TIME, names.DIM_EQUIPMENT, names.IMPORTS, names.PROMOTION_LOG)
"""Tables that nothing here can make again. Their commits are flushed."""

_MAGIC = b"PAR1"  # how a Parquet file ends
_whole: dict[str, tuple[int, int]] = {}  # newest commit -> its time and size when the table was found whole
_ends: set[tuple[str, int]] = set()  # files of tables that were found whole, with their size


@dataclass(frozen=True)
class Damage:
    """What of a table is torn: its newest commit, or data files with the rows that they held (None: not told)."""

    commit: Path | None = None
    files: tuple[tuple[Path, int | None], ...] = ()

    def __bool__(self) -> bool:
        return self.commit is not None or bool(self.files)

    def __str__(self) -> str:
        if self.commit is not None:
            return f"its newest commit {self.commit.name} is torn"
        rows = [n for _, n in self.files if n is not None]
        return f"{len(self.files)} data files with {sum(rows):,} rows are torn or gone, such as {self.files[0][0].name}"


def damage(uri: str) -> Damage:
    """What of the table in the folder `uri` is torn. A newest commit that was found whole is not looked at again."""
    newest = _newest_commit(uri)
    if newest is None:
        return Damage()
    stat = newest.stat()
    if _whole.get(str(newest)) == (stat.st_mtime_ns, stat.st_size):
        return Damage()
    if _actions(newest) is None:
        return Damage(newest)
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        added = DeltaTable(uri).get_add_actions(flatten=True)
    except DeltaError:  # a table that only Spark or its catalog opens: whoever reads it says so
        return Damage()
    known = {field.name for field in added.schema}
    rows = added["num_records"].to_pylist() if "num_records" in known else [None] * len(added)
    sized = zip(added["path"].to_pylist(), added["size_bytes"].to_pylist(), rows, strict=True)
    here = ((Path(uri, unquote(path)), size, n) for path, size, n in sized if "://" not in path)
    torn = tuple((path, n) for path, size, n in here if not _is_whole(path, size))
    if not torn:
        _whole[str(newest)] = (stat.st_mtime_ns, stat.st_size)
    return Damage(files=torn)


def require_whole(uri: str, name: str) -> None:
    """Raise TableError when the newest commit of the table, or one of its files, is torn."""
    if found := damage(uri):
        end = "makes room for it, and `hydro run` makes it again"
        if name in IRREPLACEABLE:
            end = "says what is lost and goes on without; better, put the folder back from a copy"
        raise TableError(
            f"Table {name} at {uri} is damaged, as after a power cut or by a full disk: {found}",
            f"`hydro repair {name}` {end}",
        )


def set_aside(uri: str, found: Damage) -> None:
    """Take what is torn out of the table: a torn commit is renamed, torn files are renamed and leave the log."""
    from deltalake import DeltaTable

    for path in [path for path in (found.commit, *(path for path, _ in found.files)) if path and path.exists()]:
        path.rename(path.with_name(f"{path.name}.torn"))
    if found.files:
        DeltaTable(uri).repair()
        flush(uri)


def flush(uri: str) -> None:
    """Have the newest commit of a local table, and the files that it added, survive a power cut."""
    newest = _newest_commit(uri)
    if newest is None:
        return
    added = [Path(uri, unquote(a["add"]["path"])) for a in _actions(newest) or [] if "add" in a]
    folders = {path.parent for path in (newest, *added)} | {Path(uri), Path(uri).parent}
    for path in (*added, *sorted(folders, reverse=True), newest, newest.parent):
        _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newest_commit(uri: str) -> Path | None:
    if "://" in uri:
        return None
    log = Path(uri, "_delta_log")
    found = [n for n in os.listdir(log) if len(n) == 25 and n.endswith(".json")] if log.is_dir() else []
    return log / max(found) if found else None


def _actions(commit: Path) -> list[dict[str, Any]] | None:
    """The actions of a commit; None where it is torn: empty, cut within a line or overwritten by zeros."""
    try:
        found = [json.loads(line) for line in commit.read_text("utf-8").splitlines() if line.strip()]
    except ValueError:
        return None
    return found if found and all(isinstance(a, dict) for a in found) else None


def _is_whole(path: Path, size: int) -> bool:
    if (str(path), size) in _ends:
        return True
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        file.seek(-len(_MAGIC), os.SEEK_END)
        is_whole = file.read() == _MAGIC
    if is_whole:
        _ends.add((str(path), size))
    return is_whole
