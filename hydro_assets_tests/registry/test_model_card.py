"""The model card says on what, how well, where not, and how to load."""

from __future__ import annotations

from collections.abc import Callable

from hydro_assets.registry.model_card import model_card
from hydro_assets.registry.tracking import Provenance
from hydro_assets.training.train import TrainingResult

Trained = Callable[[str], TrainingResult]


def test_card__holds_data_errors_beside_baselines_limits_lineage_and_use(
    trained: Trained, provenance: Provenance
) -> None:
    result = trained("lightgbm")
    info = result.package.info
    card = model_card(info, result.metrics, provenance, "hydroponics_lightgbm_classifier", "3", result.classification)

    sections = [line for line in card.splitlines() if line.startswith("#")]
    assert sections == [
        "# hydroponics_lightgbm_classifier version 3",
        "## Data",
        "## Errors",
        "## Prediction intervals",
        "## Probability that the environment is optimal",
        "## Limits",
        "## Lineage",
        "## Use",
    ]
    assert "horizons in steps: 1 = 1min, 2 = 2min" in card
    assert f"on {info.train_rows} rows of bed_1" in card
    for model in ("lightgbm", "persistence", "short_mean"):
        assert f"| holdout | {model} | 1 |" in card
    assert "| train | lightgbm | 1 |" not in card, "errors on rows learned from say little"
    held = result.metrics.filter(split="holdout", model="lightgbm", horizon=1, system_id="all").row(0, named=True)
    assert f"| {held['mae']:.4g} ({held['mae_low']:.4g} to {held['mae_high']:.4g}) |" in card
    assert f"| {held['coverage_80']:.4g} ({held['coverage_80_low']:.4g} to {held['coverage_80_high']:.4g}) |" in card
    assert "git_commit: `0123abc`" in card
    assert 'load_model("models:/hydroponics_lightgbm_classifier/3")' in card


def test_card__of_a_forecaster_has_no_classifier_section(trained: Trained, provenance: Provenance) -> None:
    result = trained("gru")
    card = model_card(result.package.info, result.metrics, provenance, "hydroponics_gru_forecast")
    assert "Probability" not in card
    assert card.startswith("# hydroponics_gru_forecast\n")
