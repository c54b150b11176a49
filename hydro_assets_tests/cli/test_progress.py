"""A bar on a terminal only, moved by the lines that count; and the time that is left."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from rich.progress import Progress

from hydro_assets.cli.backtest_command import _numbered
from hydro_assets.cli.progress import TimeLeft, _Bars, _Lines, progress_bar
from hydro_assets.training.backtest import Farm


def shown(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, *lines: str) -> str:
    """What appears on standard error while the lines are said, with the codes of a terminal taken as text."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    out = _Lines(file=written, force_terminal=is_terminal, width=100, color_system=None)
    with progress_bar("reading", out):
        for line in lines:
            print(line, file=sys.stderr)
    return written.getvalue()


def test_bar__is_nothing_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, False, "1/3 features", "epoch 2/4: loss 0.1") == "1/3 features\nepoch 2/4: loss 0.1\n"


def test_bar__of_a_terminal_leaves_the_lines_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, True, "1/3 features")
    assert "reading" in text
    assert "1/3 features\n" in text
    assert text.endswith("\x1b[2K")  # the line of the bar is erased


def test_bars__name_the_step_that_begins_and_what_was_counted_in_it() -> None:
    progress = Progress(console=Console(file=io.StringIO()))
    bars = _Bars(progress, "reading")

    def after(line: str) -> list[tuple[str, float, float | None]]:
        bars.follow(line)
        return [(task.description, task.completed, task.total) for task in progress.tasks]

    assert after("Gold: 34,370 readings") == [("reading", 0, None)]
    assert after("2/3 models: lstm") == [("models: lstm", 1, 3)]
    assert after("12:00:00 lstm: epoch 2/4: loss 0.1") == [("models: lstm", 1, 3), ("epoch 2/4", 2, 4)]
    assert after("12:00:01 lstm: epoch 3/4: loss 0.1") == [("models: lstm", 1, 3), ("epoch 3/4", 3, 4)]
    assert after("3/3 predictions") == [("predictions", 2, 3)]


def test_time_left__is_that_of_the_rows_that_remain() -> None:
    times = iter([0.0, 60.0, 180.0, 900.0])
    left = TimeLeft([100, 200, 500], lambda: next(times))
    assert [left.begin() for _ in range(3)] == ["1/3", "2/3 (about 7 min left)", "3/3 (about 5 min left)"]


def test_backtest__numbers_the_folds_of_all_farms(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pl.DataFrame({"timestamp": [datetime(2026, 3, 1, tzinfo=UTC)] * 4})
    report = _numbered([Farm("a", rows, settings), Farm("b: fold", rows, settings)], folds=1)
    for line in ("a: fold 1 of 1", "epoch 1/2: fold is no word of it", "b: fold: fold 1 of 1"):
        report(line)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "1/2 a: fold 1 of 1"
    assert said[1] == "epoch 1/2: fold is no word of it"
    assert said[2].startswith("2/2 (about ")
