"""The pages of Dagster's UI as a person sees them, in Debian's Chromium; screenshots go to build/screenshots."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hydro_assets_tests.smoke.conftest import Farm

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.smoke,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SECONDS = 180

# Asset page -> what has to stand on it.
CONTENT = {
    "feature_store/sensor_features": ("ph_level: steps known (%)", "farm-data", "picture"),
    "models/hydroponics_lstm_forecast": ("promotion", "farm-models", "holdout_mae"),
    "predictions/prediction_accuracy": ("MAE of the newest day (pH)", "inside the 80 % interval", "picture"),
    "predictions/feature_drift": ("features that drifted", "picture"),
    "predictions/system_outlook": ("mean absolute error (pH)", "system_1", "picture"),
    "predictions/farm_report": ("report.html",),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def address(farm: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`hydro dev` on the farm; ended as a person ends it, by Ctrl-C."""
    port, log = free_port(), tmp_path_factory.mktemp("dev") / "log"
    command = [sys.executable, "-c", "from hydro_assets.cli import main; main()", "dev", "--port", str(port)]
    command += ["--mlflow-port", str(free_port())]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "HYDRO_HOME": str(farm.settings.root)}, stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + 2 * SECONDS
        while "Ctrl-C stops both" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert "stopped" in log.read_text()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened.set_default_timeout(1000 * SECONDS)
        yield opened
        browser.close()


def errors_of(page: Any) -> list[str]:
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.mark.parametrize("asset", CONTENT)
def test_asset_page__shows_its_facts(page: Any, address: str, asset: str) -> None:
    errors = errors_of(page)
    page.goto(f"{address}/assets/{asset}")
    for text in CONTENT[asset]:
        page.get_by_text(text).first.wait_for()
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{asset.replace('/', '_')}.png", full_page=True)
    widths = [box["width"] for image in page.locator("img[src^='data:']").all() if (box := image.bounding_box())]
    assert [width for width in widths if width > 900] == []
    assert errors == []


def test_graph__shows_no_asset_that_was_never_made(page: Any, address: str) -> None:
    errors = errors_of(page)
    page.goto(f"{address}/asset-groups")
    page.get_by_text(re.compile("monitoring")).first.wait_for()
    page.screenshot(path=SHOTS / "graph.png")
    assert page.get_by_text("Never materialized").count() == 0
    assert errors == []
