"""A lost registry replaces nothing: what the models said stays until it is back, or until others were trained."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import feature_span
from hydro_assets.pipeline.scoring import batch_inference
from hydro_assets.pipeline.training import train_model
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.safety import farm

MakeSettings = Callable[..., Settings]


def other(result: TrainingResult) -> TrainingResult:
    """A training with another outcome."""
    package = copy(result.package)
    package.info = package.info.model_copy(update={"notes": (*package.info.notes, "another training")})
    return replace(result, package=package)


def test_lost_registry__is_told_apart_from_a_new_farm_and_nothing_is_replaced(
    small_farm: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse = Lakehouse(small_farm())
    farm.run(small_farm())
    before = lakehouse.version(names.BATCH_PREDICTIONS)
    elsewhere = farm.new_home(small_farm().root / "elsewhere") / "mlflow" / "mlflow.db"
    lost = small_farm(mlflow_tracking_uri=f"sqlite:///{elsewhere}")
    span = feature_span(lakehouse)
    with pytest.raises(ModelUnavailableError, match="lstm_forecast has no version in MLflow, though version 1 was"):
        farm.run(lost)
    with pytest.raises(ModelUnavailableError, match="HYDRO_MLFLOW_TRACKING_URI"):
        batch_inference(Lakehouse(lost), *span, datetime.now(UTC))
    assert lakehouse.version(names.BATCH_PREDICTIONS) == before
    assert farm.run(small_farm()) == [], "the database is back: nothing has changed"

    train_model(Lakehouse(lost), MODELS[0], datetime.now(UTC))
    with pytest.raises(ModelUnavailableError) as told:
        farm.run(lost)
    assert "lstm" not in told.value.problem
    first = farm.trained
    monkeypatch.setattr(farm, "trained", lambda kind: first("lightgbm") if kind == "lightgbm" else other(first(kind)))
    for kind in MODELS[1:]:
        train_model(Lakehouse(lost), kind, datetime.now(UTC))
    assert farm.run(lost) == ["predictions of 2026-03-02 .. 2026-03-06"]


def test_baseline_alone__is_fair_where_no_model_was_ever_registered(small_farm: MakeSettings) -> None:
    lakehouse = Lakehouse(small_farm())
    span = feature_span(lakehouse)
    farm.PlainSteps(lakehouse).refresh([span])
    assert batch_inference(lakehouse, *span, datetime.now(UTC)).rows > 0
