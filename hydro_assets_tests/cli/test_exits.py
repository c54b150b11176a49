"""Whatever is typed, set or lies in the way: one sentence with a remedy and an exit code, never a traceback."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hydro_assets.cli import main


@dataclass(frozen=True)
class Exit:
    code: int
    said: str


@pytest.fixture
def hydro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator:
    """Call `hydro` in this process; the home is a fresh folder unless the environment says otherwise."""
    monkeypatch.setenv("HYDRO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **environment: str) -> Exit:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["hydro", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Exit(int(ended.value.code or 0), printed.err + printed.out)

    return call


def assert_told(found: Exit, *codes: int) -> None:
    assert found.code in codes, found
    assert "Traceback" not in found.said
    assert "a fault of hydro_assets" not in found.said
    assert len(found.said.strip()) > 20
    assert len(found.said) < 4000


NUMBERS = ("abc", "-1", "1e400", "nan", "[]", "{}", "99999999999999999999999")
DURATIONS = ("abc", "0s", "-5min", "7min ago", "13h", "7s", "1e400h", "999999999999999d", "5 fortnights", "P1X")
BAD_SETTINGS: dict[str, tuple[str, ...]] = {
    "FEATURE_STEP": DURATIONS,
    "MAX_GAP": ("abc", "5 fortnights", "999999999999999d", "1e400h", "P1X"),
    "LEAD_TIMES": ("abc", "0s", "25h", "-5min", "1h,xyz", "999999999999999d"),
    "FORECAST_HORIZON": (*NUMBERS, "0", "1441"),
    "SEQUENCE_LENGTH": (*NUMBERS, "1", "4097"),
    "MINIMUM_RECORDS": ("abc", "-1", "0", "nan", "[]"),
    "DAYS_PER_TASK": (*NUMBERS, "0", "367"),
    "MIN_WINDOW_COVERAGE": ("abc", "0", "1.1", "nan", "inf", "-0.5"),
    "TRAIN_SHARE": ("abc", "0", "1", "0.95", "nan"),
    "VALIDATION_SHARE": ("abc", "0", "1", "0.5", "-0.1"),
    "SEED": ("abc", "1.5", "nan", "[]"),
    "TIMEZONE": ("Mars/Olympus", "", "utc+1", "../etc/passwd", "Europe", "/etc/localtime", "+01:00"),
    "TARGET_COL": ("", "pH", "is_env_optimal", "ph_level,tds_level"),
    "TARGETS": ("pH", ",", "ph_level,xyz", "tds_level"),
    "LABELS": ("xyz", "is_env_optimal,xyz"),
    "CATALOG": ("", "a b", "a.b", "a/b", "ä", "'; drop table x"),
    "BUCKET": ("",),
    "ENVIRONMENT": ("", "laptop", "LOCAL", "databricks,local"),
    "PARTITIONS_START": ("yesterday", "2026-13-01", "2026-02-30", "0000-01-01", "01.02.2026"),
    "WEBHOOK_URL": ("ftp://host/x", "host", "https://", "https://user:pw@host/x", "file:///etc/passwd"),
    "RECURRENT": ("abc", "[1]", "{", '{"epochs": "x"}', '{"epocs": 3}'),
    "RECURRENT__EPOCHS": NUMBERS[:4],
    "RECURRENT__DROPOUT": ("1", "-0.1", "abc"),
    "RECURRENT__LEARNING_RATE": ("0", "2", "abc"),
    "RECURRENT__EPOCS": ("3",),
    "LIGHTGBM__TASK_TYPE": ("", "ranking"),
    "LIGHTGBM__NUM_LEAVES": ("1", "abc"),
    "LIGHTGBM__FEATURE_FRACTION": ("0", "1.1"),
    "MONITORING__VIOLATIONS": ("0", "8", "abc"),
    "CROP__PH_LEVEL": ("5.5", "[5, 6]", '{"low": 5}'),
    "CROP__PH_LEVEL__LOW": ("7", "abc", "nan"),
    "CROP__TDS_SCALE": ("501", "abc"),
    "STEP_LAUNCHER": ("abc", "[1]"),
    "MODELS__LSTM__X": ("1",),
    "TIMEZONES": ("UTC",),
    "TARGET": ("ph_level",),
    "STEP": ("5min",),
    "LOG_LEVEL": ("DEBUG",),
}


@pytest.mark.parametrize(
    ("name", "value"), [(f"HYDRO_{name}", value) for name, values in BAD_SETTINGS.items() for value in values]
)
def test_bad_setting__is_named_with_its_remedy(hydro, name: str, value: str) -> None:
    found = hydro("verify", **{name: value})
    assert_told(found, 1)
    first = name.removeprefix("HYDRO_").split("__")[0]
    assert first.lower() in found.said.lower() or "shares" in found.said or "room for a holdout" in found.said
    assert "HYDRO_" in found.said or "unset it" in found.said


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HYDRO_TIMEZONES", "HYDRO_TIMEZONE"),
        ("HYDRO_RECURENT__EPOCHS", "HYDRO_RECURRENT"),
        ("HYDRO_RECURRENT__EPOCS", "epochs"),
        ("HYDRO_FEATURESTEP", "HYDRO_FEATURE_STEP"),
        ("HYDRO_CROP__PH_LEVL__LOW", "ph_level"),
    ],
)
def test_mistyped_name_of_a_setting__is_told_with_the_right_one(hydro, name: str, meant: str) -> None:
    found = hydro("status", **{name: "1"})
    assert_told(found, 1)
    assert "did you mean " in found.said
    assert meant in found.said


BAD_CALLS = [
    "xyz",
    "--xyz",
    "run --step",
    "run --step abc",
    "run --step 7min",
    "run --step 0s",
    "run --target pH",
    "run --target is_env_optimal",
    "run --horizon 0",
    "run --horizon -1",
    "run --horizon 1.5",
    "run --horizon 99999",
    "run now",
    "run",
    "run --all",
    "run --rebuild",
    "import",
    "import --csv",
    "import --csv missing.csv",
    "import --csv .",
    "import --csv /dev/null",
    "feature-store",
    "feature-store a b",
    "feature-store hydroponics hydroponics-data other_table",
    "feature-store --start 2026-01-01",
    "feature-store --start yesterday",
    "feature-store --start 2026-02-30",
    "feature-store --start 2026-01-02 --end 2026-01-01",
    "feature-store --end 9999-12-31",
    "feature-store --start 0001-01-01",
    "feature-store --start 9999-12-31 --end 9999-12-31",
    "train",
    "train xyz",
    "train lstm",
    "train gru a",
    "train lightgbm --set x",
    "train lstm --set recurrent",
    "train lstm --set recurrent.epochs",
    "train lstm --set recurrent.epochs=many",
    "train lstm --set recurrent.epochs.x=1",
    "train lstm --set epochs=3",
    "train lstm --set =3",
    "batch-inference",
    "batch-inference a b c",
    "batch-inference --start 2026-01-01",
    "batch-inference --end 9999-12-31",
    "batch-inference --start 2026-01-02 --end 2026-01-01",
    "promote",
    "promote xyz",
    "promote lstm",
    "promote lstm --version 99",
    "promote lstm --version abc",
    "rollback",
    "rollback xyz",
    "rollback lstm",
    "rollback lstm --version 99",
    "rollback gru --version -1",
    "verify --target moon",
    "status now",
    "demo --systems 0",
    "demo --days 1",
    "demo --epochs 0",
    "demo --windows x",
    "dev --port abc",
    "clean --versions 0",
    "clean --hours -1",
    "clean --days x",
    "repair",
    "repair no_table",
    "repair ../../etc",
    "repair gold.iot_data",
    "backtest --csv missing.csv",
    "backtest --csv missing.csv --horizons x",
    "backtest --csv missing.csv --horizons 0",
    "backtest --csv missing.csv --models forest",
    "backtest --csv missing.csv --targets ,",
    "backtest --csv missing.csv --folds 0",
    "backtest --csv missing.csv --format xml",
    "backtest --csv missing.csv --step 7min",
]


@pytest.mark.parametrize("line", BAD_CALLS)
def test_bad_call_on_an_empty_home__is_one_sentence(hydro, line: str) -> None:
    assert_told(hydro(*line.split()), 1, 2)


BAD_HOMES = {
    "a file": lambda p: (p / "file").write_text("x") and str(p / "file"),
    "below a file": lambda p: (p / "file").write_text("x") and str(p / "file" / "home"),
    "a name too long": lambda p: str(p / ("x" * 300)),
    "unknown user": lambda _: "~nobody_of_this_name/home",
    "a device": lambda _: "/dev/null",
    "a percent sign": lambda p: str(p / "50%20off"),
    "a bracket": lambda p: str(p / "farm[1]"),
    "a question mark": lambda p: str(p / "what?x"),
    "proc": lambda _: "/proc/hydro",
}


@pytest.mark.parametrize("command", ["run", "promote lstm", "import --csv readings.csv"])
@pytest.mark.parametrize("home", BAD_HOMES)
def test_home_that_cannot_be_used__is_one_sentence(hydro, tmp_path: Path, home: str, command: str) -> None:
    rows = "\n".join(f"2026-01-0{d} 00:{m:02}:00,6.0,900,24,60" for d in (1, 2) for m in range(60))
    (tmp_path / "readings.csv").write_text(f"timestamp,pH,TDS,DHT_temp,DHT_humidity\n{rows}\n")
    found = hydro(*command.split(), HYDRO_HOME=BAD_HOMES[home](tmp_path), HYDRO_MINIMUM_RECORDS="5")
    assert_told(found, 1)
    assert {p.name for p in tmp_path.iterdir()} <= {"readings.csv", "file"}


BAD_TOML = {
    "no TOML": b"feature_step = ",
    "not UTF-8": b"catalog = '\xff\xfe'",
    "NUL": b"\0\0\0",
    "unknown name": b"feature_stepp = '5min'\n",
    "wrong type": b"recurrent = 3\n",
    "a list": b"catalog = ['a']\n",
    "deep": b"[recurrent.epochs.x]\ny = 1\n",
    "twice": b"seed = 1\nseed = 2\n",
    "date": b"feature_step = 2026-01-01\n",
}


@pytest.mark.parametrize("content", BAD_TOML)
def test_hydro_toml_that_cannot_be_read__is_one_sentence(hydro, tmp_path: Path, content: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "hydro.toml").write_bytes(BAD_TOML[content])
    assert_told(hydro("verify"), 1)


def test_hydro_toml_that_is_a_folder__is_one_sentence(hydro, tmp_path: Path) -> None:
    (tmp_path / "home" / "hydro.toml").mkdir(parents=True)
    assert_told(hydro("verify"), 1)


BAD_TABLES = {
    "a file in place of the table": lambda t: (t.parent.mkdir(parents=True), t.write_text("x")),
    "an empty log": lambda t: (t / "_delta_log").mkdir(parents=True),
    "a torn commit": lambda t: _commit(t, '{"protocol":{"minReader'),
    "an empty commit": lambda t: _commit(t, ""),
    "a commit of zeros": lambda t: _commit(t, "\0" * 500),
    "a log without metadata": lambda t: _commit(t, '{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}'),
    "another reader version": lambda t: _commit(t, '{"protocol":{"minReaderVersion":99,"minWriterVersion":99}}'),
    "no JSON": lambda t: _commit(t, "this is not JSON"),
}


def _commit(table: Path, text: str) -> None:
    (table / "_delta_log").mkdir(parents=True)
    (table / "_delta_log" / f"{0:020d}.json").write_text(text)


@pytest.mark.parametrize("command", ["run", "import --csv readings.csv"])
@pytest.mark.parametrize("table", BAD_TABLES)
def test_gold_that_cannot_be_read__is_one_sentence(hydro, tmp_path: Path, table: str, command: str) -> None:
    rows = "\n".join(f"2026-01-0{d} 00:{m:02}:00,6.0,900,24,60" for d in (1, 2) for m in range(60))
    (tmp_path / "readings.csv").write_text(f"timestamp,pH,TDS,DHT_temp,DHT_humidity\n{rows}\n")
    BAD_TABLES[table](tmp_path / "home" / "lakehouse" / "hydroponics" / "gold" / "iot_data")
    found = hydro(*command.split(), HYDRO_MINIMUM_RECORDS="5")
    assert "Traceback" not in found.said
    assert found.code in (0, 1), found


@pytest.mark.parametrize("room", [0, 300, 3000, 30000])
def test_disk_that_is_full__is_one_sentence_and_the_next_import_is_whole(hydro, tmp_path: Path, room: int) -> None:
    rows = "\n".join(
        f"2026-01-0{d} {h:02}:{m:02}:00,6.{m:02},900,24,60" for d in (1, 2) for h in range(9) for m in range(60)
    )
    (tmp_path / "readings.csv").write_text(f"timestamp,pH,TDS,DHT_temp,DHT_humidity\n{rows}\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        found = hydro("import", "readings.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found.code in ((0, 1) if room > 20000 else (1,)), found
    assert "Traceback" not in found.said
    assert "a fault of hydro_assets" not in found.said
    again = hydro("import", "readings.csv")
    assert again.code == 0, again
    assert "1,080 readings" in again.said
    assert "1,080" in hydro("imports").said


def test_fifo_and_endless_device__are_refused_before_they_are_read(hydro, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.csv")
    for path in (tmp_path / "fifo.csv", Path("/dev/zero"), Path("/dev/stdin")):
        found = hydro("import", "--csv", str(path))
        assert_told(found, 1, 2)
        assert "file" in found.said


@pytest.mark.parametrize("line", ["rollback gru", "rollback lstm"])
def test_tracking_server_that_is_dead__is_told_with_its_address_and_without_its_password(hydro, line: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = hydro(*line.split(), HYDRO_MLFLOW_TRACKING_URI=f"http://farmer:s3cretpw@{address}")
    assert_told(found, 1)
    assert address in found.said
    assert "s3cretpw" not in found.said
