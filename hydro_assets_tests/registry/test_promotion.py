"""A challenger serves only if it beats baseline and champion on the same holdout; the way back is one call."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.package import PROBABILITY_SCHEMA, TargetInfo
from hydro_assets.pipeline.competition import MINIMUM_COMPARED, _digits, decide
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.promotion import Candidate, PromotionDecision, apply, log_rows, rollback
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, PROMOTION_LOG
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.registered import log_and_register, promote

MakeSettings = Callable[..., Settings]
Trained = Callable[[str], TrainingResult]
NOW = datetime(2024, 3, 2, 7, tzinfo=UTC)
NAME = "hydroponics_lightgbm_classifier"


class Forecaster:
    """A package whose every forecast is off by `error`, beside a baseline that is off by `baseline_error`.

    `wobble` makes the error larger and smaller in turn, half an hour each; its mean stays `error`.
    """

    def __init__(
        self,
        real: Any,
        features: pl.DataFrame,
        error: float,
        baseline_error: float = 0.3,
        *,
        wobble: float = 0.0,
        persistence_is_better_by: float = 0.0,
        targets: tuple[str, ...] = ("ph_level",),
        horizons: tuple[int, ...] = (1, 2),
        labels: tuple[str, ...] = (),
        probability_error: float = 0.2,
        holdout_start: datetime | None = None,
        **info: Any,
    ) -> None:
        split = {} if holdout_start is None else {"holdout_start": holdout_start.isoformat()}
        facts = tuple(TargetInfo(name=name, unit="", low=0, high=1) for name in targets)
        update = {"horizons": horizons, "split": split, "labels": labels, "targets": facts, "primary": targets[0]}
        self.info = real.info.model_copy(update=update | info)
        self.features, self.error, self.baseline_error, self.wobble = features, error, baseline_error, wobble
        self.persistence_is_better_by, self.probability_error = persistence_is_better_by, probability_error
        self.asked: list[tuple[datetime, datetime]] = []

    def _ahead(self, column: str, start: datetime, end: datetime) -> pl.DataFrame:
        rows = self.features.sort("system_id", "timestamp")
        later = rows.select("system_id", pl.col("timestamp") - pl.duration(minutes=0), value=pl.col(column).cast(float))
        parts = []
        for h in self.info.horizons:
            came = later.with_columns(pl.col("timestamp") - timedelta(minutes=h), horizon=pl.lit(h, pl.Int32))
            parts.append(rows.select("system_id", "timestamp").join(came, on=["system_id", "timestamp"]))
        return pl.concat(parts).filter(pl.col("timestamp").is_between(start, end, closed="left"))

    def predict(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        self.asked.append((start, end))
        sign = pl.when(pl.col("timestamp").dt.minute() < 30).then(1.0).otherwise(-1.0)
        return pl.concat(
            self._ahead(name, start, end).select(
                "system_id",
                "timestamp",
                "horizon",
                target=pl.lit(name),
                prediction=pl.col("value") + self.error + sign * self.wobble,
            )
            for name in self.info.target_names
        )

    def baselines(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        said = pl.col("value") - self.baseline_error
        return pl.concat(
            self._ahead(name, start, end).select(
                "system_id",
                "timestamp",
                "horizon",
                target=pl.lit(name),
                persistence=said + self.persistence_is_better_by,
                short_mean=said,
                same_time_yesterday=pl.lit(None, pl.Float64),
                actual="value",
            )
            for name in self.info.target_names
        )

    def probabilities(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        empty = pl.DataFrame(schema=PROBABILITY_SCHEMA)
        parts = [
            self._ahead(label, start, end).select(
                "system_id",
                "timestamp",
                "horizon",
                label=pl.lit(label),
                probability=(pl.col("value") - self.probability_error).abs(),
                quality=pl.lit("ok"),
            )
            for label in self.info.labels
        ]
        return pl.concat([empty, *(part.select(empty.columns) for part in parts)])


@pytest.fixture
def judged(quick: MakeSettings, trained: Trained, features: pl.DataFrame) -> Callable[..., PromotionDecision]:
    """`decide` on the small farm for forecasters with given errors."""

    def _judge(
        challenger: dict[str, Any],
        champion: dict[str, Any] | None,
        rows: pl.DataFrame = features,
        champion_trained: datetime | None = None,
        **settings: Any,
    ) -> PromotionDecision:
        def candidate(version: str, given: dict[str, Any], at: datetime | None) -> Candidate:
            return Candidate(version, Forecaster(trained("gru").package, rows, **given), at)  # type: ignore[arg-type]

        rival = None if champion is None else candidate("1", champion, champion_trained)
        model = RegisteredModel(quick(**settings), "gru")
        return decide(model, candidate("2", challenger, None), rival, rows, NOW)

    return _judge


BOTH = ("ph_level", "air_temperature")


@pytest.mark.parametrize(
    ("challenger", "champion", "promoted", "reason"),
    [
        pytest.param(
            {"error": 0.1},
            None,
            True,
            "better than the baseline, and there was no champion: the MAE of version 2 is 0.3333 times that of the "
            "best baseline",
            id="first",
        ),
        pytest.param(
            {"error": 0.3}, None, False, "not better than the baseline: the MAE of version 2 is 1 times", id="as good"
        ),
        pytest.param(
            {"error": 0.2, "persistence_is_better_by": 0.2},
            None,
            False,
            "not better than the baseline: the MAE of version 2 is 2 times",
            id="better than the baseline of its training, worse than another",
        ),
        pytest.param(
            {"error": 0.1},
            {"error": 0.2},
            True,
            "better than champion and baseline: MAE in units of the best baseline's of version 2 is 0.3333, of "
            "champion 1 0.6667, difference -0.33 (95 % interval -0.33 to -0.33)",
            id="better",
        ),
        pytest.param({"error": 0.2}, {"error": 0.1}, False, "worse than the champion: MAE", id="worse"),
        pytest.param(
            {"error": 0.4}, {"error": 0.5}, False, "not better than the baseline", id="worse than the baseline"
        ),
        pytest.param(
            {"error": 0.199, "wobble": 0.19},
            {"error": 0.2},
            False,
            "not surely better than the champion: MAE in units of the best baseline's of version 2 is 0.6641",
            id="better by less than chance",
        ),
        pytest.param(
            {"error": 0.1},
            {"error": 0.2, "targets": BOTH},
            False,
            "version 2 stays challenger: it does not forecast air_temperature (1min, 2min ahead), which champion 1 "
            "does",
            id="loses a target",
        ),
        pytest.param(
            {"error": 0.1, "horizons": (1,)},
            {"error": 0.2},
            False,
            "version 2 stays challenger: it does not forecast ph_level (2min ahead)",
            id="loses a lead time",
        ),
        pytest.param(
            {"error": 0.1},
            {"error": 0.2, "labels": ("is_env_optimal",)},
            False,
            "version 2 stays challenger: it does not forecast is_env_optimal (1min, 2min ahead)",
            id="loses the classifier",
        ),
        pytest.param(
            {"error": 0.1, "labels": ("is_env_optimal",), "probability_error": 0.4},
            {"error": 0.2, "labels": ("is_env_optimal",)},
            False,
            "worse than the champion: MAE in units of the best baseline's of version 2 is 0.3333, of champion 1 "
            "0.6667, difference -0.33 (95 % interval -0.33 to -0.33); Brier score of version 2 is 0.16, of champion "
            "1 0.04",
            id="worse classifier",
        ),
        pytest.param(
            {"error": 0.2, "targets": BOTH},
            {"error": 0.2},
            False,
            "not surely better than the champion",
            id="one target more and no better",
        ),
        pytest.param(
            {"error": 0.1, "step_seconds": 300.0},
            None,
            False,
            "version 2 cannot be judged: it was trained on a 5min grid, the features have 1min",
            id="challenger of another grid",
        ),
        pytest.param(
            {"error": 0.2},
            {"error": 0.1, "step_seconds": 300.0},
            True,
            "better than the baseline, and champion 1 cannot serve (it was trained on a 5min grid",
            id="champion of another grid",
        ),
    ],
)
def test_decision__says_who_won_and_why(
    judged: Callable[..., PromotionDecision],
    challenger: dict[str, Any],
    champion: dict[str, Any] | None,
    promoted: bool,
    reason: str,
) -> None:
    decision = judged(challenger, champion)
    assert decision.reason.startswith(reason), decision.reason
    assert decision.promoted is promoted
    assert decision.champion_after == ("2" if promoted else decision.champion_before)


def test_targets__that_the_farm_no_longer_asks_for_are_no_loss(judged: Callable[..., PromotionDecision]) -> None:
    decision = judged({"error": 0.1}, {"error": 0.2, "targets": BOTH}, targets=("ph_level",))
    assert decision.promoted, decision.reason


def test_targets_of_different_units__count_the_same(judged: Callable[..., PromotionDecision]) -> None:
    """Half the error of one target in units of its baseline, as much as the champion's of the other: three quarters."""
    decision = judged({"error": 0.1, "targets": BOTH}, {"error": 0.2, "targets": BOTH})
    assert decision.challenger_error == pytest.approx(1 / 3)
    assert decision.error_difference == pytest.approx(-1 / 3)


@pytest.mark.parametrize(("days", "promoted"), [(27, False), (28, True)])
def test_champion_of_some_age__gives_way_to_one_that_is_no_worse(
    judged: Callable[..., PromotionDecision], days: int, promoted: bool
) -> None:
    decision = judged({"error": 0.2}, {"error": 0.2}, champion_trained=NOW - timedelta(days=days))
    assert decision.promoted is promoted
    if promoted:
        assert decision.reason.startswith("no worse than the champion, which was trained 28 days ago: MAE")


@pytest.mark.parametrize(
    ("a", "b", "texts"),
    [
        (0.66670001, 0.6667, ("0.66670001", "0.6667")),
        (0.1, 0.2, ("0.1", "0.2")),
        (0.123456, 0.123456, ("0.1235", "0.1235")),
    ],
)
def test_numbers__are_told_with_the_digits_that_differ(a: float, b: float, texts: tuple[str, str]) -> None:
    assert _digits(a, b) == texts


def test_decision__compares_only_rows_that_neither_has_seen(
    quick: MakeSettings, trained: Trained, features: pl.DataFrame
) -> None:
    start = features["timestamp"][0]
    assert isinstance(start, datetime)
    real = trained("gru").package
    challenger = Forecaster(real, features, 0.1, holdout_start=start + timedelta(hours=10))
    champion = Forecaster(real, features, 0.2, holdout_start=start + timedelta(hours=12))
    model = RegisteredModel(quick(), "gru")
    pair = Candidate("2", challenger), Candidate("1", champion)  # type: ignore[arg-type]
    decision = decide(model, *pair, features, NOW)
    assert decision.holdout_start == start + timedelta(hours=12)
    assert {asked for package in (challenger, champion) for asked in package.asked} == {
        (start + timedelta(hours=12), start + timedelta(hours=20))
    }


def test_decision__on_too_few_rows_keeps_what_is(
    judged: Callable[..., PromotionDecision], features: pl.DataFrame
) -> None:
    decision = judged({"error": 0.1}, None, rows=features.head(MINIMUM_COMPARED // 2))
    assert not decision.promoted
    assert "are needed" in decision.reason


def test_real_packages__are_compared_in_targets_and_labels(
    quick: MakeSettings, trained: Trained, features: pl.DataFrame
) -> None:
    package = trained("lightgbm").package
    model = RegisteredModel(quick(), "lightgbm")
    decision = decide(model, Candidate("2", package), Candidate("1", package), features, NOW)
    assert not decision.promoted
    assert decision.error_difference == 0.0
    assert decision.challenger_brier == decision.champion_brier
    assert 0 <= (decision.challenger_brier or -1) <= 1


def rolled_back(settings: Settings, kind: str, at: datetime, version: str | None = None) -> PromotionDecision:
    return rollback(RegisteredModel(settings, kind), at, version)


def _promoted(settings: Settings, version: str, before: str | None) -> None:
    decision = PromotionDecision(NOW, "lightgbm", NAME, "promoted", before, version, "a test says so")
    apply(decision, RegisteredModel(settings, "lightgbm"))


def test_promote__moves_the_alias_of_a_challenger_that_wins(stocked: Settings, features: pl.DataFrame) -> None:
    decision = promote(stocked, "lightgbm", features, NOW)
    assert decision.promoted, decision.reason
    assert RegisteredModel(stocked, "lightgbm").aliases() == {"champion": "3"}
    assert RegisteredModel(stocked, "lightgbm").serving_version() == "3"


def test_description__names_errors_and_the_newest_decision(stocked: Settings, features: pl.DataFrame) -> None:
    model = RegisteredModel(stocked, "lightgbm")
    assert promote(stocked, "lightgbm", features, NOW).promoted
    for version, before in (("2", "3"), ("3", "2")):
        _promoted(stocked, version, before)
    found = model.find("3")
    assert found is not None
    text = str(found.description)
    assert re.search(r"^- ph_level, 2min ahead: MAE [0-9.]+ pH, skill [+-][0-9.]+ over the best baseline$", text, re.M)
    assert text.count("Decided ") == 1
    assert text.endswith("UTC: promoted, a test says so")


def test_promote__leaves_an_equal_champion_in_place(stocked: Settings, features: pl.DataFrame) -> None:
    _promoted(stocked, "1", None)
    decision = promote(stocked, "lightgbm", features, NOW)
    assert (decision.action, decision.champion_after) == ("kept", "1")
    assert decision.champion_error == decision.challenger_error
    assert RegisteredModel(stocked, "lightgbm").aliases() == {"champion": "1", "challenger": "3"}


def test_promote__without_a_challenger_keeps_what_is(stocked: Settings, features: pl.DataFrame) -> None:
    _promoted(stocked, "3", None)
    decision = promote(stocked, "lightgbm", features, NOW)
    assert (decision.action, decision.champion_after) == ("kept", "3")
    assert "no challenger" in decision.reason


def test_promotion__does_not_take_the_alias_of_a_newer_challenger(stocked: Settings) -> None:
    _promoted(stocked, "2", None)
    assert RegisteredModel(stocked, "lightgbm").aliases() == {"champion": "2", "challenger": "3"}


def test_rollback__goes_back_step_by_step(stocked: Settings) -> None:
    for version, before in (("1", None), ("2", "1"), ("3", "2")):
        _promoted(stocked, version, before)
    assert [rolled_back(stocked, "lightgbm", NOW).champion_after for _ in range(2)] == ["2", "1"]
    assert RegisteredModel(stocked, "lightgbm").serving_version() == "1"
    with pytest.raises(ModelUnavailableError, match="no champion before version 1"):
        rolled_back(stocked, "lightgbm", NOW)


def test_promote__judges_the_version_that_is_asked_for(stocked: Settings, features: pl.DataFrame) -> None:
    assert promote(stocked, "lightgbm", features, NOW, version="2").promoted
    assert RegisteredModel(stocked, "lightgbm").aliases() == {"champion": "2", "challenger": "3"}
    assert promote(stocked, "lightgbm", features, NOW, version="2").reason == "version 2 is champion already"


def test_rollback__to_the_version_that_is_asked_for(stocked: Settings) -> None:
    _promoted(stocked, "3", None)
    assert rolled_back(stocked, "lightgbm", NOW, version="1").reason == "version 1 serves again in place of version 3"
    assert RegisteredModel(stocked, "lightgbm").serving_version() == "1"
    with pytest.raises(ModelUnavailableError, match="version 1 as champion already"):
        rolled_back(stocked, "lightgbm", NOW, version="1")
    with pytest.raises(ModelUnavailableError, match=r"Version 9 of .* cannot serve: .* no version 9"):
        rolled_back(stocked, "lightgbm", NOW, version="9")


@pytest.fixture
def damaged(stocked: Settings, trained: Trained, provenance: Provenance, features: pl.DataFrame) -> str:
    """Number of a lightgbm version, the newest, whose files were cut short."""
    made = log_and_register(trained("lightgbm"), stocked, provenance, features)
    (file,) = Path(made.source_uri.removeprefix("file://")).glob("data/package/package.json")
    file.write_text(file.read_text()[:-10])
    return made.version


def test_damaged_champion__gives_way_to_a_challenger_that_beats_the_baseline(
    stocked: Settings, damaged: str, features: pl.DataFrame
) -> None:
    _promoted(stocked, damaged, "1")
    decision = promote(stocked, "lightgbm", features, NOW, version="3")
    assert decision.promoted
    assert decision.reason.startswith(
        f"better than the baseline, and champion {damaged} cannot serve (The files of version {damaged} of {NAME} are "
        "damaged or incomplete"
    )
    assert decision.champion_error is None
    assert RegisteredModel(stocked, "lightgbm").serving_version() == "3"


def test_damaged_challenger__is_refused_and_the_refusal_is_a_row_of_the_log(
    stocked: Settings, damaged: str, features: pl.DataFrame
) -> None:
    _promoted(stocked, "1", None)
    decision = promote(stocked, "lightgbm", features, NOW)
    assert (decision.action, decision.challenger, decision.champion_after) == ("kept", damaged, "1")
    assert decision.reason.startswith(f"version {damaged} cannot be judged: The files of version {damaged}")
    assert log_rows([decision])["reason"].item() == decision.reason
    assert RegisteredModel(stocked, "lightgbm").serving_version() == "1"


def test_version_made_by_hand__is_not_promoted(stocked: Settings, features: pl.DataFrame) -> None:
    client = mlflow_client(stocked)
    found = client.get_model_version(NAME, "3")
    by_hand = client.create_model_version(NAME, found.source or "", found.run_id)  # without the digest
    decision = promote(stocked, "lightgbm", features, NOW, version=str(by_hand.version))
    assert decision.reason == "version 4 cannot be judged: it was not registered whole"


def test_rollback__to_a_damaged_version_is_refused_and_changes_nothing(stocked: Settings, damaged: str) -> None:
    _promoted(stocked, damaged, None)
    _promoted(stocked, "3", damaged)
    with pytest.raises(ModelUnavailableError, match=rf"Version {damaged} of .* cannot serve: .*damaged.*--version N"):
        rolled_back(stocked, "lightgbm", NOW)
    assert RegisteredModel(stocked, "lightgbm").serving_version() == "3"


def test_rollback__without_a_champion_is_refused(stocked: Settings) -> None:
    with pytest.raises(ModelUnavailableError, match=f"{NAME} has no champion"):
        rolled_back(stocked, "lightgbm", NOW)


def test_log__has_one_row_per_decision_in_the_columns_of_its_table() -> None:
    kept = PromotionDecision(NOW, "gru", "hydroponics_gru_forecast", "kept", "1", "1", "not better", challenger="2")
    rows = log_rows([kept, replace(kept, kind="lstm", action="promoted", champion_after="2", champion_error=0.1)])
    assert rows.columns == PROMOTION_LOG.column_names
    assert rows["action"].to_list() == ["kept", "promoted"]
    assert rows.schema["decided_at"] == pl.Datetime("us", "UTC")
    assert set(rows["kind"]) <= set(MODELS)


def test_log__is_appended_to_its_delta_table(lakehouse: Any) -> None:
    kept = PromotionDecision(NOW, "gru", "hydroponics_gru_forecast", "kept", None, None, "no challenger")
    for _ in range(2):
        lakehouse.append(PROMOTION_LOG, log_rows([kept]))
    stored = lakehouse.read_polars("predictions.promotion_log")
    assert stored.select("kind", "action", "champion_after", "compared").rows() == [("gru", "kept", None, 0)] * 2
