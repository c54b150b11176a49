"""Temporary files end with their process; what a killed one left is found and removed by the next command."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "hydro_tmp_"


@contextmanager
def own_scratch() -> Iterator[Path]:
    """Everything temporary of this process and its children goes into one folder, which ends with the context.

    The folder is locked as long as its process lives, in whatever container that is.
    """
    parent, before = Path(tempfile.gettempdir()), os.environ.get("TMPDIR")
    remove_abandoned(parent)
    folder, lock = _locked_folder()
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = str(parent)
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else another command took it for abandoned before it was locked
            return folder, lock
        os.close(lock)


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove the folders of processes that are gone; those of other users are theirs."""
    removed = []
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # another command was quicker
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
    return removed
