"""`hydro import` as a newcomer types it: bad input gets one sentence, a remedy, exit code 1 and no table."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

HEADER = (
    "id,timestamp,pH,TDS,water_level,DHT_temp,DHT_humidity,water_temp,"
    "pH_reducer,add_water,nutrients_adder,humidifier,ex_fan"
)


def export(rows: int, replaced: dict[int, str] | None = None, header: str = HEADER, seconds: int = 60) -> str:
    """A tidy raw export; `replaced` puts another text at a row."""
    start = datetime(2026, 3, 1)
    lines = [
        f"{i + 1},{start + timedelta(seconds=seconds * i)},6.0{i % 10},900.5,2.00,23.5,61.2,20.1,OFF,OFF,ON,OFF,OFF"
        for i in range(rows)
    ]
    for i, text in (replaced or {}).items():
        lines[i] = text
    return "\n".join([header, *lines]) + "\n"


def hydro(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"HYDRO_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-c", "from hydro_assets.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


WITHOUT_TIME = "\n".join(",".join(line.split(",")[2:]) for line in export(1200).splitlines()) + "\n"
GOOD_LINE = "5,2026-03-01 00:04:00,6.04,900.5,2.00,23.5,61.2,20.1,OFF,OFF,ON,OFF,OFF"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, ["farm.csv", "there is no file"], id="missing file"),
        pytest.param("", ["empty"], id="empty file"),
        pytest.param(export(0), ["no reading"], id="header only"),
        pytest.param(WITHOUT_TIME, ["time"], id="missing column"),
        pytest.param(
            export(1200, {4: GOOD_LINE.replace("6.04", "sour")}),
            ["line 6", "sour", "--null sour"],
            id="text in a number",
        ),
        pytest.param(export(1200).replace("2026-03-01", "yesterday"), ["line 2", "yesterday"], id="date"),
        pytest.param(export(999), ["999", "1000"], id="fewer than 1000 records"),
    ],
)
def test_import__answers_bad_input_with_a_sentence_and_writes_nothing(
    tmp_path: Path, content: str | None, words: list[str]
) -> None:
    path = tmp_path / "farm.csv"
    if content is not None:
        path.write_text(content)
    done = hydro(tmp_path / "home", "import", "--csv", str(path))
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word.lower() in done.stderr.lower() for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home" / "lakehouse").exists()


def test_dry_run__shows_how_a_file_is_read_although_it_is_too_short_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "farm.csv"
    path.write_text(export(20))
    shown = hydro(tmp_path / "home", "import", str(path), "--dry-run")
    assert shown.returncode == 1
    assert "pH -> ph_level: 20 values" in shown.stderr
    assert "fewer than the 1000" in shown.stderr.splitlines()[-1]
    assert not (tmp_path / "home" / "lakehouse").exists()


def test_import__of_several_files_and_systems_and_again(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(export(1200))
    second.write_text(export(1000, seconds=300))
    home = tmp_path / "home"
    assert "1,200 readings of north added" in hydro(home, "import", "--csv", str(first), "--system", "north").stderr
    added = hydro(home, "import", "--csv", str(second), "--system", "south").stderr
    assert "1,000 readings of south added" in added
    assert "HYDRO_FEATURE_STEP=5min" in added
    again = hydro(home, "import", "--csv", str(first), "--system", "north")
    assert again.returncode == 0
    assert "all 1,200 readings are in Gold already, nothing changed" in again.stderr


def test_import__of_a_few_late_rows_into_a_long_history(tmp_path: Path) -> None:
    first, late = tmp_path / "farm.csv", tmp_path / "late.csv"
    first.write_text(export(1200))
    late.write_text(export(3).replace(":00,", ":30,"))
    assert hydro(tmp_path / "home", "import", "--csv", str(first)).returncode == 0
    done = hydro(tmp_path / "home", "import", "--csv", str(late))
    assert (done.returncode, "3 readings of system_1 added" in done.stderr) == (0, True), done.stderr


def test_run__without_gold_names_the_remedy(tmp_path: Path) -> None:
    done = hydro(tmp_path / "home", "status")
    assert done.returncode == 0
    done = hydro(tmp_path / "home", "verify")
    assert done.returncode == 1
    assert "hydro import --csv FILE" in done.stdout


def test_settings__that_make_no_sense_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "farm.csv"
    path.write_text(export(1200))
    home = tmp_path / "home"
    home.mkdir()
    (home / "hydro.toml").write_text('feature_step = "7min"\n')
    done = hydro(home, "import", "--csv", str(path))
    assert done.returncode == 1
    assert "divide a day" in done.stderr
