"""Errors of libraries and of the system as one sentence with a remedy, at the exit of the command line."""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from hydro_assets.errors import HydroError, without_login

_OF_SYSTEM = {
    errno.ENOSPC: ("The disk is full", "Free some room and repeat the command; what was written before is whole"),
    errno.EDQUOT: ("The quota of the disk is used up", "Free some room and repeat the command"),
    errno.EFBIG: ("A file may not grow as large as it must", "Raise the limit (ulimit -f), or free some room"),
    errno.EROFS: ("The file system is read-only", "Set HYDRO_HOME to a folder that can be written"),
    errno.EACCES: ("There is no permission", "Give this user the right to read and write it, or set HYDRO_HOME"),
    errno.EPERM: ("It is not permitted", "Give this user the right to read and write it, or set HYDRO_HOME"),
    errno.ENOENT: ("There is no such file or folder", "Check the path"),
    errno.ENOTDIR: ("A part of the path is a file, not a folder", "Check the path, and HYDRO_HOME"),
    errno.EISDIR: ("It is a folder, not a file", "Name a file"),
    errno.EEXIST: ("It is a file where a folder is needed", "Remove it, or set HYDRO_HOME to another folder"),
    errno.ENAMETOOLONG: ("The name is too long for this file system", "Choose a shorter path"),
    errno.EMFILE: ("Too many files are open", "Raise the limit (ulimit -n) and repeat the command"),
    errno.ECONNREFUSED: ("Nothing answers there", "Start the server, or correct its address"),
}


def foreign_error(error: BaseException) -> HydroError | None:
    """The sentence for an error of a library that is known to come from data, tables, servers or the system."""
    for known in _chain(error):
        if isinstance(known, HydroError):
            return known
        if isinstance(known, OSError) and known.errno in _OF_SYSTEM:
            problem, remedy = _OF_SYSTEM[known.errno]
            where = f": {known.filename}" if known.filename else ""
            return HydroError(f"{problem}{where}", remedy)
        if isinstance(known, OSError):  # of a library: without a number
            return HydroError(f"The system refused: {_one_line(known)}", "Check the path, and HYDRO_HOME")
    for module, problem, remedy in _OF_LIBRARIES:
        if any((type(known).__module__ or "").split(".")[0] == module for known in _chain(error)):
            return HydroError(f"{problem}: {_one_line(error)}", remedy)
    found = _OF_VALUES.get(type(error))
    return None if found is None else found(error)


_OF_LIBRARIES = (
    (
        "deltalake",
        "A Delta table cannot be read or written",
        "Look at it with `hydro verify`; all but Gold is made again by `hydro run --rebuild`",
    ),
    ("_internal", "A Delta table cannot be read or written", "All but Gold is made again by `hydro run --rebuild`"),
    ("pyspark", "Spark refused", "Check SPARK_REMOTE and the grants of who asks; `hydro verify` says what is there"),
    ("grpc", "Spark does not answer", "Check that the Spark Connect endpoint is up (SPARK_REMOTE)"),
    ("polars", "A table or file cannot be read as it is", "Look at it with `hydro verify`"),
    ("pyo3_runtime", "A file is not what it should be", "See what is there with `hydro verify`; `hydro repair TABLE`"),
    ("pyarrow", "A file cannot be read", "Look at the tables with `hydro verify`"),
    ("mlflow", "MLflow did not answer as it should", "Check HYDRO_MLFLOW_TRACKING_URI and the server"),
    ("sqlalchemy", "A database cannot be used", "Check HYDRO_MLFLOW_TRACKING_URI, or that no other hydro holds it"),
    ("sqlite3", "A database file cannot be used", "Another hydro may hold it, or its disk is full"),
    ("dagster", "Dagster refused", "Open the UI for the whole story: hydro dev"),
    ("requests", "A server did not answer", "Check its address and that it is up"),
)

_OF_VALUES: dict[type, Callable[[BaseException], HydroError]] = {
    MemoryError: lambda _: HydroError("The memory is used up", "Lower HYDRO_DAYS_PER_TASK, or name fewer days"),
    RecursionError: lambda _: HydroError("A value is nested too deeply", "Check hydro.toml"),
    UnicodeDecodeError: lambda e: HydroError(f"A file is not text in UTF-8 ({_one_line(e)})", "Save it as UTF-8"),
    OverflowError: lambda e: HydroError(f"A number or date is too large ({_one_line(e)})", "Give a smaller one"),
}


def fault(error: BaseException) -> str:
    """The sentence for an unexpected error; the traceback is kept in a file, without passwords."""
    story = without_login("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile("w", prefix="hydro_fault_", suffix=".txt", delete=False) as file:
        file.write(f"{sys.argv[1:2]}\n{story}")
    return (
        f"a fault of hydro_assets itself: {type(error).__name__}: {without_login(_one_line(error))}. "
        f"Please report it with {Path(file.name)}."
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from, outermost first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
