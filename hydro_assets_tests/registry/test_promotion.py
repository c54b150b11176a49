"""A challenger serves only if it beats baseline and champion on the same holdout; the way back is one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.registry.comparison import MINIMUM_COMPARED, Candidate, PromotionDecision, decide
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.promotion import PROMOTION_LOG, apply, log_rows, promote, rollback
from hydro_assets.registry.registry import log_and_register
from hydro_assets.registry.serving import serving_version
from hydro_assets.registry.tracking import Provenance
from hydro_assets.registry.versions import aliases
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS
from hydro_assets.training.train import TrainingResult

MakeSettings = Callable[..., Settings]
Trained = Callable[[str], TrainingResult]
NOW = datetime(2024, 3, 2, 7, tzinfo=UTC)
NAME = "hydroponics_lightgbm_classifier"


class Forecaster:
    """A package that is off by `error` from the truth, beside a baseline that is off by `baseline_error`."""

    def __init__(
        self,
        real: Any,
        features: pl.DataFrame,
        error: float,
        baseline_error: float = 0.3,
        *,
        persistence_is_better_by: float = 0.0,
        horizons: tuple[int, ...] = (1, 2),
        holdout_start: datetime | None = None,
        **info: Any,
    ) -> None:
        split = {} if holdout_start is None else {"holdout_start": holdout_start.isoformat()}
        self.info = real.info.model_copy(update={"horizons": horizons, "split": split, **info})
        self.features, self.error, self.baseline_error = features, error, baseline_error
        self.persistence_is_better_by = persistence_is_better_by
        self.asked: list[tuple[datetime, datetime]] = []

    def predict(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        self.asked.append((start, end))
        rows = self.features.select("system_id", "timestamp", "ph_level")
        rows = rows.filter(pl.col("timestamp").is_between(start, end, closed="left"))
        return pl.concat(
            [
                rows.with_columns(
                    horizon=pl.lit(h, pl.Int32), truth=pl.col("ph_level").shift(-h).over("system_id")
                ).select(
                    "system_id",
                    "timestamp",
                    "horizon",
                    prediction=pl.col("truth") + self.error,
                    baseline=pl.col("truth") - self.baseline_error,
                    optimal_probability=pl.lit(None, pl.Float64),
                )
                for h in self.info.horizons
            ]
        )

    def baselines(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        said = pl.col("baseline")
        return self.predict(frame, start, end).select(
            "system_id", "timestamp", "horizon", persistence=said + self.persistence_is_better_by, short_mean=said
        )


@pytest.fixture
def judge(quick: MakeSettings, trained: Trained, features: pl.DataFrame) -> Callable[..., PromotionDecision]:
    """`decide` on the small farm for forecasters with given errors."""

    def _judge(
        challenger: dict[str, Any], champion: dict[str, Any] | None, rows: pl.DataFrame = features, **settings: Any
    ) -> PromotionDecision:
        def candidate(version: str, given: dict[str, Any]) -> Candidate:
            return Candidate(version, Forecaster(trained("gru").package, rows, **given))  # type: ignore[arg-type]

        rival = None if champion is None else candidate("1", champion)
        return decide(quick(**settings), "gru", candidate("2", challenger), rival, rows, NOW)

    return _judge


@pytest.mark.parametrize(
    ("challenger", "champion", "promoted", "reason"),
    [
        (
            {"error": 0.1},
            None,
            True,
            "better than the baseline, and there was no champion: MAE (pH) of version 2 is 0.1, of the baseline 0.3",
        ),
        (
            {"error": 0.3},
            None,
            False,
            "not better than the baseline: MAE (pH) of version 2 is 0.3, of the baseline 0.3",
        ),
        (
            {"error": 0.2, "persistence_is_better_by": 0.2},
            None,
            False,
            "not better than the baseline: MAE (pH) of version 2 is 0.2, of the baseline 0.1",
        ),
        (
            {"error": 0.1},
            {"error": 0.2},
            True,
            "better than champion and baseline: MAE (pH) of version 2 is 0.1, of the baseline 0.3, of champion 1 0.2",
        ),
        (
            {"error": 0.2},
            {"error": 0.1},
            False,
            "not better than the champion: MAE (pH) of version 2 is 0.2, of the baseline 0.3, of champion 1 0.1",
        ),
        (
            {"error": 0.4},
            {"error": 0.5},
            False,
            "not better than the baseline: MAE (pH) of version 2 is 0.4, of the baseline 0.3",
        ),
        (
            {"error": 0.2},
            {"error": 0.1, "target_col": "tds_level"},
            True,
            "better than the baseline, and champion 1 cannot serve (it forecasts tds_level, asked for is ph_level): "
            "MAE (pH) of version 2 is 0.2, of the baseline 0.3",
        ),
        (
            {"error": 0.2},
            {"error": 0.1, "horizons": (1,)},
            True,
            "better than the baseline, and champion 1 cannot serve (it has no forecast 2 steps ahead (forecast_horizon "
            "is 2)): MAE (pH) of version 2 is 0.2, of the baseline 0.3",
        ),
        (
            {"error": 0.1, "step_seconds": 300.0},
            None,
            False,
            "version 2 cannot be judged: it was trained on a 5min grid, the features have 1min",
        ),
    ],
    ids=[
        "first",
        "as good as the baseline",
        "better than the baseline of its training, worse than the other",
        "better",
        "worse than the champion",
        "worse than the baseline",
        "champion of another target",
        "champion of other horizons",
        "challenger of another grid",
    ],
)
def test_decision__says_who_won_and_why(
    judge: Callable[..., PromotionDecision],
    challenger: dict[str, Any],
    champion: dict[str, Any] | None,
    promoted: bool,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "step_seconds" in challenger:  # truth of another grid cannot even be looked up on these rows
        monkeypatch.setattr(
            "hydro_assets.registry.comparison._scored",
            lambda *_: pl.DataFrame(
                schema={
                    "system_id": pl.String,
                    "timestamp": pl.Datetime("us", "UTC"),
                    "horizon": pl.Int32,
                    "forecast": pl.Float64,
                    "truth": pl.Float64,
                    "baseline": pl.Float64,
                    "now": pl.Float64,
                }
            ),
        )
    decision = judge(challenger, champion)
    assert decision.promoted is promoted
    assert decision.champion_after == ("2" if promoted else decision.champion_before)
    assert decision.reason.startswith(reason)


def test_decision__compares_only_rows_that_neither_has_seen(
    quick: MakeSettings, trained: Trained, features: pl.DataFrame
) -> None:
    start = features["timestamp"][0]
    assert isinstance(start, datetime)
    real = trained("gru").package
    challenger = Forecaster(real, features, 0.1, holdout_start=start + timedelta(hours=10))
    champion = Forecaster(real, features, 0.2, holdout_start=start + timedelta(hours=12))
    decision = decide(
        quick(),
        "gru",
        Candidate("2", challenger),
        Candidate("1", champion),
        features,
        NOW,  # type: ignore[arg-type]
    )
    assert decision.holdout_start == start + timedelta(hours=12)
    assert {asked for package in (challenger, champion) for asked in package.asked} == {
        (start + timedelta(hours=12), start + timedelta(hours=20))
    }


def test_decision__on_too_few_rows_keeps_what_is(
    judge: Callable[..., PromotionDecision], features: pl.DataFrame
) -> None:
    decision = judge({"error": 0.1}, None, rows=features.head(MINIMUM_COMPARED // 2))
    assert not decision.promoted
    assert "are needed" in decision.reason


def test_truth__does_not_cross_a_gap(judge: Callable[..., PromotionDecision], features: pl.DataFrame) -> None:
    gappy = pl.concat([features.head(100), features.slice(160, 100)])
    whole, split = (judge({"error": 0.1}, None, rows=rows).compared for rows in (features.head(200), gappy))
    assert whole - split == 3, "one forecast of one step and two of two steps ahead end in the gap"


def test_classifier_alone__is_judged_by_its_brier_score(quick: MakeSettings, features: pl.DataFrame) -> None:
    from hydro_assets.training.train import train

    settings = quick(lightgbm={"task_type": "classification", "num_boost_round": 20})
    package = train("lightgbm", features, settings).package
    decision = decide(settings, "lightgbm", Candidate("1", package), None, features, NOW)
    assert (decision.metric, decision.unit) == ("brier", "1")
    assert decision.compared > MINIMUM_COMPARED
    assert decision.challenger_error is not None
    assert 0 <= decision.challenger_error <= 1


def test_classifier_alone__does_not_take_the_place_of_a_champion_that_forecasts(
    quick: MakeSettings, trained: Trained, features: pl.DataFrame
) -> None:
    from hydro_assets.training.train import train

    settings = quick(lightgbm={"task_type": "classification", "num_boost_round": 20})
    package = train("lightgbm", features, settings).package
    both = Candidate("1", trained("lightgbm").package)
    decision = decide(settings, "lightgbm", Candidate("2", package), both, features, NOW)
    assert not decision.promoted
    assert decision.reason.endswith("it forecasts no ph_level, champion 1 does")


def _promoted(settings: Settings, version: str, before: str | None) -> None:
    apply(PromotionDecision(NOW, "lightgbm", NAME, "promoted", before, version, "a test says so"), settings)


def test_promote__moves_the_alias_of_a_challenger_that_wins(farm: Settings, features: pl.DataFrame) -> None:
    decision = promote(farm, "lightgbm", features, NOW)
    assert decision.promoted, decision.reason
    assert aliases(mlflow_client(farm), NAME) == {"champion": "3"}
    assert serving_version(farm, "lightgbm") == "3"


def test_promote__leaves_an_equal_champion_in_place(farm: Settings, features: pl.DataFrame) -> None:
    _promoted(farm, "1", None)
    decision = promote(farm, "lightgbm", features, NOW)
    assert (decision.action, decision.champion_after) == ("kept", "1")
    assert decision.champion_error == decision.challenger_error
    assert aliases(mlflow_client(farm), NAME) == {"champion": "1", "challenger": "3"}


def test_promote__without_a_challenger_keeps_what_is(farm: Settings, features: pl.DataFrame) -> None:
    _promoted(farm, "3", None)
    decision = promote(farm, "lightgbm", features, NOW)
    assert (decision.action, decision.champion_after) == ("kept", "3")
    assert "no challenger" in decision.reason


def test_promotion__does_not_take_the_alias_of_a_newer_challenger(farm: Settings) -> None:
    _promoted(farm, "2", None)
    assert aliases(mlflow_client(farm), NAME) == {"champion": "2", "challenger": "3"}


def test_rollback__goes_back_step_by_step(farm: Settings) -> None:
    for version, before in (("1", None), ("2", "1"), ("3", "2")):
        _promoted(farm, version, before)
    assert [rollback(farm, "lightgbm", NOW).champion_after for _ in range(2)] == ["2", "1"]
    assert serving_version(farm, "lightgbm") == "1"
    with pytest.raises(ModelUnavailableError, match="no champion before version 1"):
        rollback(farm, "lightgbm", NOW)


def test_promote__judges_the_version_that_is_asked_for(farm: Settings, features: pl.DataFrame) -> None:
    assert promote(farm, "lightgbm", features, NOW, version="2").promoted
    assert aliases(mlflow_client(farm), NAME) == {"champion": "2", "challenger": "3"}
    assert promote(farm, "lightgbm", features, NOW, version="2").reason == "version 2 is champion already"


def test_rollback__to_the_version_that_is_asked_for(farm: Settings) -> None:
    _promoted(farm, "3", None)
    assert rollback(farm, "lightgbm", NOW, version="1").reason == "version 1 serves again in place of version 3"
    assert serving_version(farm, "lightgbm") == "1"
    with pytest.raises(ModelUnavailableError, match="version 1 as champion already"):
        rollback(farm, "lightgbm", NOW, version="1")
    with pytest.raises(ModelUnavailableError, match=r"Version 9 of .* cannot serve: .* no version 9"):
        rollback(farm, "lightgbm", NOW, version="9")


@pytest.fixture
def damaged(farm: Settings, trained: Trained, provenance: Provenance, features: pl.DataFrame) -> str:
    """Number of a lightgbm version, the newest, whose files were cut short."""
    made = log_and_register(trained("lightgbm"), farm, provenance, features)
    (file,) = Path(made.source_uri.removeprefix("file://")).glob("data/package/package.json")
    file.write_text(file.read_text()[:-10])
    return made.version


def test_damaged_champion__gives_way_to_a_challenger_that_beats_the_baseline(
    farm: Settings, damaged: str, features: pl.DataFrame
) -> None:
    _promoted(farm, damaged, "1")
    decision = promote(farm, "lightgbm", features, NOW, version="3")
    assert decision.promoted
    assert decision.reason.startswith(
        f"better than the baseline, and champion {damaged} cannot serve (The files of version {damaged} of {NAME} are "
        "damaged or incomplete"
    )
    assert decision.champion_error is None
    assert serving_version(farm, "lightgbm") == "3"


def test_damaged_challenger__is_refused_and_the_refusal_is_a_row_of_the_log(
    farm: Settings, damaged: str, features: pl.DataFrame
) -> None:
    _promoted(farm, "1", None)
    decision = promote(farm, "lightgbm", features, NOW)
    assert (decision.action, decision.challenger, decision.champion_after) == ("kept", damaged, "1")
    assert decision.reason.startswith(f"version {damaged} cannot be judged: The files of version {damaged}")
    assert log_rows([decision])["reason"].item() == decision.reason
    assert serving_version(farm, "lightgbm") == "1"


def test_version_made_by_hand__is_not_promoted(farm: Settings, features: pl.DataFrame) -> None:
    client = mlflow_client(farm)
    found = client.get_model_version(NAME, "3")
    by_hand = client.create_model_version(NAME, found.source or "", found.run_id)  # without the digest
    decision = promote(farm, "lightgbm", features, NOW, version=str(by_hand.version))
    assert decision.reason == "version 4 cannot be judged: it was not registered whole"


def test_rollback__to_a_damaged_version_is_refused_and_changes_nothing(farm: Settings, damaged: str) -> None:
    _promoted(farm, damaged, None)
    _promoted(farm, "3", damaged)
    with pytest.raises(ModelUnavailableError, match=rf"Version {damaged} of .* cannot serve: .*damaged.*--version N"):
        rollback(farm, "lightgbm", NOW)
    assert serving_version(farm, "lightgbm") == "3"


def test_rollback__without_a_champion_is_refused(farm: Settings) -> None:
    with pytest.raises(ModelUnavailableError, match=f"{NAME} has no champion"):
        rollback(farm, "lightgbm", NOW)


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
