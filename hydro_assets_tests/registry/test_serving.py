"""Which version serves, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from mlflow import MlflowClient
from mlflow.store.entities.paged_list import PagedList
from polars.testing import assert_frame_equal

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.registry.coverage import gaps
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.registered import log_and_register

MakeSettings = Callable[..., Settings]
Trained = Callable[[str], TrainingResult]


def test_no_model__serves_nothing(quick: MakeSettings) -> None:
    assert RegisteredModel(quick(), "lstm").serving_version() is None


def test_without_a_champion__the_latest_serves(stocked: Settings) -> None:
    assert RegisteredModel(stocked, "gru").serving_version() == "2"


def test_search_without_tags__as_under_unity_catalog__still_finds_the_latest(
    stocked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = MlflowClient.search_model_versions

    def bare(*args: object, **kwargs: object) -> PagedList[SimpleNamespace]:
        found = search(*args, **kwargs)  # type: ignore[arg-type]
        return PagedList([SimpleNamespace(version=str(v.version)) for v in found], found.token)

    monkeypatch.setattr(MlflowClient, "search_model_versions", bare)
    assert RegisteredModel(stocked, "gru").serving_version() == "2"


def test_champion__serves_before_the_latest(stocked: Settings) -> None:
    mlflow_client(stocked).set_registered_model_alias("hydroponics_gru_forecast", "champion", "1")
    assert RegisteredModel(stocked, "gru").serving_version() == "1"


def test_pinned_version__serves_before_the_champion(stocked: Settings, quick: MakeSettings) -> None:
    mlflow_client(stocked).set_registered_model_alias("hydroponics_gru_forecast", "champion", "1")
    assert RegisteredModel(quick(pinned_versions={"gru": "2"}), "gru").serving_version() == "2"


def test_pinned_version__that_does_not_exist__is_refused(stocked: Settings, quick: MakeSettings) -> None:
    with pytest.raises(ModelUnavailableError, match="Version 9 of .*, the pinned version, does not exist"):
        RegisteredModel(quick(pinned_versions={"gru": "9"}), "gru").serving_version()


def test_half_registered_latest__is_passed_over(stocked: Settings) -> None:
    client = mlflow_client(stocked)
    version = client.get_model_version("hydroponics_gru_forecast", "2")
    running = client.create_run(RegisteredModel(stocked, "gru").experiment_id()).info.run_id
    client.create_model_version(version.name, version.source, running, tags=version.tags)
    assert RegisteredModel(stocked, "gru").serving_version() == "2"


def test_half_registered_champion__is_refused(stocked: Settings) -> None:
    client = mlflow_client(stocked)
    by_hand = client.create_model_version("hydroponics_gru_forecast", "/somewhere", None)
    client.set_registered_model_alias(by_hand.name, "champion", by_hand.version)
    with pytest.raises(ModelUnavailableError, match="the champion, was not registered whole"):
        RegisteredModel(stocked, "gru").serving_version()


def test_loaded_package__predicts_as_the_trained_one(
    stocked: Settings, trained: Trained, features: pl.DataFrame
) -> None:
    loaded = RegisteredModel(stocked, "gru").load("2")
    assert_frame_equal(loaded.predict(features), trained("gru").package.predict(features))
    assert RegisteredModel(stocked, "gru").load("2") is loaded


def test_missing_version__is_refused(stocked: Settings) -> None:
    with pytest.raises(ModelUnavailableError, match="hydroponics_gru_forecast has no version 7"):
        RegisteredModel(stocked, "gru").load("7")


@pytest.mark.parametrize("damage", ["deleted", "cut short", "one file lost", "other weights"])
def test_damaged_version__is_refused_with_the_remedy(
    stocked: Settings, trained: Trained, provenance: Provenance, features: pl.DataFrame, damage: str
) -> None:
    made = log_and_register(trained("gru"), stocked, provenance, features)
    folder = Path(made.source_uri.removeprefix("file://")) / "data" / "package"
    weights = folder / "weights.pt"
    if damage == "deleted":
        folder.rename(folder.with_name("elsewhere"))
    elif damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif damage == "one file lost":
        weights.unlink()
    else:
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    with pytest.raises(ModelUnavailableError, match="version 3 of hydroponics_gru_forecast .* Roll back"):
        RegisteredModel(stocked, "gru").load(made.version)


def test_version_of_another_grid__is_refused(stocked: Settings, quick: MakeSettings) -> None:
    with pytest.raises(ModelUnavailableError, match="it was trained on a 1min grid, the features have 5min"):
        RegisteredModel(quick(feature_step="5min"), "gru").load("2")


def test_version_without_an_asked_target__serves_what_it_has_and_names_the_gap(
    stocked: Settings, quick: MakeSettings
) -> None:
    asked = quick(targets=("ph_level", "tds_level"))
    package = RegisteredModel(asked, "gru").load("2")
    assert any(gap.startswith("tds_level (") for gap in gaps(package.info, asked))
    assert not any(gap.startswith("ph_level (") for gap in gaps(package.info, asked))
