"""The snippets of docs/predictions.md and the examples, run as they stand on a farm that has run."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import dagster as dg
import matplotlib as mpl
import polars as pl
import pytest

from hydro_assets.defs.resources.by_environment import resources
from hydro_assets_tests.smoke.conftest import Farm

pytestmark = pytest.mark.smoke
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "predictions.md"
DASHBOARD, NOTEBOOK = ROOT / "examples" / "dashboard.py", ROOT / "examples" / "first_look.ipynb"
_SNIPPET = re.compile(r"^### ([^\n]+)\n(?:(?!^###? ).)*?```python\n(.*?)```", re.S | re.M)
SNIPPETS = {title.strip(): code for title, code in _SNIPPET.findall(PAGE.read_text())}


@pytest.mark.parametrize("title", SNIPPETS)
def test_snippet__runs_and_prints_rows(
    farm: Farm, title: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "duckdb" in SNIPPETS[title]:
        pytest.importorskip("duckdb")
    monkeypatch.setenv("HYDRO_HOME", str(farm.settings.root))
    exec(compile(SNIPPETS[title], f"{PAGE.name}, {title}", "exec"), {})
    out = capsys.readouterr().out
    assert "system_1" in out or "2026-03-0" in out


def test_page__has_a_snippet_for_each_reader() -> None:
    assert list(SNIPPETS) == ["polars", "pandas", "DuckDB", "Spark", "SQL"]


def test_notebook__runs_from_the_first_cell_to_the_last(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mpl.use("Agg")
    monkeypatch.setenv("HYDRO_HOME", str(farm.settings.root))
    names: dict[str, object] = {}
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, start=1):
        exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    out = capsys.readouterr().out
    assert [cell for cell in cells if cell["outputs"]] == []  # what is committed shows no other farm
    assert re.search(r"\d+% of \d+ actual values lie inside", out)
    assert "{'lstm': '1', 'gru': '1', 'lightgbm': '1'}" in out


def test_model_of_ones_own__is_an_asset_beside_the_farms(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "extending.md").read_text().partition("## Add a model")[2]
    code = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.setenv("HYDRO_HOME", str(farm.settings.root))
    names: dict[str, Any] = {"__name__": "my_models"}
    exec(compile(code, "extending.md", "exec", dont_inherit=True), names)
    made = dg.materialize([names["ph_ridge"]], resources=resources(farm.settings))
    [event] = made.asset_materializations_for_node("ph_ridge")
    errors = {name: value.value for name, value in event.metadata.items()}
    assert 0 < errors["MAE (pH)"] < 2 * errors["MAE of the last value (pH)"]
    assert dg.AssetKey("ph_ridge") in names["defs"].resolve_asset_graph().get_all_asset_keys()


def test_dashboard__shows_the_numbers_of_the_tables(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is an extra")
    monkeypatch.setenv("HYDRO_HOME", str(farm.settings.root))
    app = testing.AppTest.from_file(str(DASHBOARD), default_timeout=60).run()
    assert not app.exception
    outlook = farm.lakehouse.read_polars("predictions.system_outlook")
    newest = outlook["timestamp"].max()
    assert [metric.value for metric in app.metric][::2] == ["2", f"{newest:%d %b %H:%M}"]
    shown = pl.from_pandas(app.dataframe[0].value)
    assert shown["current_value"].to_list() == outlook["current_value"].to_list()
    app.sidebar.selectbox[1].select("tds_level").run()
    assert not app.exception
    assert app.subheader[0].value.startswith("tds_level of system_1")


def test_dashboard__is_served(farm: Farm) -> None:
    pytest.importorskip("streamlit", reason="streamlit is an extra")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(DASHBOARD), *options, "--browser.gatherUsageStats", "false"],
        env={**os.environ, "HYDRO_HOME": str(farm.settings.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert _status(f"http://127.0.0.1:{port}/") == 200
        assert _status(f"http://127.0.0.1:{port}/_stcore/health") == 200
    finally:
        process.terminate()
        process.wait(30)


def _status(address: str, seconds: float = 60) -> int:
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(address) as answer:
                return int(answer.status)
        except URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
