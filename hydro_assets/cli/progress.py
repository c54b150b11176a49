"""A bar under the lines of long work, on a terminal; elsewhere the lines alone.

Lines that count move it. `2/3 models` at the start of a line begins the second of three steps, which the upper bar
shows; a count inside a line, as in `epoch 4/50: ...`, has been done, and moves the bar below.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_STEP = re.compile(r"(\d+)/(\d+) (.+)")
_COUNT = re.compile(r"(\w+) (\d+)/(\d+)\b")
_WIDEST = 48  # characters of a description: with the bar and the time it fits 100 columns


class _Lines(Console):
    """A console that tells a bar each line that is printed above it, whoever prints it."""

    follow: Callable[[str], None] | None = None

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **options)
        if self.follow is not None:
            self.follow(" ".join(map(str, objects)))


@contextmanager
def progress_bar(what: str = "", console: Console | None = None) -> Iterator[None]:
    """Show what the work inside does, how far it is and how long it takes; nothing without a terminal."""
    out = console or _Lines(stderr=True)
    if not out.is_terminal:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    # Results on standard output are not drawn through standard error, which may be piped elsewhere.
    shown = Progress(*columns, console=out, transient=True, redirect_stdout=sys.stdout.isatty())
    with shown:
        if isinstance(out, _Lines):
            out.follow = _Bars(shown, what).follow
        yield


class _Bars:
    """The upper bar for steps, the lower for what is counted inside of one."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._steps = progress.add_task(what, total=None)
        self._inner: TaskID | None = None

    def follow(self, line: str) -> None:
        for text in line.splitlines():
            if step := _STEP.match(text):
                number, total, what = int(step[1]), int(step[2]), step[3]
                self._progress.update(self._steps, description=what[:_WIDEST], completed=number - 1, total=total)
                self._drop()
            elif count := _COUNT.search(text):
                if self._inner is None:
                    self._inner = self._progress.add_task("")
                self._progress.update(
                    self._inner, description=count[0][:_WIDEST], completed=int(count[2]), total=int(count[3])
                )

    def _drop(self) -> None:
        if self._inner is not None:
            self._progress.remove_task(self._inner)
            self._inner = None


class TimeLeft:
    """How long the rest of known pieces of work takes, by what the pieces before took.

    Args:
        sizes: of the pieces in their order, in any unit that grows with the time, such as rows.
        clock: seconds.
    """

    def __init__(self, sizes: Sequence[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes, self._clock = list(sizes), clock
        self._started, self._begun = clock(), 0

    def begin(self) -> str:
        """The next piece begins: its number, and from the second piece on the time that is left."""
        self._begun += 1
        number = f"{self._begun}/{len(self._sizes)}"
        done, total = sum(self._sizes[: self._begun - 1]), sum(self._sizes)
        if not done:
            return number
        seconds = (self._clock() - self._started) * (total - done) / done
        return f"{number} (about {_seconds_text(seconds)} left)"


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
