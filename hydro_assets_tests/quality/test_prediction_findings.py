from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from hydro_assets.quality import prediction_findings


def rows(**columns: list) -> pl.DataFrame:
    """Two good rows, with some columns replaced."""
    good = {
        "ensemble_avg": [6.0, 6.2],
        "ensemble_members": ["lstm,gru,lightgbm", "lstm,gru"],
        "baseline_prediction": [6.0, 6.1],
        "prediction_quality": ["ok", "model_missing"],
        "target_col": ["ph_level", "ph_level"],
        "lstm_prediction": [6.0, 6.1],
        "gru_prediction": [5.9, 6.3],
        "lightgbm_prediction": [6.1, None],
    }
    return pl.DataFrame(good | columns)


def failed(frame: pl.DataFrame) -> dict[str, str]:
    return {f.name: f.sentence for f in prediction_findings.day_findings(frame) if not f.passed}


def test_day_findings__of_good_rows_all_pass() -> None:
    assert failed(rows()) == {}


@pytest.mark.parametrize(
    ("columns", "name", "words"),
    [
        pytest.param({"prediction_quality": ["ok", None]}, "explained", "1 of 2 rows have neither", id="no reason"),
        pytest.param(
            {"ensemble_avg": [None, 6.2], "ensemble_members": [None, "lstm,gru"]},
            "explained",
            "1 of 2 rows have neither",
            id="ok without forecast",
        ),
        pytest.param({"ensemble_avg": [6.4, 6.2]}, "ensemble_is_mean", "in 1 rows", id="not the mean"),
        pytest.param(
            {
                "target_col": ["air_humidity", "ph_level"],
                "ensemble_avg": [103.0, 6.2],
                "lstm_prediction": [103.0, 6.1],
                "gru_prediction": [103.0, 6.3],
                "lightgbm_prediction": [103.0, None],
            },
            "possible",
            "1 rows have a forecast outside",
            id="impossible",
        ),
        pytest.param(
            {"target_col": ["is_env_optimal", "ph_level"], "ensemble_members": ["lstm", "lstm,gru"]}
            | {"ensemble_avg": [1.2, 6.2], "lstm_prediction": [1.2, 6.1]}
            | {"gru_prediction": [None, 6.3], "lightgbm_prediction": [None, None]},
            "possible",
            "1 rows have a forecast outside",
            id="probability over one",
        ),
        pytest.param(
            {"lstm_prediction": [15.0, 6.1], "gru_prediction": [-3.0, 6.3], "lightgbm_prediction": [6.0, None]},
            "possible",
            "1 rows have a forecast outside",
            id="impossible models behind a possible mean",
        ),
        pytest.param(
            {"ensemble_members": ["lstm,gru,lightgbm", "lstm,gru,lightgbm"]},
            "ensemble_is_mean",
            "in 1 rows",
            id="names a model without forecast",
        ),
        pytest.param(
            {"ensemble_members": ["lstm,gru,lightgbm", None]}, "ensemble_is_mean", "in 1 rows", id="names no model"
        ),
        pytest.param(
            {"ensemble_members": ["lstm,gru,lightgbm", "baseline"]}, "ensemble_is_mean", "in 1 rows", id="no baseline"
        ),
        pytest.param(
            {"prediction_quality": ["fallback", "ok"], "ensemble_members": ["baseline", "lstm,gru"]},
            "served_by_models",
            "50.0% of 2 rows were served by the baseline alone",
            id="fallback",
        ),
    ],
)
def test_day_findings__name_what_is_wrong(columns: dict, name: str, words: str) -> None:
    found = failed(rows(**columns))
    assert list(found) == [name]
    assert words in found[name]


def accuracy(n: int, mae: float, coverage_80: float, in_training: bool = False) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "date": [date(2026, 1, 1)],
            "system_id": ["all"],
            "target": ["ph_level"],
            "lead_minutes": [1.0],
            "is_in_training": [in_training],
            "model": ["ensemble"],
            "n": [n],
            "mae": [mae],
            "baseline_mae": [0.03],
            "coverage_80": [coverage_80],
            "coverage_95": [0.95],
        }
    )


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        pytest.param(accuracy(1000, 0.029, 0.81), [], id="good"),
        pytest.param(accuracy(1000, 0.031, 0.81), ["beats_baseline"], id="worse than the baseline"),
        pytest.param(accuracy(1000, 0.03, 0.55), ["coverage_80"], id="intervals too narrow"),
        pytest.param(accuracy(50, 0.9, 0.1), [], id="too few to judge"),
        pytest.param(accuracy(1000, 0.9, 0.1, in_training=True), [], id="rows that a model learned from"),
    ],
)
def test_recent_findings__judge_coverage_and_skill(frame: pl.DataFrame, names: list[str]) -> None:
    assert [f.name for f in prediction_findings.recent_findings(frame) if not f.passed] == names
