from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from hydro_assets.monitoring.rules import decide_retrain
from hydro_assets_tests.builders.stand_ins import small_settings

TODAY = date(2024, 3, 10)
GOOD, WORSE = 0.9, 1.2  # MAE over that of the baseline
FEATURES = ("a", "b", "c", "d")


def days_back(n: int) -> date:
    return TODAY - timedelta(days=n)


def accuracy(newest_last: list[float | None], n: int = 1000, in_training: bool = False) -> pl.DataFrame:
    """The ensemble's MAE over the baseline's, per day up to today."""
    rows = [
        {
            "date": days_back(len(newest_last) - 1 - i),
            "system_id": system,
            "target": "ph_level",
            "lead_minutes": 1.0,
            "is_in_training": in_training,
            "model": "ensemble",
            "n": n,
            "mae": ratio * 0.1,
            "baseline_mae": 0.1,
        }
        for i, ratio in enumerate(newest_last)
        if ratio is not None
        for system in ("all", "a")
    ]
    return pl.DataFrame(
        rows,
        schema={
            "date": pl.Date,
            "system_id": pl.String,
            "target": pl.String,
            "lead_minutes": pl.Float64,
            "is_in_training": pl.Boolean,
            "model": pl.String,
            "n": pl.Int64,
            "mae": pl.Float64,
            "baseline_mae": pl.Float64,
        },
    )


def drift(newest_last: list[int], versions: str | list[str] = "1") -> pl.DataFrame:
    """Number of drifted features of four per day."""
    names = [versions] * len(newest_last) if isinstance(versions, str) else versions
    rows = [
        {
            "date": days_back(len(newest_last) - 1 - i),
            "model": "gru",
            "version": names[i],
            "feature": f,
            "psi": 0.5 + j if j < drifted else 0.05,
        }
        for i, drifted in enumerate(newest_last)
        for j, f in enumerate(FEATURES)
    ]
    return pl.DataFrame(
        rows,
        schema={"date": pl.Date, "model": pl.String, "version": pl.String, "feature": pl.String, "psi": pl.Float64},
    )


def decide(ratios=(), drifted=(), quality=None, last_training=None, versions="1", n=1000, in_training=False):
    quality = quality or {}
    errors = accuracy(list(ratios), n, in_training)
    return decide_retrain(errors, drift(list(drifted), versions), quality, small_settings(), TODAY, last_training)


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        pytest.param([GOOD] * 7, False, id="better on every day"),
        pytest.param([WORSE, GOOD, WORSE, GOOD, GOOD, GOOD, WORSE], True, id="three of seven and the newest"),
        pytest.param([WORSE, WORSE, WORSE, WORSE, WORSE, WORSE, GOOD], False, id="the newest day is good again"),
        pytest.param([GOOD] * 5 + [WORSE] * 2, False, id="only two days"),
        pytest.param([WORSE, WORSE] + [GOOD] * 6 + [WORSE], False, id="bad days left the window"),
        pytest.param([WORSE, WORSE, None, None, None, None, WORSE], True, id="days without rows in between"),
        pytest.param([1.04] * 7, False, id="within the tolerance"),
        pytest.param([], False, id="nothing measured"),
    ],
)
def test_accuracy_rule__needs_n_of_m_days_and_the_newest(ratios: list[float | None], expected: bool) -> None:
    decision = decide(ratios)
    assert decision.should_retrain is expected
    assert all(reason.startswith("accuracy:") for reason in decision.reasons)


def test_reason__names_the_rule_and_its_numbers() -> None:
    decision = decide([WORSE] * 4)
    assert decision.reasons == (
        "accuracy: the ensemble's MAE was over the best baseline's on 4 of the last 7 days, on 2024-03-10 1.2 times it "
        "in the mean over targets and lead times, most of all ph_level 1 min ahead (1.2 times)",
    )


def test_rows_that_a_model_learned_from__feed_no_rule() -> None:
    assert not decide([WORSE] * 7, in_training=True).reasons


def test_targets_of_different_units__count_the_same() -> None:
    """Much worse in a target of small numbers is not hidden by one of large numbers that is a little better."""
    large = accuracy([0.99] * 7).with_columns(target=pl.lit("tds_level"), mae=99.0, baseline_mae=100.0)
    both = pl.concat([accuracy([WORSE] * 7), large.select(accuracy([]).columns)])
    decision = decide_retrain(both, drift([]), {}, small_settings(), TODAY, None)
    assert decision.should_retrain
    assert "1.095 times it in the mean" in decision.text


def test_days_of_few_actual_values__are_not_judged() -> None:
    assert not decide([WORSE] * 7, n=10).should_retrain


def test_drift_rule__names_the_features() -> None:
    decision = decide(drifted=[2, 2, 2])
    assert decision.should_retrain
    assert "50% of the features of the gru model" in decision.text
    assert "most of all b, a" in decision.text


def test_drift_against_another_version__does_not_count() -> None:
    assert not decide(drifted=[2, 2, 2], versions=["1", "1", "2"]).should_retrain


def test_bad_data__blocks_training_and_counts_for_no_rule() -> None:
    broken = {"ok": 100, "unknown_target": 900}
    decision = decide([WORSE] * 7, quality={str(TODAY): broken})
    assert not decision.should_retrain
    assert decision.blocked_by == ("the target is missing in 90% of the rows of 2024-03-10; mend the probe first",)
    earlier = {str(days_back(i)): broken for i in range(1, 6)}
    assert not decide([WORSE] * 7, quality=earlier).should_retrain


def test_training__is_not_repeated_before_new_days_say_so() -> None:
    assert not decide([WORSE] * 7, last_training=days_back(0)).should_retrain
    assert not decide([WORSE] * 7, last_training=days_back(2)).should_retrain
    assert decide([WORSE] * 7, last_training=days_back(3)).should_retrain
