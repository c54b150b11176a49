"""Folders of tables whose names are no plain text: each library gets them in the form that it reads.

Measured with delta-rs 1.6, polars 2.1 and Sail 0.7: delta-rs opens a folder by its name, with blanks, umlauts, `#`,
quotes and braces. Sail looks for another folder, however such a name is written, and polars' reader of Delta takes the
percent-encoded address of delta-rs for a file name.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from hydro_assets.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

_PLAIN = re.compile(r"[A-Za-z0-9._/+=@,~-]*")
_open: dict[str, int] = {}  # folder -> descriptor


def is_plain(uri: str) -> bool:
    """Whether every library reads the folder by its name; addresses of object stores are left as they are."""
    return "://" in uri or _PLAIN.fullmatch(uri) is not None


def for_engine(folder: str) -> str:
    """The existing `folder` under a plain name, for an engine in this process: `/proc/self/fd/7`.

    Raises SettingsError where the operating system has no such names.
    """
    if is_plain(folder):
        return folder
    held = _open.get(folder)
    if held is None or not _is_same(held, folder):
        if held is not None:
            os.close(held)
        held = _open[folder] = os.open(folder, os.O_RDONLY)
    name = f"/proc/self/fd/{held}"
    if not os.path.isdir(name):
        raise SettingsError(
            f"{folder} has characters that Sail cannot read in the name of a folder",
            "Set HYDRO_HOME (HYDRO_LAKEHOUSE_URI) to a folder of plain letters, digits, dots and dashes",
        )
    return name


def _is_same(descriptor: int, folder: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except OSError:
        return False


def scan(table: Any, uri: str) -> pl.LazyFrame:
    """Rows of an opened Delta table at `uri`, lazily. Raises DeltaProtocolError for what polars cannot read."""
    import polars as pl

    if not is_plain(uri):
        there, here = table.table_uri.removeprefix("file://").rstrip("/"), for_engine(uri)
        files, deleted = table.file_uris, table.deletion_vectors
        # What polars asks for the files of the table, and for the rows of them that are deleted.
        table.file_uris = lambda: [path.replace(there, here, 1) for path in files()]
        table.deletion_vectors = lambda: pl.DataFrame(deleted()).with_columns(
            pl.col("filepath").str.replace(there, here, literal=True)
        )
    return pl.scan_delta(table)


def file_system(uri: str) -> tuple[Any, str]:
    """The file system of a folder or an object store, and the path in it."""
    from pyarrow.fs import FileSystem, LocalFileSystem

    return FileSystem.from_uri(uri) if "://" in uri else (LocalFileSystem(), uri)
