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
from PIL import Image

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
# MLflow's first visit opens an assistant, which a person closes once.
MLFLOW_READ = """
    localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
    localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""
# Screenshot -> its name in docs/pictures, to which they are copied from build/screenshots/tour.
TOUR = {
    "report": "report",
    "graph": "graph",
    "feature_store_sensor_features": "features",
    "models_hydroponics_gru_forecast": "model",
    "predictions_forecasts": "forecasts",
    "mlflow_version": "version",
}

# Asset page -> what has to stand on it, and the first of it on the first screen.
CONTENT = {
    "gold/dim_time": ("farm-data", "Row count"),
    "feature_store/sensor_features": ("ph_level: steps known (%)", "farm-data", "picture"),
    "models/hydroponics_gru_forecast": ("because", "farm-models", "holdout: skill over the best baseline, mean"),
    "predictions/forecasts": ("mean absolute error of ph_level, 1h ahead (pH)", "system_1 forecast green", "picture"),
    "predictions/prediction_accuracy": ("MAE of the newest day (pH)", "ensemble green, baseline black", "picture"),
    "predictions/feature_drift": ("features that drifted", "picture"),
    "predictions/system_outlook": ("outside their band, or likely to be within 1h", "80 % interval", "system_2"),
    "predictions/farm_report": ("report.html",),
}
CHECKED = (
    "gold/iot_data",
    "feature_store/sensor_features",
    "predictions/forecasts",
    "predictions/batch_predictions",
    "predictions/prediction_accuracy",
)
SIZES = ((1280, 800), (1600, 1000))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def home(request: pytest.FixtureRequest) -> Path:
    """The home that --home names, else that of the small farm of all smoke tests."""
    given: Path | None = request.config.getoption("--home")
    if given is not None:
        return (request.config.invocation_params.dir / given).resolve()
    farm: Farm = request.getfixturevalue("farm")
    return farm.settings.root


@pytest.fixture(scope="module")
def addresses(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Dagster's and MLflow's, of `hydro dev` on the home; ended as a person ends it, by Ctrl-C."""
    port, mlflow_port, log = free_port(), free_port(), tmp_path_factory.mktemp("dev") / "log"
    command = [sys.executable, "-c", "from hydro_assets.cli import main; main()", "dev", "--port", str(port)]
    command += ["--mlflow-port", str(mlflow_port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, "HYDRO_HOME": str(home)}, stdout=output, stderr=output)
    try:
        end = time.monotonic() + 2 * SECONDS
        while "Ctrl-C stops both" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{mlflow_port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert "stopped" in log.read_text()


@pytest.fixture(scope="module")
def address(addresses: tuple[str, str]) -> str:
    return addresses[0]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened.set_default_timeout(1000 * SECONDS)
        opened.add_init_script(MLFLOW_READ)
        yield opened
        browser.close()


@pytest.fixture
def errors(page: Any) -> Iterator[list[str]]:
    """What the browser's console said; a test ends with none."""
    found: list[str] = []

    def note(message: Any) -> None:
        if message.type == "error":
            found.append(message.text)

    def note_exception(error: Any) -> None:
        found.append(str(error))

    page.on("console", note)
    page.on("pageerror", note_exception)
    yield found
    page.remove_listener("console", note)
    page.remove_listener("pageerror", note_exception)
    assert found == []


def shoot(page: Any, name: str) -> None:
    """A screenshot of the first screen, at each size; those of the tour also in few colours, which are small files."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    name = name.replace("/", "_")
    for width, height in SIZES[::-1]:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(700)
        page.screenshot(path=SHOTS / f"{name}_{width}.png")
    if name in TOUR:
        (SHOTS / "tour").mkdir(exist_ok=True)
        with Image.open(SHOTS / f"{name}_{SIZES[0][0]}.png") as image:
            image.convert("RGB").quantize(160).save(SHOTS / "tour" / f"{TOUR[name]}.png", optimize=True)


@pytest.mark.usefixtures("errors")
@pytest.mark.parametrize("asset", CONTENT)
def test_asset_page__opens_on_its_facts(page: Any, address: str, asset: str) -> None:
    page.goto(f"{address}/assets/{asset}")
    for text in CONTENT[asset]:
        page.get_by_text(text).first.wait_for()
    shoot(page, asset)
    first = page.get_by_text(CONTENT[asset][0]).first.bounding_box()
    assert first["y"] < SIZES[0][1], "the first fact is below the first screen"
    assert page.get_by_placeholder("Filter columns").count() == 0, "columns stand before the facts"
    boxes = [box for image in page.locator("img[src^='data:']").all() if (box := image.bounding_box())]
    margin = page.get_by_text("Definition", exact=True).first.bounding_box()["x"]
    assert [box for box in boxes if box["x"] + box["width"] > margin] == [], "a picture is cropped"
    assert page.get_by_text("Not evaluated").count() == 0
    edges = "[...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().right)"
    end = page.get_by_text("Plots", exact=True).first.bounding_box()
    # Only the outlook is wider than a page of 1280 pixels: it has eight columns.
    fits = max(page.evaluate(edges)) <= end["x"] + end["width"] + 20
    assert fits or asset == "predictions/system_outlook", "a table is cropped"


@pytest.mark.usefixtures("errors")
@pytest.mark.parametrize("asset", CHECKED)
def test_checks__have_all_been_evaluated(page: Any, address: str, asset: str) -> None:
    page.goto(f"{address}/assets/{asset}?view=checks")
    page.get_by_text("Latest execution").wait_for()
    shoot(page, f"{asset}_checks")
    assert page.get_by_text(re.compile("not evaluated", re.I)).count() == 0


@pytest.mark.usefixtures("errors")
def test_catalog__shows_no_asset_that_was_never_made(page: Any, address: str) -> None:
    page.goto(f"{address}/assets")
    page.get_by_text("dim_equipment").first.wait_for()
    page.get_by_text(re.compile("Materialized|partitions")).nth(12).wait_for()  # each of the thirteen
    shoot(page, "catalog")
    page.goto(f"{address}/asset-groups")
    page.get_by_text(re.compile("monitoring")).first.wait_for()
    shoot(page, "graph")


@pytest.mark.usefixtures("errors")
def test_report__opens_from_its_file_and_nothing_is_wider_than_the_page(page: Any, home: Path) -> None:
    page.goto((home / "report.html").as_uri())
    page.get_by_text("Data quality").first.wait_for()
    shoot(page, "report")
    page.screenshot(path=SHOTS / "report_whole.png", full_page=True)
    wide = page.evaluate("[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth).length")
    assert (wide, page.evaluate("document.documentElement.scrollWidth") <= SIZES[0][0]) == (0, True)


MLFLOW_PAGES = {
    "mlflow_experiments": ("/#/experiments", "hydroponics_lstm"),
    "mlflow_models": ("/#/models", "hydroponics_gru_forecast"),
    "mlflow_model": ("/#/models/hydroponics_gru_forecast", "champion"),
    "mlflow_version": ("/#/models/hydroponics_gru_forecast/versions/1", "over the best baseline"),
}


@pytest.mark.parametrize("name", MLFLOW_PAGES)
def test_mlflow__shows_trainings_and_versions(page: Any, addresses: tuple[str, str], name: str) -> None:
    path, text = MLFLOW_PAGES[name]
    page.goto(f"{addresses[1]}{path}")
    page.get_by_text(text).first.wait_for()
    page.keyboard.press("Escape")  # the page on what is new in the registry
    shoot(page, name)
