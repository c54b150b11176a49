import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.errors import DataContractError, TrainingError
from hydro_assets.forecasting.base import BASELINES
from hydro_assets.training.train import train
from hydro_assets_tests.builders.synthetic import quick, synthetic_rows

KINDS = ("lstm", "gru", "lightgbm")
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_train__twice_gives_equal_metrics_and_forecasts(kind: str) -> None:
    frame = synthetic_rows()
    first, second = (train(kind, frame, quick(lead_times=["5min"])) for _ in range(2))
    assert_frame_equal(first.metrics, second.metrics, check_exact=True)
    assert first.package.predict(frame).equals(second.package.predict(frame))


@every_kind
def test_train__measures_every_horizon_and_system_beside_the_baselines(kind: str) -> None:
    table = train(kind, synthetic_rows(systems=("a", "b")), quick(lead_times=["5min"])).metrics
    assert set(table["model"]) == {*BASELINES, kind}
    assert set(table["target"]) == {"ph_level", "tds_level", "air_humidity"}
    assert set(table["system_id"]) == {"all", "a", "b"}
    assert set(table["horizon"]) == {1, 5}
    assert set(table["split"]) == {"train", "validation", "holdout"}
    assert (table["mae_low"] <= table["mae"]).all()


@every_kind
def test_train__beats_the_better_baseline_on_a_smooth_swing(kind: str) -> None:
    table = train(kind, synthetic_rows(3000), quick(lead_times=["15min"])).metrics.filter(
        split="holdout", system_id="all", target="ph_level", horizon=15
    )
    mae = dict(table.select("model", "mae").iter_rows())
    assert mae[kind] < 0.9 * min(mae[name] for name in BASELINES)


@every_kind
def test_train__on_a_random_walk_is_no_worse_than_the_better_baseline(kind: str) -> None:
    walk = 6 + np.cumsum(np.random.default_rng(3).normal(size=3000)) * 0.01
    frame = synthetic_rows(3000).with_columns(ph_level=pl.Series(walk))
    table = train(kind, frame, quick(lead_times=["15min"])).metrics.filter(
        split="holdout", system_id="all", target="ph_level"
    )
    for horizon in (1, 15):
        mae = dict(table.filter(horizon=horizon).select("model", "mae").iter_rows())
        assert mae[kind] < 1.05 * min(mae[name] for name in BASELINES)


def test_intervals__hold_after_a_quiet_validation() -> None:
    draw, steps = np.random.default_rng(4), 3000
    moves = draw.normal(size=steps) * 0.01 + np.where(draw.random(steps) < 0.03, draw.normal(size=steps), 0)
    frame = synthetic_rows(steps)
    split = train("lightgbm", frame, quick()).split
    quiet = frame.select(pl.col("timestamp").is_between(split.validation_start, split.validation_end))["timestamp"]
    moves[quiet.to_numpy()] = 0.01 * draw.normal(size=int(quiet.sum()))
    wild = frame.with_columns(ph_level=pl.Series(6 + np.cumsum(moves)))
    held = train("lightgbm", wild, quick(lead_times=["15min"]), split=split).metrics.filter(
        split="holdout", system_id="all", model="lightgbm", target="ph_level", horizon=15
    )
    assert held["coverage_95"].item() > 0.87


@every_kind
def test_train__learns_nothing_from_validation_and_holdout_levels(kind: str) -> None:
    frame = synthetic_rows()
    one = train(kind, frame, quick(lead_times=[]))
    late = pl.col("timestamp") >= one.split.holdout_start
    other = train(
        kind,
        frame.with_columns(pl.when(late).then(pl.col(c) * 5).otherwise(c).alias(c) for c in ("ph_level", "tds_level")),
        quick(lead_times=[]),
        split=one.split,
    )
    early = frame.filter(~late)
    assert one.package.predict(early).equals(other.package.predict(early))
    assert_frame_equal(one.metrics.filter(split="validation"), other.metrics.filter(split="validation"))


def test_train__says_that_a_label_of_one_class_taught_nothing() -> None:
    frame = synthetic_rows().with_columns(is_env_optimal=pl.lit(False))
    result = train("lightgbm", frame, quick(lead_times=[]))
    assert any("one class in training" in note for note in result.package.info.notes)
    served = result.package.probabilities(frame)
    assert set(served["quality"]) == {"one_class"}
    (share,) = set(served["probability"])
    assert share == pytest.approx(1 / (result.package.info.train_rows + 2), rel=0.3)
    assert result.classification is not None
    assert result.classification["roc_auc"].null_count() == result.classification.height


def test_train__calibrates_the_probability_of_an_optimal_environment() -> None:
    result = train("lightgbm", synthetic_rows(3000), quick(lightgbm={"num_boost_round": 40}, lead_times=["5min"]))
    assert result.classification is not None
    held = result.classification.filter(split="holdout", horizon=5).row(0, named=True)
    assert held["roc_auc"] > 0.9
    assert held["brier"] < 0.5 * held["brier_climatology"]


@pytest.mark.parametrize(
    ("task_type", "forecasts", "probabilities"),
    [("classification", False, True), ("regression", True, False), ("both", True, True)],
)
def test_train__of_a_task_type_gives_what_it_names(task_type: str, forecasts: bool, probabilities: bool) -> None:
    frame = synthetic_rows()
    result = train("lightgbm", frame, quick(lightgbm={"num_boost_round": 5, "task_type": task_type}, lead_times=[]))
    last = result.package.predict(frame).tail(1)
    assert (last["prediction"][0] is not None) == forecasts
    assert (result.package.probabilities(frame).height > 0) == probabilities
    assert last["quality"][0] == ("ok" if forecasts else "not_forecast")
    assert ("forecast_h1" in result.plots) == forecasts
    assert ("reliability" in result.plots) == probabilities
    assert "learning_curve" in result.plots
    curves = {name for entry in result.history for name in entry if name.endswith("loss")}
    assert ({"train_loss", "validation_loss"} <= curves) == forecasts
    assert ({"train_log_loss", "validation_log_loss"} <= curves) == probabilities


@every_kind
def test_train__reports_how_often_its_intervals_cover_validation_and_holdout(kind: str) -> None:
    result = train(kind, synthetic_rows(4000), quick(lead_times=["15min"]))
    held = result.metrics.filter(split="holdout", model=kind, system_id="all", target="ph_level").sort("horizon")
    np.testing.assert_allclose(held["coverage_80"], 0.8, atol=0.12)
    np.testing.assert_allclose(held["coverage_95"], 0.95, atol=0.05)
    calibrated = result.metrics.filter(split="validation", model=kind, system_id="all", target="ph_level")
    np.testing.assert_allclose(calibrated["coverage_80"], 0.8, atol=0.1)


def test_train__packs_scores_of_unseen_rows_with_the_model() -> None:
    packed = train("gru", synthetic_rows(), quick(lead_times=[])).package.info.metrics
    assert {m["split"] for m in packed} == {"validation", "holdout"}
    assert all(m["mae"] > 0 for m in packed)
    assert {m["coverage_80"] is None for m in packed if m["model"] == "persistence"} == {True}


def test_train__states_importance_and_draws_pictures() -> None:
    result = train("lightgbm", synthetic_rows(), quick(lead_times=[]))
    assert sum(result.importance.values()) == pytest.approx(1)
    assert set(result.permutation) <= set(result.importance)
    assert {"learning_curve", "forecast_h1", "error_by_horizon", "reliability", "importance"} == set(result.plots)
    assert all(image.startswith(b"\x89PNG") for image in result.plots.values())


def test_train__forecasts_tds_in_ppm_where_the_farm_asks_for_it() -> None:
    frame = synthetic_rows()
    package = train("gru", frame, quick(target_col="tds_level", lead_times=[])).package
    assert package.info.primary == "tds_level"
    assert package.info.target("tds_level").unit == "ppm"
    assert package.predict(frame).filter(quality="ok", target="tds_level")["prediction"].is_between(900, 1100).all()


def test_train__tells_its_progress() -> None:
    lines: list[str] = []
    result = train("gru", synthetic_rows(), quick(lead_times=[]), on_progress=lines.append)
    assert lines == result.log
    assert any(line.startswith("epoch 1/2") for line in lines)


@pytest.mark.parametrize(
    ("frame", "changes", "said"),
    [
        (synthetic_rows(500), {}, "500 rows have a ph_level, 1000 are needed"),
        (synthetic_rows().drop("ph_level"), {"targets": ["ph_level"]}, "no column ph_level"),
        (
            synthetic_rows().with_columns(pl.col("ph_level").cast(pl.String)),
            {"targets": ["ph_level"]},
            "ph_level is not a number",
        ),
        (synthetic_rows(1100), {"sequence_length": 200}, "would be empty|is too few|too few"),
    ],
    ids=["too_short", "no_target", "text", "context_too_long"],
)
def test_train__refuses_what_cannot_be_learned_from(frame: pl.DataFrame, changes: dict, said: str) -> None:
    with pytest.raises(DataContractError, match=said):
        train("gru", frame, quick(**changes))


def test_train__without_the_primary_target_serves_the_first_one_that_is_measured() -> None:
    info = train("lightgbm", synthetic_rows().drop("ph_level"), quick(lead_times=[])).package.info
    assert info.primary == "tds_level"
    assert info.target_names == ("tds_level", "air_humidity")
    assert "the features have no column ph_level: tds_level serves as primary target" in info.notes


@pytest.mark.parametrize("label", ["is_ph_optimal", "is_ex_fan_on"])
def test_train__classifies_flags_and_states_of_equipment(label: str) -> None:
    minute = pl.int_range(pl.len())
    frame = synthetic_rows(2000).with_columns(
        (pl.col("ph_level") - 6.1).clip(0).alias("ph_level_band_distance"), (minute % 40 < 20).alias("is_ex_fan_on")
    )
    result = train("lightgbm", frame, quick(labels=[label], lead_times=[]))
    assert set(result.package.probabilities(frame)["label"]) == {label}
    assert result.classification is not None
    assert result.classification.filter(split="holdout", system_id="all")["roc_auc"].item() > 0.9


def test_train__refuses_an_unknown_kind() -> None:
    with pytest.raises(TrainingError, match="'xgboost' is not a kind of model. Choose one of lstm, gru, lightgbm"):
        train("xgboost", synthetic_rows(), quick(lead_times=[]))
