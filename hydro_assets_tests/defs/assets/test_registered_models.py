"""What a training tells on the page of its asset."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hydro_assets.defs.assets.registered_models import model_facts
from hydro_assets.defs.facts import SHOWN_AT_ONCE
from hydro_assets.lakehouse import TableVersion
from hydro_assets.pipeline.training import TrainedModel
from hydro_assets.registry.promotion import PromotionDecision
from hydro_assets.registry.registration import RegisteredVersion
from hydro_assets.registry.tracking import Provenance
from hydro_assets.training.train import train
from hydro_assets_tests.builders.synthetic import quick, synthetic_rows

NAME = "hydroponics_lightgbm_classifier"


def facts_of(**lightgbm: Any) -> dict[str, Any]:
    result = train(
        "lightgbm", synthetic_rows(), quick(lead_times=("1min", "5min"), lightgbm={"num_boost_round": 3, **lightgbm})
    )
    registered = RegisteredVersion(NAME, "3", "run", "experiment", "source", "https://mlflow/run", None)
    decision = PromotionDecision(datetime(2026, 1, 1, tzinfo=UTC), "lightgbm", NAME, "kept", "2", "2", "no better")
    provenance = Provenance(trained_at=datetime(2026, 1, 1, tzinfo=UTC))
    return model_facts(TrainedModel(result, registered, decision, TableVersion("table", 7), provenance))


def test_facts__hold_errors_beside_baselines_coverage_scores_pictures_and_the_way_back() -> None:
    facts = facts_of()
    numbers = {"MAE of ph_level, 1min ahead (pH)", "MAE of ph_level, 5min ahead (pH)"}
    coverage = [f"holdout: share inside the {share} % interval" for share in (80, 95)]
    assert all(isinstance(facts[name], float) for name in (*numbers, *coverage))
    assert facts[coverage[0]] <= facts[coverage[1]]
    assert (facts["version"], facts["run id in MLflow"], facts["version of the features"]) == (3, "run", 7)
    assert list(facts)[:4] == ["version", "serves", "because", "MLflow run"]
    assert len(facts["errors on the holdout"].value) < SHOWN_AT_ONCE
    assert facts["MLflow run"].value == "https://mlflow/run"
    assert facts["model card"].value.startswith(f"# {NAME} version 3")
    assert {"plot learning curve", "plot reliability", "plot error by horizon", "plot forecast h5"} <= set(facts)
    table = [" ".join(row.split()) for row in facts["all metrics"].value.splitlines()]
    assert "coverage_95" in table[0]
    assert len([row for row in table if row.startswith("| holdout | lightgbm | ph_level |")]) == 2
    assert "roc_auc" in facts["classification"].value
    assert "hit_rate" in facts["leaving the band"].value


def test_facts__of_a_step_that_an_earlier_attempt_had_done_are_those_of_the_version() -> None:
    registered = RegisteredVersion(NAME, "3", "run", "experiment", "source", None, None)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    decision = PromotionDecision(at, "lightgbm", NAME, "promoted", None, "3", "better")
    facts = model_facts(TrainedModel(None, registered, decision, TableVersion("t", 7), Provenance(trained_at=at)))
    assert (facts["version"], facts["serves"], facts["because"]) == (3, True, "better")


@pytest.mark.parametrize(
    ("task_type", "missing"), [("regression", "classification"), ("classification", "plot forecast h1")]
)
def test_facts__of_one_task_leave_the_other_out(task_type: str, missing: str) -> None:
    assert missing not in facts_of(task_type=task_type)
