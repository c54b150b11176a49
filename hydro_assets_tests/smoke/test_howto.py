"""docs/howto.md from top to bottom: its commands as they stand, on one small farm."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hydro_assets import cli
from hydro_assets.cli.app import app
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.registry.promotion import PromotionDecision, apply
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import names
from hydro_assets_tests.builders.raw_export import write_export

pytestmark = pytest.mark.smoke
assert cli  # importing it registers the commands
PAGE = (Path(__file__).parents[2] / "docs" / "howto.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M))
START = datetime(2024, 1, 2)
SMALL = {
    "HYDRO_MINIMUM_RECORDS": "200",
    "HYDRO_LEAD_TIMES": "1h",
    "HYDRO_TARGETS": "ph_level,air_temperature",
    "HYDRO_LABELS": "",
    "HYDRO_RECURRENT__EPOCHS": "1",
    "HYDRO_RECURRENT__MAX_WINDOWS_PER_EPOCH": "64",
    "HYDRO_RECURRENT__HIDDEN_SIZE": "4",
    "HYDRO_LIGHTGBM__NUM_BOOST_ROUND": "5",
}


class Reader:
    """Someone who types what the page says, in a folder with two exports of five-minute readings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("export.csv", 3)
        self.write("south.csv", 1)

    def write(self, name: str, days: int) -> None:
        path = write_export(self.folder / name, START, START + timedelta(days=days), timedelta(minutes=5))
        pl.read_csv(path, infer_schema=False).drop("system_id").write_csv(path)

    @property
    def lakehouse(self) -> Lakehouse:
        return Lakehouse(load_settings())

    def follow(self, title: str) -> None:
        """Write the section's hydro.toml, and call each of its commands."""
        for text in re.findall(r"```toml\n(.*?)```", SECTIONS[title], re.S):
            (self.folder / ".hydro" / "hydro.toml").write_text(text)
        for line in re.findall(r"^    hydro (.+)$", SECTIONS[title], re.M):
            app(shlex.split(line), standalone_mode=False)


def models(kind: str) -> RegisteredModel:
    return RegisteredModel(load_settings(), kind)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What there is after each section, in the order of the page."""
    folder, seen = tmp_path_factory.mktemp("reader"), {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        reader = Reader(folder)
        reader.follow("Import an export")
        seen["import"] = reader.lakehouse.days(names.IOT_DATA)
        reader.follow("Choose the crop's bands")
        seen["crop"] = load_settings().crop.bands()["ph_level"].low
        reader.follow("Choose what is forecast, and on which grid")
        seen["run"] = load_settings(), models("lightgbm").versions()
        reader.follow("Train one model with other parameters")
        seen["parameters"] = models("gru").load("2").info.params["hidden_size"]
        reader.follow("Add a system or a farm")
        seen["systems"] = set(reader.lakehouse.read_polars(names.IOT_DATA)["system_id"])
        reader.write("export.csv", 4)
        reader.follow("Late and corrected data")
        seen["late"] = {t: reader.lakehouse.days(t)[-1] for t in (names.SENSOR_FEATURES, names.FORECASTS)}
        before = reader.lakehouse.version(names.FORECASTS)
        reader.follow("Backfill")
        seen["backfill"] = before, reader.lakehouse.version(names.FORECASTS)
        gru = models("gru")
        apply(PromotionDecision(datetime.now(UTC), "gru", gru.name, "promoted", "1", "2", "of a test"), gru)
        reader.follow("Promote and roll back")
        seen["promotion"] = gru.serving_version(), reader.lakehouse.read_polars(names.PROMOTION_LOG)
        reader.follow("Keep the house")
        yield seen


def test_import__fills_gold(seen: dict[str, Any]) -> None:
    assert [str(day) for day in seen["import"]] == ["2024-01-02", "2024-01-03", "2024-01-04"]


def test_crop__is_read_from_the_file(seen: dict[str, Any]) -> None:
    assert seen["crop"] == 5.6


def test_grid_and_target__are_kept_and_trained_for(seen: dict[str, Any]) -> None:
    settings, versions = seen["run"]
    assert (settings.feature_step, versions) == (timedelta(minutes=5), ["1"])
    assert (settings.target_col, settings.forecast_horizon) == ("air_temperature", 2)


def test_training__with_other_parameters_is_a_new_version(seen: dict[str, Any]) -> None:
    assert seen["parameters"] == 32


def test_system__is_a_value_of_a_column(seen: dict[str, Any]) -> None:
    assert seen["systems"] == {"north", "south"}


def test_late_data__are_built_and_forecast(seen: dict[str, Any]) -> None:
    assert set(seen["late"].values()) == {date(2024, 1, 5)}


def test_backfill__writes_the_days_again(seen: dict[str, Any]) -> None:
    before, after = seen["backfill"]
    assert after.version > before.version


def test_promote_and_roll_back__leave_rows_of_the_log(seen: dict[str, Any]) -> None:
    serving, log = seen["promotion"]
    actions = log.filter(model_name="hydroponics_gru_forecast").sort("decided_at")["action"].to_list()
    assert (serving, actions[-1]) == ("1", "rolled_back")


def test_page__has_no_section_that_is_not_followed() -> None:
    called = {title for title, text in SECTIONS.items() if re.search(r"^    hydro ", text, re.M)}
    followed = set(re.findall(r'follow\("(.+?)"\)', Path(__file__).read_text()))
    assert called - followed == {"Point at a lakehouse's Gold", "Upgrade"}
