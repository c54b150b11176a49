"""`hydro promote` and `hydro rollback` as jobs: the same functions, the decision on the model's page."""

from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from hydro_assets.defs.jobs.promotion_jobs import promote_job, roll_back_job
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.registry.promotion import PromotionDecision
from hydro_assets.settings import Settings


class Decided:
    """Stands in for `compete` and `roll_back`; remembers what it was asked."""

    def __init__(self, action: Any) -> None:
        self.action = action
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, house: Lakehouse, kind: str, at: datetime, version: str | None) -> PromotionDecision:
        self.asked.append((kind, version))
        return PromotionDecision(at, kind, f"hydroponics_{kind}", self.action, None, "2", "a test says so", "2")


@pytest.fixture
def competed(monkeypatch: pytest.MonkeyPatch) -> Decided:
    stand_in = Decided("promoted")
    monkeypatch.setattr("hydro_assets.pipeline.competition.compete", stand_in)
    return stand_in


@pytest.fixture
def rolled_back(monkeypatch: pytest.MonkeyPatch) -> Decided:
    stand_in = Decided("rolled_back")
    monkeypatch.setattr("hydro_assets.pipeline.competition.roll_back", stand_in)
    return stand_in


def run(job: dg.JobDefinition, settings: Settings, **choice: Any) -> dg.ExecuteInProcessResult:
    config = {"ops": {job.nodes[0].name: {"config": choice}}} if choice else None
    resources = {"lakehouse": LakehouseResource.of(settings)}
    return job.execute_in_process(run_config=config, resources=resources, raise_on_error=False)


def observed(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    events = [e.event_specific_data for e in result.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    seen = [event.asset_observation for event in events]  # type: ignore[union-attr]
    return {o.asset_key.path[-1]: {name: value.value for name, value in o.metadata.items()} for o in seen}


def test_promote_job__judges_every_kind_and_tells_the_decision_on_the_models_page(
    settings: Settings, competed: Decided
) -> None:
    result = run(promote_job, settings)
    assert result.success
    assert competed.asked == [("lstm", None), ("gru", None), ("lightgbm", None)]
    seen = observed(result)
    assert set(seen) == {
        "hydroponics_lstm_forecast",
        "hydroponics_gru_forecast",
        "hydroponics_lightgbm_classifier",
    }
    decision = seen["hydroponics_gru_forecast"]
    assert (decision["action"], decision["champion_after"], decision["reason"]) == ("promoted", "2", "a test says so")
    assert "champion_before" not in decision


def test_promote_job__of_one_kind_judges_the_version_that_is_asked_for(settings: Settings, competed: Decided) -> None:
    assert run(promote_job, settings, kinds=["gru"], version="3").success
    assert competed.asked == [("gru", "3")]


def test_roll_back_job__rolls_back_what_is_chosen_only(settings: Settings, rolled_back: Decided) -> None:
    result = run(roll_back_job, settings, kinds=["lstm"])
    assert result.success
    assert rolled_back.asked == [("lstm", None)]
    assert observed(result)["hydroponics_lstm_forecast"]["action"] == "rolled_back"


def test_roll_back_job__has_no_default_choice() -> None:
    assert dg.validate_run_config(promote_job) != {}
    with pytest.raises(dg.DagsterInvalidConfigError, match="restore_champions"):
        dg.validate_run_config(roll_back_job)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"kinds": ["xgboost"]}, "'xgboost' is not a kind of model"),
        ({"kinds": []}, "no kind of model is chosen"),
        ({"kinds": ["lstm", "gru"], "version": "3"}, "version 3 is asked for of 2 models"),
    ],
    ids=["unknown kind", "no kind", "a version of two kinds"],
)
def test_choice__that_is_none_fails_before_anything_is_judged(
    settings: Settings, competed: Decided, choice: dict[str, Any], said: str
) -> None:
    result = run(promote_job, settings, **choice)
    assert not result.success
    assert competed.asked == []
    assert said in str(result.failure_data_for_node("judge_challengers"))


def test_roll_back_job__without_a_version_to_go_back_to_fails_with_the_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> PromotionDecision:
        raise ModelUnavailableError("hydroponics_lstm_forecast has no champion", "Choose a version")

    monkeypatch.setattr("hydro_assets.pipeline.competition.roll_back", refuse)
    result = run(roll_back_job, settings, kinds=["lstm"])
    assert not result.success
    assert "has no champion. Choose a version." in str(result.failure_data_for_node("restore_champions"))
