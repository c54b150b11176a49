from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import pytest

from hydro_assets.errors import ModelUnavailableError, TableError
from hydro_assets.scoring.score_system import score_system
from hydro_assets.tables import FORECASTS, MODELS
from hydro_assets_tests.builders.stand_ins import DAY, WindowMean, feature_rows, small_settings

NEXT_DAY = DAY + timedelta(days=1)
NOW = datetime.fromisoformat("2024-03-02T00:05:00+00:00")
ALL = {"lstm": WindowMean(0.0), "gru": WindowMean(0.3), "lightgbm": WindowMean(0.6, labels=("is_env_optimal",))}
VERSIONS = {"lstm": "3", "gru": "2", "lightgbm": "7"}


def score(frame: pl.DataFrame, packages=ALL, versions=VERSIONS, start=DAY, end=NEXT_DAY, **settings) -> pl.DataFrame:
    return score_system(frame, packages, versions, small_settings(**settings), start, end, NOW)


def ph(*args, **given) -> pl.DataFrame:
    """The rows of pH alone."""
    return score(*args, **given).filter(target="ph_level")


def test_scoring__gives_every_row_every_horizon_and_all_columns() -> None:
    scored = score(feature_rows(list(range(10))))
    assert scored.columns == FORECASTS.column_names
    assert scored.group_by("target").len().sort("target").rows() == [("is_env_optimal", 20), ("ph_level", 20)]
    assert scored.select("timestamp", "target", "horizon").is_unique().all()
    assert set(scored.select("horizon", "lead_minutes").unique().rows()) == {(1, 1.0), (2, 2.0)}
    assert scored["inference_timestamp"].unique().to_list() == [NOW]
    assert {scored[f"{kind}_version"][0] for kind in MODELS} == {"3", "2", "7"}


def test_scoring__reaches_into_times_that_have_not_come_yet() -> None:
    last = ph(feature_rows(list(range(10)))).tail(1).row(0, named=True)
    assert last["prediction_for"] == DAY + timedelta(minutes=11)
    assert last["ensemble_avg"] is not None


def test_ensemble__is_the_mean_of_its_members_and_of_their_bounds() -> None:
    row = ph(feature_rows(list(range(6)), [6.0] * 6)).tail(1).row(0, named=True)
    assert [row[f"{kind}_prediction"] for kind in MODELS] == pytest.approx([6.02, 6.32, 6.62])
    assert row["ensemble_avg"] == pytest.approx(6.32)
    assert (row["lower_80"], row["upper_95"]) == pytest.approx((6.22, 6.52))
    assert (row["ensemble_members"], row["prediction_quality"]) == ("lstm,gru,lightgbm", "ok")
    assert row["prediction_reason"] is None


def test_ensemble__without_a_model_is_of_the_others_and_says_so() -> None:
    rows = ph(feature_rows(list(range(6)), [6.0] * 6), {k: ALL[k] for k in ("lstm", "lightgbm")}, {"lstm": "3"})
    row = rows.tail(1).row(0, named=True)
    assert row["ensemble_avg"] == pytest.approx(6.32)
    assert (row["ensemble_members"], row["prediction_quality"]) == ("lstm,lightgbm", "model_missing")
    assert row["prediction_reason"] == "gru: model_missing"
    assert row["gru_version"] is None


def test_no_model__lets_the_baseline_serve() -> None:
    row = ph(feature_rows([0, 1], [6.0, 6.1]), {}, {}).tail(1).row(0, named=True)
    assert (row["ensemble_avg"], row["ensemble_members"], row["prediction_quality"]) == (6.1, "baseline", "fallback")
    assert row["lower_80"] is None


def test_last_known_value__serves_no_longer_than_the_gap_limit() -> None:
    scored = ph(feature_rows(list(range(8)), [6.0, *[None] * 7]), {}, {}, forecast_horizon=1)
    assert scored["baseline_prediction"].to_list() == [6.0] * 5 + [None] * 3
    assert scored["prediction_quality"].to_list() == ["fallback"] * 5 + ["model_missing"] * 3


def test_system_with_ten_readings__is_forecast_by_the_baseline_until_a_window_is_full() -> None:
    scored = ph(feature_rows(list(range(10))), forecast_horizon=1)
    assert scored["prediction_quality"].to_list() == ["fallback"] * 4 + ["ok"] * 6
    assert scored["prediction_reason"][0] == "lstm: no_window; gru: no_window; lightgbm: no_window"


def test_day_long_gap__starts_anew_behind_it() -> None:
    frame = feature_rows([*range(6), *(2 * 1440 + m for m in range(6))])
    scored = ph(frame, start=NEXT_DAY, end=NEXT_DAY + timedelta(days=2), forecast_horizon=1)
    assert scored["prediction_quality"].to_list() == ["fallback"] * 4 + ["ok"] * 2


def test_unknown_target__is_explained_and_not_forecast() -> None:
    row = ph(feature_rows([0, 10], [6.0, None])).tail(1).row(0, named=True)
    assert row["ensemble_avg"] is None
    assert row["ensemble_members"] is None
    assert row["prediction_quality"] == "unknown_target"


def test_null_target_with_no_models__is_explained() -> None:
    scored = ph(feature_rows([0]).drop("ph_level"), {}, {})
    assert scored["prediction_quality"].to_list() == ["model_missing"] * 2


def test_nothing_outside_the_days__is_scored() -> None:
    scored = ph(feature_rows(list(range(-10, 1450))))
    assert scored["timestamp"].min() == DAY
    assert scored["timestamp"].max() == NEXT_DAY - timedelta(minutes=1)
    assert scored["prediction_quality"].unique().to_list() == ["ok"]


def test_scoring_twice__differs_in_the_inference_timestamp_only() -> None:
    frame = feature_rows(list(range(30)))
    again = score_system(frame, ALL, VERSIONS, small_settings(), DAY, NEXT_DAY, NOW + timedelta(hours=1)).filter(
        target="ph_level"
    )
    assert ph(frame).drop("inference_timestamp").equals(again.drop("inference_timestamp"))


def test_later_rows__change_no_earlier_forecast() -> None:
    frame = feature_rows(list(range(30)))
    changed = frame.with_columns(ph_level=pl.when(pl.col("timestamp") < DAY + timedelta(minutes=20)).then("ph_level"))
    earlier = pl.col("timestamp") < DAY + timedelta(minutes=20)
    assert ph(frame).filter(earlier).equals(ph(changed).filter(earlier))


@dataclass(frozen=True)
class NotANumber(WindowMean):
    def predict(self, frame: pl.DataFrame, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        return super().predict(frame, start, end).with_columns(prediction=pl.lit(float("nan")))


def test_forecast_that_is_not_a_number__is_no_member() -> None:
    row = ph(feature_rows(list(range(6))), {**ALL, "gru": NotANumber()}).tail(1).row(0, named=True)
    assert (row["ensemble_members"], row["prediction_quality"]) == ("lstm,lightgbm", "no_forecast")
    assert row["gru_prediction"] is None


def test_forecast__ends_at_the_physical_range() -> None:
    row = ph(feature_rows(list(range(6)), [12.95] * 6), {"gru": WindowMean(0.3)}).tail(1).row(0, named=True)
    assert (row["gru_prediction"], row["upper_80"]) == (13.0, 13.0)
    assert row["lower_95"] == 13.0  # 12.95 + 0.3 + 0.02 - 0.2


def test_misfits__are_refused_with_all_their_reasons() -> None:
    packages = {
        "gru": WindowMean(step_seconds=300),
        "lightgbm": WindowMean(features=("ph_level", "ec_level")),
    }
    with pytest.raises(ModelUnavailableError) as error:
        score(feature_rows([0, 1]), packages)
    for text in ("5min grid", "ec_level"):
        assert text in str(error.value)


def test_every_target_of_any_model__is_forecast_by_those_that_cover_it() -> None:
    packages = {"lstm": WindowMean(), "gru": WindowMean(targets=("ph_level", "tds_level"))}
    scored = score(feature_rows(list(range(6))), packages, {"lstm": "1", "gru": "1"})
    last = {row["target"]: row for row in scored.filter(horizon=1).tail(2).iter_rows(named=True)}
    assert (last["ph_level"]["ensemble_members"], last["tds_level"]["ensemble_members"]) == ("lstm,gru", "gru")
    assert last["tds_level"]["prediction_reason"] == "lstm: not_covered; lightgbm: model_missing"
    assert 890 < last["tds_level"]["ensemble_avg"] < 920


def test_horizon_that_no_model_covers__is_served_by_the_last_value() -> None:
    packages = {"lstm": WindowMean(horizons=(1,))}
    row = score(feature_rows(list(range(6)), [6.0] * 6), packages, {"lstm": "1"}).tail(1).row(0, named=True)
    assert (row["horizon"], row["ensemble_avg"], row["prediction_quality"]) == (2, 6.0, "fallback")
    assert row["prediction_reason"].startswith("lstm: not_covered")


def test_target_that_no_model_was_trained_for__harms_no_other() -> None:
    scored = score(feature_rows(list(range(6))), {"lstm": WindowMean()}, target_col="tds_level").filter(horizon=1)
    assert scored.filter(target="tds_level")["prediction_quality"].unique().to_list() == ["fallback"]
    assert scored.filter(target="ph_level")["prediction_quality"].to_list()[-1] == "model_missing"
    assert scored.filter(target="ph_level")["ensemble_members"].to_list()[-1] == "lstm"


def test_target_that_the_farm_does_not_measure__gives_way_to_the_primary_one_of_the_models() -> None:
    scored = score(feature_rows(list(range(6))), {"lstm": WindowMean()}, target_col="air_temperature")
    assert scored["target"].unique().to_list() == ["ph_level"]


def test_settings_name_the_targets__that_are_served() -> None:
    both = {"gru": WindowMean(targets=("ph_level", "tds_level"))}
    scored = score(feature_rows(list(range(6))), both, targets=("ph_level",))
    assert scored["target"].unique().to_list() == ["ph_level"]


def test_label__is_a_row_of_its_own_with_the_present_state_as_its_baseline() -> None:
    frame = feature_rows(list(range(6))).with_columns(is_env_optimal=pl.col("timestamp").dt.minute() % 2 == 0)
    row = score(frame).filter(target="is_env_optimal").tail(1).row(0, named=True)
    assert (row["ensemble_avg"], row["lightgbm_prediction"], row["ensemble_members"]) == (0.75, 0.75, "lightgbm")
    assert (row["baseline_prediction"], row["prediction_quality"], row["leaving_probability"]) == (0.0, "ok", None)


def test_label_of_one_class__carries_a_mark() -> None:
    models = {"lightgbm": WindowMean(labels=("is_env_optimal",), label_quality="one_class")}
    row = score(feature_rows(list(range(6))), models).filter(target="is_env_optimal").tail(1).row(0, named=True)
    assert (row["prediction_quality"], row["prediction_reason"]) == ("one_class", "lightgbm: one_class")


@pytest.mark.parametrize(
    ("ph_now", "expected"),
    [
        pytest.param(6.0, (0.0, 0.001), id="far inside"),
        pytest.param(6.48, (0.5, 0.5), id="forecast on the edge"),
        pytest.param(6.7, (1.0, 1.0), id="outside now"),
    ],
)
def test_leaving_probability__counts_the_path_and_never_falls(ph_now: float, expected: tuple[float, float]) -> None:
    scored = score(feature_rows(list(range(6)), [ph_now] * 6), {"lstm": WindowMean()}, {"lstm": "1"})
    first, second = scored.tail(2)["leaving_probability"].to_list()  # forecasts 0.01 and 0.02 above the present value
    assert first <= second
    assert expected[0] - 1e-6 <= second <= expected[1] + 1e-6


def test_rows_that_a_model_learned_from__are_marked() -> None:
    models = {"lstm": WindowMean(learned_until="2024-03-01T00:05:00+00:00"), "gru": WindowMean()}
    scored = score(feature_rows(list(range(10))), models).filter(horizon=1)
    assert scored["is_in_training"].to_list() == [True] * 5 + [False] * 5


def test_baselines__stand_beside_every_forecast() -> None:
    row = score(feature_rows(list(range(6)), [6.0] * 6)).filter(target="ph_level").tail(1).row(0, named=True)
    assert (row["persistence"], row["short_mean"], row["same_time_yesterday"]) == (6.0, 6.5, None)
    assert row["baseline_prediction"] == 6.0


def test_empty_frame__gives_no_rows_with_the_same_columns() -> None:
    frame = feature_rows(list(range(6)))
    assert ph(frame.clear()).schema == ph(frame).schema


def test_row_that_is_there_twice__is_refused() -> None:
    rows = feature_rows(list(range(5)))
    with pytest.raises(TableError, match="1 feature rows repeat"):
        ph(pl.concat([rows, rows.tail(1)]), {})
