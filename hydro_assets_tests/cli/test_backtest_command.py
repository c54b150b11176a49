"""`hydro backtest` as an engineer types it: a table, JSON, and one sentence for what cannot be done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hydro_assets.cli.app import WIDTH
from hydro_assets_tests.cli.test_import_commands import export, hydro


def test_backtest__prints_the_table_and_the_dates(tmp_path: Path) -> None:
    csv = tmp_path / "farm.csv"
    csv.write_text(export(1400))
    words = ("backtest", "--csv", str(csv), "--targets", "ph_level", "--lead-times", "5min", "--models", "lightgbm")
    done = hydro(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "geometric_mean_ratio " in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > WIDTH] == []
    assert "holdout 2026-03-01" in done.stdout
    told = json.loads(hydro(tmp_path, *words, "--format", "json").stdout)
    assert {r["horizon"] for r in told["cells"]} == {1, 5}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lead-times", "1,zero"), "is not a duration"),
        (("--farms", "moon"), "moon is not known. Choose among quiet"),
        (("--models", "xgboost"), "xgboost is not known. Choose among lstm, gru, lightgbm"),
        (("--targets", "ec_level"), "no column ec_level. Choose targets that this farm measures"),
        (("--step", "7min"), "divide a day"),
        (("--step", "30min"), "47 rows are too few for train, validation and holdout"),
    ],
    ids=["lead_time", "farm", "model", "target", "step", "too_coarse"],
)
def test_backtest__answers_what_cannot_be_done_with_one_sentence(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    csv = tmp_path / "farm.csv"
    csv.write_text(export(1400))
    done = hydro(tmp_path, "backtest", "--csv", str(csv), *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
