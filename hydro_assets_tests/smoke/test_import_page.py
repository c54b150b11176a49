"""docs/import.md: every command of "Three exports from nothing to a forecast", as it stands there, on such exports."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import MODELS

pytestmark = pytest.mark.smoke

PAGE = Path(__file__).parents[2] / "docs" / "import.md"
SECTION = PAGE.read_text().partition("## Three exports")[2].partition("\n## ")[0]
COMMANDS = {
    part.partition(".")[0]: re.findall(r"^    (hydro [^#\n]*)", part, re.MULTILINE)
    for part in re.split(r"^\*\*", SECTION, flags=re.MULTILINE)[1:]
}
START = datetime(2026, 3, 2)
SMALL = {
    "HYDRO_RECURRENT__EPOCHS": "1",
    "HYDRO_RECURRENT__MAX_WINDOWS_PER_EPOCH": "64",
    "HYDRO_RECURRENT__HIDDEN_SIZE": "8",
    "HYDRO_LIGHTGBM__NUM_BOOST_ROUND": "5",
}


def readings(every: timedelta, days: int) -> Iterator[tuple[datetime, float, float, float, float]]:
    """Time, pH, EC in mS/cm, temperature and humidity."""
    for i in range(timedelta(days=days) // every):
        time, phase = START + i * every, 2 * math.pi * (i * every) / timedelta(days=1)
        yield (time, 6 + 0.2 * math.sin(phase) + 0.02 * math.sin(i / 7), 1.6 + 0.1 * math.cos(phase + 1),
               22 + 3 * math.sin(phase), 60 - 8 * math.sin(phase))  # fmt: skip


def thingspeak() -> str:
    lines = (
        f"{time:%Y-%m-%d %H:%M:%S} UTC,{i},{ph:.2f},{ec * 500:.0f},{temp:.1f},{rh:.1f}"
        for i, (time, ph, ec, temp, rh) in enumerate(readings(timedelta(minutes=5), 5))
    )
    return "\n".join(["created_at,entry_id,field1,field2,field3,field4", *lines]) + "\n"


def home_assistant() -> str:
    """Changes only; the probe of pH is away for an hour of the second day."""
    lines, last = ["entity_id,state,last_changed"], {}
    for time, ph, ec, temp, rh in readings(timedelta(minutes=1), 2):
        states = {"tank_ph": f"{ph:.2f}", "tank_ec": f"{ec:.3f}", "tent_temperature": f"{temp:.2f}",
                  "tent_humidity": f"{rh:.1f}"}  # fmt: skip
        if timedelta(hours=30) <= time - START < timedelta(hours=31):
            states["tank_ph"] = "unavailable"
        for name, state in states.items():
            if last.get(name) != state:
                lines.append(f"sensor.{name},{state},{time:%Y-%m-%dT%H:%M:%S}.000Z")
                last[name] = state
    return "\n".join(lines) + "\n"


def influx() -> str:
    head = (
        "#group,false,false,false,false,true\n"
        "#datatype,string,long,dateTime:RFC3339,double,string\n"
        "#default,_result,,,,\n"
        ",result,table,_time,_value,_field\n"
    )
    rows = [(time, name, value) for time, ph, ec, temp, rh in readings(timedelta(minutes=10), 8)
            for name, value in (("ph", ph), ("cond", ec * 1000), ("t_air", temp), ("rh_air", rh))]  # fmt: skip
    return head + "".join(f",,0,{time:%Y-%m-%dT%H:%M:%S}Z,{value:.3f},{name}\n" for time, name, value in rows)


@pytest.mark.parametrize(
    ("export", "file", "content"),
    [
        pytest.param("ThingSpeak", "feeds.csv", thingspeak, id="ThingSpeak"),
        pytest.param("Home Assistant", "history.csv", home_assistant, id="Home Assistant"),
        pytest.param("InfluxDB, annotated CSV", "query.csv", influx, id="InfluxDB"),
    ],
)
def test_page__takes_the_export_from_nothing_to_a_forecast(
    tmp_path: Path, export: str, file: str, content: Callable[[], str]
) -> None:
    (tmp_path / file).write_text(content())
    home = tmp_path / "home"
    environment = {**os.environ, **SMALL, "HYDRO_HOME": str(home)}
    told = ""
    for command in COMMANDS[export]:
        words = [sys.executable, "-c", "from hydro_assets.cli import main; main()", *shlex.split(command)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        told = done.stdout
    assert "MAE of ph_level" in told
    forecasts = Lakehouse(load_settings(home=home)).read_polars("predictions.forecasts")
    known = forecasts.filter(pl.col("target") == "ph_level").select(pl.col(f"{m}_prediction").count() for m in MODELS)
    assert min(known.row(0)) > 1000


def test_page__has_commands_of_three_exports() -> None:
    assert {name: len(commands) for name, commands in COMMANDS.items()} == {
        "ThingSpeak": 3,
        "Home Assistant": 2,
        "InfluxDB, annotated CSV": 2,
    }
