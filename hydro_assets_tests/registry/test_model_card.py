"""The model card says on what, how well, where not, and how to load."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from hydro_assets.registry.model_card import interval_text, model_card
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.registered import log_and_register

Trained = Callable[[str], TrainingResult]


def test_card__holds_data_errors_beside_baselines_limits_lineage_and_use(
    trained: Trained, provenance: Provenance
) -> None:
    result = trained("lightgbm")
    info = result.package.info
    card = model_card(
        info, result.metrics, provenance, "hydroponics_lightgbm_classifier", "3", result.classification, result.leaving
    )

    sections = [line for line in card.splitlines() if line.startswith("#")]
    assert sections == [
        "# hydroponics_lightgbm_classifier version 3",
        "## Data",
        "## Errors",
        "## Prediction intervals",
        "## Probability of states",
        "## Probability of leaving the crop band",
        "## Limits",
        "## Lineage",
        "## Use",
    ]
    assert "horizons in steps: 1 = 1min, 2 = 2min" in card
    assert f"on {info.train_rows} rows of bed_1" in card
    for model in ("lightgbm", "persistence", "short_mean", "same_time_yesterday"):
        assert f"| holdout | ph_level | 1 | {model} |" in card
    assert "| train | ph_level | 1 | lightgbm |" not in card, "errors on rows learned from say little"
    held = result.metrics.filter(split="holdout", model="lightgbm", target="ph_level", horizon=1)
    held = held.filter(system_id="all").row(0, named=True)
    assert f"| {held['mae']:.4g} ({held['mae_low']:.4g} to {held['mae_high']:.4g}) |" in card
    assert f"| {held['coverage_80']:.4g} ({held['coverage_80_low']:.4g} to {held['coverage_80_high']:.4g}) |" in card
    assert "git_commit: `0123abc`" in card
    assert 'load_model("models:/hydroponics_lightgbm_classifier/3")' in card


def test_card__of_a_forecaster_has_no_classifier_section(trained: Trained, provenance: Provenance) -> None:
    result = trained("gru")
    card = model_card(result.package.info, result.metrics, provenance, "hydroponics_gru_forecast")
    assert "Probability" not in card
    assert card.startswith("# hydroponics_gru_forecast\n")


def test_snippet_of_the_card__runs_as_pasted(
    quick: Callable[..., Settings],
    trained: Trained,
    provenance: Provenance,
    features: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, result = quick(), trained("lightgbm")
    made = log_and_register(result, settings, provenance, features)
    # Addresses that this process was given before would hide the variable.
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    monkeypatch.setattr("mlflow.tracking._model_registry.utils._registry_uri", None)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.tracking_uri)
    card = model_card(result.package.info, result.metrics, provenance, made.name, made.version)
    snippet = card.partition("```python\n")[2].partition("```")[0]
    names = {"rows": features.to_pandas()}  # times with a zone, booleans and integers with nulls
    exec(snippet, names)
    forecasts = names["forecasts"]
    assert set(forecasts["target"]) == {"ph_level", "air_temperature", "is_env_optimal"}
    assert forecasts["prediction"].notna().mean() > 0.9


def test_interval_text__folds_the_bounds_into_the_score() -> None:
    table = pl.DataFrame(
        {"n": [3, 3, 3], "mae": [0.5, 0.25, None], "mae_low": [0.4, None, None], "mae_high": [0.6, None, None]},
        schema_overrides=dict.fromkeys(["mae", "mae_low", "mae_high"], pl.Float64),
    )
    assert interval_text(table).to_dict(as_series=False) == {"n": [3, 3, 3], "mae": ["0.5 (0.4 to 0.6)", "0.25", None]}
