"""Let a challenger compete with the champion, and go back: the rule of promotion stands here.

A challenger becomes champion when

1. it forecasts all that the champion forecasts and the settings ask: every target, lead time and label;
2. its error is below that of the best baseline on the same rows (its Brier score, for a model without targets);
3. and it is better than the champion: the 95 % interval of the difference, in errors or in Brier scores, lies wholly on
   its side and neither lies wholly on the other; or it is no worse in either, and the champion was trained more than
   `settings.champion_days` days ago.

Without a champion that can serve, 2 is enough. Whatever is not promoted stays registered.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.feature_rows import feature_rows
from hydro_assets.registry.coverage import lost, misfits
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.promotion import (
    Candidate,
    Damaged,
    PromotionDecision,
    apply,
    candidate,
    log_rows,
    rollback,
    unlogged,
)
from hydro_assets.registry.registered_model import CHALLENGER, CHAMPION, RegisteredModel
from hydro_assets.registry.registration import make_challenger
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, PROMOTION_LOG
from hydro_assets.training.comparison import Compared, Comparison, compare

MINIMUM_COMPARED = 30
"""Fewer compared forecasts decide nothing."""


def compete(lakehouse: Lakehouse, kind: str, decided_at: datetime, version: str | None = None) -> PromotionDecision:
    """Judge a version, by default the challenger, against the champion on the feature table as it is now; log it."""
    with feature_rows(lakehouse) as (features, _):
        return promote(lakehouse, kind, features, decided_at, version)


def roll_back(lakehouse: Lakehouse, kind: str, decided_at: datetime, version: str | None = None) -> PromotionDecision:
    """Make a version, by default the champion before the present one, champion again, and log it."""
    log_change_elsewhere(lakehouse, kind, decided_at)
    decision = rollback(RegisteredModel(lakehouse.settings, kind), decided_at, version)
    _log(lakehouse, decision)
    return decision


def promote(
    lakehouse: Lakehouse, kind: str, features: pl.DataFrame, decided_at: datetime, version: str | None = None
) -> PromotionDecision:
    """`judge`, move the alias if the challenger wins, and log the decision."""
    log_change_elsewhere(lakehouse, kind, decided_at)
    model = RegisteredModel(lakehouse.settings, kind)
    decision = judge(model, features, decided_at, version)
    apply(decision, model)
    _log(lakehouse, decision)
    return decision


def finish_decisions(lakehouse: Lakehouse, at: datetime) -> list[PromotionDecision]:
    """What killed processes left of each kind: a champion that the log does not know, a newest version never judged."""
    found = []
    for kind in MODELS:
        model, change = RegisteredModel(lakehouse.settings, kind), log_change_elsewhere(lakehouse, kind, at)
        found += [] if change is None else [change]
        with tracking_errors(model.settings, f"Looking up the newest version of {model.name}"):
            newest = model.latest_whole()
        logged = decisions(lakehouse, kind)
        if newest is None or newest in {*logged["challenger"], *logged["champion_after"]}:
            continue
        with tracking_errors(model.settings, f"Making version {newest} of {model.name} challenger"):
            make_challenger(model, newest)
        found.append(compete(lakehouse, kind, at, newest))
    return found


def decisions(lakehouse: Lakehouse, kind: str) -> pl.DataFrame:
    """Rows of the log of one kind's present model, oldest first; none where nothing was decided yet."""
    if not lakehouse.exists(PROMOTION_LOG.name):
        return log_rows([])
    name = RegisteredModel(lakehouse.settings, kind).name
    return lakehouse.read_polars(PROMOTION_LOG.name).filter(model_name=name).sort("decided_at")


def log_change_elsewhere(lakehouse: Lakehouse, kind: str, at: datetime) -> PromotionDecision | None:
    """Log the champion that the log does not know, if there is one."""
    change = unlogged(RegisteredModel(lakehouse.settings, kind), decisions(lakehouse, kind), at)
    if change is not None:
        _log(lakehouse, change)
    return change


def _log(lakehouse: Lakehouse, decision: PromotionDecision) -> None:
    """The newest row is the decision in force, so a row comes after those before it, whatever the wall clock says."""
    last = decisions(lakehouse, decision.kind)["decided_at"].max()
    if isinstance(last, datetime) and decision.decided_at <= last:
        decision = replace(decision, decided_at=last + timedelta(microseconds=1))
    lakehouse.append(PROMOTION_LOG, log_rows([decision]))


def judge(
    model: RegisteredModel, features: pl.DataFrame, decided_at: datetime, version: str | None = None
) -> PromotionDecision:
    """Hold a version of `model`, by default its challenger, against its champion on `features`.

    A version that cannot be loaded is refused; a champion that cannot be loaded does not stand in the way of a version
    that is better than the baseline.

    Raises:
        TrackingError: the registry or the store of the files does not answer. Nothing is changed: a champion that
            cannot be reached is not a damaged one.
    """
    with tracking_errors(model.settings, f"Looking up champion and challenger of {model.name}"):
        given = model.aliases()
    current, judged = given.get(CHAMPION), version or given.get(CHALLENGER)

    def kept(reason: str) -> PromotionDecision:
        return PromotionDecision(decided_at, model.kind, model.name, "kept", current, current, reason, judged)

    if judged is None:
        return kept(f"{model.name} has no challenger to judge")
    if judged == current:
        return kept(f"version {judged} is champion already")
    challenger = candidate(model, judged)
    if isinstance(challenger, Damaged):
        return kept(f"version {judged} cannot be judged: {challenger.problem}")
    champion = None if current is None else candidate(model, current)
    return decide(model, challenger, champion, features, decided_at)


def decide(
    model: RegisteredModel,
    challenger: Candidate,
    champion: Candidate | Damaged | None,
    features: pl.DataFrame,
    decided_at: datetime,
) -> PromotionDecision:
    """The decision on two loaded versions."""
    settings = model.settings
    before = None if champion is None else champion.version

    def decided(wins: bool, reason: str, found: Comparison | None = None) -> PromotionDecision:
        facts = {} if found is None else _facts(found)
        after = challenger.version if wins else before
        return PromotionDecision(
            decided_at,
            model.kind,
            model.name,
            "promoted" if wins else "kept",
            before,
            after,
            reason,
            challenger.version,
            **facts,
        )

    if problems := misfits(challenger.package.info, settings):
        return decided(False, f"version {challenger.version} cannot be judged: {'; '.join(problems)}")
    cannot_serve = None
    if isinstance(champion, Damaged):
        cannot_serve = champion.problem
    elif champion is not None:
        cannot_serve = "; ".join(misfits(champion.package.info, settings)) or None
    rival = champion if isinstance(champion, Candidate) and cannot_serve is None else None
    if rival is not None and (less := lost(rival.package.info, challenger.package.info, settings)):
        return decided(
            False,
            f"version {challenger.version} stays challenger: it does not forecast {'; '.join(less)}, "
            f"which champion {rival.version} does",
        )
    found = compare(challenger.package, None if rival is None else rival.package, features, settings.seed)
    if rival is not None:
        wins, reason = _against_champion(challenger, rival, found, settings, decided_at)
        return decided(wins, reason, found)
    wins, floor = _against_baseline(challenger, found)
    if wins and champion is None:
        return decided(True, f"better than the baseline, and there was no champion: {floor}", found)
    if wins:
        return decided(
            True, f"better than the baseline, and champion {before} cannot serve ({cannot_serve}): {floor}", found
        )
    return decided(False, floor, found)


def _against_baseline(challenger: Candidate, found: Comparison) -> tuple[bool, str]:
    """Whether the challenger is better than the best baseline, and the sentence with the numbers."""
    who, errors, briers = f"version {challenger.version}", found.errors, found.briers
    compared = max(errors.rows, briers.rows)
    if compared < MINIMUM_COMPARED:
        return False, f"{who} cannot be judged: {compared} forecasts could be compared, {MINIMUM_COMPARED} are needed"
    if errors.challenger is not None:
        wins = errors.challenger < 1
        text = f"the MAE of {who} is {_digits(errors.challenger, 1.0)[0]} times that of the best baseline"
    elif briers.challenger is not None and briers.baseline is not None:
        wins = briers.challenger < briers.baseline
        own, other = _digits(briers.challenger, briers.baseline)
        text = f"the Brier score of {who} is {own}, of the baseline {other}"
    else:
        return False, f"{who} cannot be judged: no baseline errs, so nothing can be better"
    return wins, text if wins else f"not better than the baseline: {text}"


def _against_champion(
    challenger: Candidate, champion: Candidate, found: Comparison, settings: Settings, decided_at: datetime
) -> tuple[bool, str]:
    """Whether the challenger wins against baseline and champion, and why."""
    is_good, floor = _against_baseline(challenger, found)
    if not is_good:
        return False, floor
    scores = [("MAE in units of the best baseline's", found.errors), ("Brier score", found.briers)]
    measured = [(name, s) for name, s in scores if s.difference is not None]
    beside = "; ".join(_beside(name, score, challenger.version, champion.version) for name, score in measured)
    differences = [s.difference for _, s in measured if s.difference is not None]
    if any(d.is_worse for d in differences):
        return False, f"worse than the champion: {beside}"
    if any(d.is_better for d in differences):
        return True, f"better than champion and baseline: {beside}"
    age = None if champion.trained_at is None else decided_at - champion.trained_at
    if all(d.value <= 0 for d in differences) and age is not None and age >= timedelta(days=settings.champion_days):
        return True, f"no worse than the champion, which was trained {age.days} days ago: {beside}"
    return False, f"not surely better than the champion: {beside}"


def _beside(name: str, score: Compared, challenger: str, champion: str) -> str:
    assert score.challenger is not None
    assert score.champion is not None
    own, other = _digits(score.challenger, score.champion)
    return f"{name} of version {challenger} is {own}, of champion {champion} {other}, difference {score.difference}"


def _digits(a: float, b: float) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to tell them apart, at least 4 and at most 12."""
    for digits in range(4, 13):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1] or a == b:
            return texts
    return texts


def _facts(found: Comparison) -> dict[str, Any]:
    """The numbers of a comparison as columns of the log."""
    errors, briers = found.errors, found.briers
    value, low, high = errors.difference or (None, None, None)
    return {
        "challenger_error": errors.challenger,
        "champion_error": errors.champion,
        "error_difference": value,
        "error_difference_low": low,
        "error_difference_high": high,
        "challenger_brier": briers.challenger,
        "champion_brier": briers.champion,
        "compared": errors.rows + briers.rows,
        "holdout_start": found.start,
        "holdout_end": found.end,
    }
