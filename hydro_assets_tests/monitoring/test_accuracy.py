from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.monitoring.accuracy import accuracy_by_system, with_all_systems
from hydro_assets.monitoring.evaluation import evaluate_days
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.score_system import score_system
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import sensor_features_table
from hydro_assets_tests.builders.stand_ins import DAY, MINUTE, WindowMean, feature_rows, small_settings

NEXT_DAY = DAY + timedelta(days=1)
MODELS = {"lstm": WindowMean(0.0), "lightgbm": WindowMean(0.2, labels=("is_env_optimal",))}
VERSIONS = {"lstm": "1", "lightgbm": "4"}


def farm_of(minutes: list[int], ph: list[float | None] | None = None, system: str = "a") -> pl.DataFrame:
    return feature_rows(minutes, ph, system).with_columns(is_env_optimal=pl.col("timestamp").dt.minute() % 2 == 0)


def scored(features: pl.DataFrame, **settings) -> pl.DataFrame:
    span = (DAY - timedelta(days=1), DAY + timedelta(days=2))
    return score_system(features, MODELS, VERSIONS, small_settings(**settings), *span, NEXT_DAY)


def accuracy(features: pl.DataFrame, truth: pl.DataFrame | None = None, start=DAY, end=NEXT_DAY, **settings):
    truth = features if truth is None else truth
    return accuracy_by_system(scored(features, **settings), truth, small_settings(**settings), start, end)


def row_of(rows: pl.DataFrame, model: str, horizon: int = 1, target: str = "ph_level") -> dict:
    return rows.filter(model=model, horizon=horizon, target=target).row(0, named=True)


def test_errors__of_a_constant_target_are_the_models_offsets() -> None:
    rows = accuracy(farm_of(list(range(20)), [6.0] * 20))
    lstm, boosted, ensemble = (row_of(rows, m, 2) for m in ("lstm", "lightgbm", "ensemble"))
    assert (lstm["mae"], lstm["bias"], lstm["version"]) == (pytest.approx(0.02), pytest.approx(0.02), "1")
    assert (boosted["rmse"], boosted["version"]) == (pytest.approx(0.22), "4")
    assert ensemble["mae"] == pytest.approx(0.12)
    assert row_of(rows, "baseline")["mae"] == 0.0
    assert lstm["n"] == 14  # 20 rows, of which 4 have no full window and 2 no truth yet
    assert lstm["skill"] is None  # the baseline makes no error here


def test_coverage__is_the_share_of_truths_inside_the_interval() -> None:
    # Bounds are 0.1 and 0.2 around 6.11 (one step ahead): 6.0 lies outside of the first and inside of the second.
    row = row_of(accuracy(farm_of(list(range(20)), [6.0] * 20)), "ensemble")
    assert (row["coverage_80"], row["coverage_95"]) == (0.0, 1.0)


def test_skill__compares_with_the_baseline_on_the_same_rows() -> None:
    ph: list[float | None] = [6.0 + 0.1 * (m % 2) for m in range(40)]
    row = row_of(accuracy(farm_of(list(range(40)), ph)), "lstm")
    assert row["baseline_mae"] == pytest.approx(0.1)
    assert row["skill"] == pytest.approx(1 - row["mae"] / 0.1)


def test_classifier__is_judged_where_its_truth_is_known() -> None:
    rows = accuracy(farm_of(list(range(21))))
    row = row_of(rows, "lightgbm", target="is_env_optimal")
    assert (row["n"], row["n_events"], row["mean_probability"], row["event_share"]) == (0, 20, 0.75, 0.5)
    assert row["brier"] == pytest.approx((0.25**2 + 0.75**2) / 2)
    assert (row["n_foreseen"], row["hit_rate"]) == (20, 0.5)
    assert row_of(rows, "lstm")["n_events"] == 0


def test_leaving_the_band__is_judged_by_the_path_where_it_was_inside() -> None:
    ph = [6.4] * 10 + [6.6, 6.4] * 5  # inside, then out in every second minute
    rows = accuracy(farm_of(list(range(20)), ph))
    row = row_of(rows, "ensemble", 2)
    # Origins 4 .. 17 have a window and an actual value; of these 10, 12, 14 and 16 were outside already.
    assert (row["n_events"], row["n"]) == (10, 14)
    assert row["event_share"] == pytest.approx(6 / 10)  # from minute 8 on, the path of two minutes meets 6.6
    assert 0 <= row["brier"] <= 1
    assert row_of(rows, "lstm", 2)["n_events"] == 0


def test_rows_that_a_model_learned_from__stand_apart() -> None:
    models = {"lstm": WindowMean(learned_until="2024-03-01T00:10:00+00:00")}
    frame = farm_of(list(range(20)), [6.0] * 20)
    made = score_system(frame, models, {"lstm": "1"}, small_settings(), DAY, NEXT_DAY, NEXT_DAY)
    rows = accuracy_by_system(made, frame, small_settings(), DAY, NEXT_DAY).filter(model="lstm", horizon=1)
    assert dict(rows.select("is_in_training", "n").iter_rows()) == {True: 6, False: 9}


def test_baseline__is_the_best_of_three_on_the_same_rows() -> None:
    rows = accuracy(farm_of(list(range(20)), [6.0] * 20))
    row = row_of(rows, "ensemble")
    assert (row["baseline"], row["baseline_mae"], row["short_mean_mae"]) == ("persistence", 0.0, 0.5)
    assert row["same_time_yesterday_mae"] == 0.0  # nothing is known of yesterday: it says the last value


def test_errors__are_the_same_to_the_last_bit_in_whatever_order_an_engine_gives_the_rows() -> None:
    features = farm_of(list(range(400)), [6.0 + 0.3 * math.sin(i * i) for i in range(400)])
    forecasts, settings = scored(features), small_settings()
    kept, *others = (
        accuracy_by_system(rows, features, settings, DAY, NEXT_DAY)
        for rows in (forecasts, *(forecasts.sample(fraction=1, shuffle=True, seed=seed) for seed in range(3)))
    )
    for other in others:
        assert_frame_equal(kept, other, check_exact=True)


def test_actual_value__is_that_of_its_time_whatever_lies_between() -> None:
    frame, settings = farm_of([*range(10), 16, 17]), small_settings(forecast_horizon=7)
    rows = accuracy_by_system(score_system(frame, {}, {}, settings, DAY, NEXT_DAY, DAY), frame, settings, DAY, NEXT_DAY)
    assert row_of(rows, "baseline", 7)["n"] == 4  # 0 to 7, 1 to 8, 2 to 9, and 9 to 16


def test_forecasts__count_for_the_day_they_are_for() -> None:
    frame = farm_of(list(range(-30, 10)))
    assert row_of(accuracy(frame), "lstm", 2)["n"] == 10
    before = accuracy(frame, start=DAY - timedelta(days=1), end=DAY)
    assert row_of(before, "lstm", 2)["n"] == 30 - 4 - 2


def test_fallback_rows__count_for_the_baseline_and_not_for_the_ensemble() -> None:
    rows = accuracy(farm_of(list(range(4)), [6.0] * 4))
    assert rows["model"].unique().to_list() != []
    assert rows.filter(pl.col("model") == "ensemble").is_empty()
    assert row_of(rows, "baseline")["n"] == 3


def test_no_truth_yet__gives_no_rows() -> None:
    frame = farm_of(list(range(10)))
    assert accuracy(frame, end=NEXT_DAY, truth=frame.with_columns(ph_level=None, is_env_optimal=None)).is_empty()


def test_all_systems__equal_the_errors_of_all_rows_together() -> None:
    wavy: list[float | None] = [6.0 + 0.05 * (m % 3) for m in range(30)]
    a, b = farm_of(list(range(30)), wavy), farm_of(list(range(9)), [6.0] * 9, "b")
    rows = with_all_systems(pl.concat([accuracy(a), accuracy(b)]))
    pooled = row_of(rows.filter(pl.col("system_id") == "all"), "ensemble")
    renamed = [
        scored(f).with_columns(
            system_id=pl.lit("one"),
            timestamp=pl.col("timestamp") + shift,
            prediction_for=pl.col("prediction_for") + shift,
        )
        for f, shift in ((a, timedelta(0)), (b, timedelta(hours=5)))
    ]
    truth = [
        f.with_columns(system_id=pl.lit("one"), timestamp=pl.col("timestamp") + shift)
        for f, shift in ((a, timedelta(0)), (b, timedelta(hours=5)))
    ]
    direct = accuracy_by_system(pl.concat(renamed), pl.concat(truth), small_settings(), DAY, NEXT_DAY)
    for name, value in row_of(direct, "ensemble").items():
        if name != "system_id":
            assert pooled[name] == (pytest.approx(value) if isinstance(value, float) else value), name


# -- in the lakehouse --------------------------------------------------------------------------------------------------

TABLE = sensor_features_table(MINUTE, ["ph_level", "tds_level"], [])
FIRST, SECOND, THIRD = (date(2024, 3, d) for d in (1, 2, 3))


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(sequence_length=5, forecast_horizon=2, lead_times=())


def two_days() -> pl.DataFrame:
    minutes = [*range(60), *range(1400, 1500)]
    return pl.concat([farm_of(minutes, system="a"), farm_of(minutes[:80], system="b")])


def stored(lakehouse: Lakehouse) -> pl.DataFrame:
    return lakehouse.read_polars("predictions.prediction_accuracy").sort(
        "date", "system_id", "target", "model", "horizon"
    )


@pytest.fixture
def scored_farm(lakehouse: Lakehouse, settings: Settings) -> Lakehouse:
    lakehouse.replace_days(TABLE, two_days(), FIRST, THIRD)
    score_days(lakehouse, settings, ServingModels(MODELS, VERSIONS), FIRST, THIRD, NEXT_DAY)
    return lakehouse


def test_evaluated_days__equal_the_single_process_reference(scored_farm: Lakehouse, settings: Settings) -> None:
    facts = evaluate_days(scored_farm, settings, FIRST, THIRD, rows_per_commit=200)
    span = (settings, DAY, DAY + timedelta(days=2))
    parts = [accuracy_by_system(scored(f), f, *span) for _, f in two_days().group_by("system_id")]
    expected = with_all_systems(pl.concat(parts)).sort("date", "system_id", "target", "model", "horizon")
    found = stored(scored_farm).select(expected.columns)
    assert_frame_equal(found, expected, abs_tol=1e-12)
    assert (
        facts.known_by_day["2024-03-02"]
        == expected.filter(pl.col("date") == SECOND, pl.col("system_id") == "all", pl.col("model") == "ensemble")[
            "n"
        ].sum()
    )


def test_late_truth__changes_its_own_day_only(scored_farm: Lakehouse, settings: Settings) -> None:
    evaluate_days(scored_farm, settings, FIRST, THIRD)
    before = stored(scored_farm)
    late = two_days().filter(pl.col("timestamp") >= NEXT_DAY).with_columns(ph_level=pl.col("ph_level") + 0.5)
    scored_farm.replace_days(TABLE, late, SECOND, THIRD)
    evaluate_days(scored_farm, settings, SECOND, THIRD)
    after = stored(scored_farm)
    first, second = pl.col("date") == FIRST, pl.col("date") == SECOND
    assert after.filter(first).equals(before.filter(first))
    biased = second & (pl.col("target") == "ph_level")
    assert after.filter(biased)["bias"].max() < before.filter(biased)["bias"].min()


def test_evaluating_twice__changes_nothing(scored_farm: Lakehouse, settings: Settings) -> None:
    evaluate_days(scored_farm, settings, FIRST, THIRD)
    before = stored(scored_farm)
    evaluate_days(scored_farm, settings, FIRST, THIRD)
    assert stored(scored_farm).equals(before)


def test_days_without_truth__are_empty(scored_farm: Lakehouse, settings: Settings) -> None:
    facts = evaluate_days(scored_farm, settings, date(2024, 4, 1), date(2024, 4, 2))
    assert facts.rows_by_day == {}
