"""One writer at a time in a home: two imports, or two first runs, would double or break each other's work."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from filelock import FileLock, Timeout

from hydro_assets.cli.app import say, settings_with
from hydro_assets.errors import BusyError
from hydro_assets.settings import Settings

LONGEST_WAIT = 60.0  # seconds


def exclusive(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that runs alone among its kind in its home."""

    @functools.wraps(command)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with alone_in(settings_with()):
            return command(*args, **kwargs)

    return alone


@contextmanager
def alone_in(settings: Settings) -> Iterator[None]:
    """Hold the lock of the home. Waits for another holder, and raises BusyError that names it after LONGEST_WAIT.

    The operating system drops the lock with the process, in whatever way that ends.
    """
    settings.root.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(settings.root / "hydro.lock"), settings.root / "hydro.lock.holder"
    try:
        lock.acquire(blocking=False)
    except Timeout:
        holder = note.read_text() if note.exists() else "another hydro"
        say(f"waiting for {holder} in {settings.root}")
        try:
            lock.acquire(timeout=LONGEST_WAIT)
        except Timeout:
            raise BusyError(
                f"{holder} is at work in {settings.root} since more than {LONGEST_WAIT:g} s",
                "Wait until it has ended, or end it; then repeat this command",
            ) from None
    try:
        note.write_text(f"`hydro {' '.join(sys.argv[1:2])}` (process {os.getpid()}, {datetime.now(UTC):%H:%M} UTC)")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()
