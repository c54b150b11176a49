"""Champion and challenger: which version serves, the way back, and the log of every decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import polars as pl

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse.lakehouse import POLARS_TYPES
from hydro_assets.registry.comparison import Candidate, Damaged, PromotionDecision, decide
from hydro_assets.registry.mlflow_client import mlflow_client, registered_name, tracking_errors
from hydro_assets.registry.serving import fetch_package, misfits
from hydro_assets.registry.versions import CHALLENGER, CHAMPION, aliases, find_version, is_whole
from hydro_assets.settings import Settings
from hydro_assets.tables import PROMOTION_LOG

PREVIOUS = "previous_champion"  # tag of a version: the champion that it replaced, where a rollback returns to


def promote(
    settings: Settings,
    kind: str,
    features: pl.DataFrame,
    decided_at: datetime,
    version: str | None = None,
) -> PromotionDecision:
    """Judge a version of `kind` against the champion on `features` and move the alias if it wins.

    A version that cannot be loaded is refused; a champion that cannot be loaded does not stand in the way of a version
    that is better than the baseline.

    Args:
        features: feature rows of the holdout with history before it; the holdout runs from the start of the judged
            version's own to the last row.
        version: what is judged; default the challenger.

    Raises:
        TrackingError: the registry or the store of the files does not answer. Nothing is changed: a champion that
            cannot be reached is not a damaged one.
    """
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Looking up champion and challenger of {name}"):
        given = aliases(mlflow_client(settings), name)
    current, judged = given.get(CHAMPION), version or given.get(CHALLENGER)

    def kept(reason: str) -> PromotionDecision:
        return PromotionDecision(decided_at, kind, name, "kept", current, current, reason, judged)

    if judged is None:
        return kept(f"{name} has no challenger to judge")
    if judged == current:
        return kept(f"version {judged} is champion already")
    challenger = _candidate(settings, kind, judged)
    if isinstance(challenger, Damaged):
        return kept(f"version {judged} cannot be judged: {challenger.problem}")
    champion = None if current is None else _candidate(settings, kind, current)
    decision = decide(settings, kind, challenger, champion, features, decided_at)
    apply(decision, settings)
    return decision


def _candidate(settings: Settings, kind: str, version: str) -> Candidate | Damaged:
    """The version with its package, or why it must not serve."""
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Looking up version {version} of {name}"):
        client = mlflow_client(settings)
        found = find_version(client, name, version)
        half = found is not None and not is_whole(client, found)
    if half:
        return Damaged(version, "it was not registered whole")
    try:
        return Candidate(version, fetch_package(settings, kind, version))
    except ModelUnavailableError as error:
        return Damaged(version, error.problem)


def apply(decision: PromotionDecision, settings: Settings) -> None:
    """Make the winner of `decision` champion; a decision to keep changes nothing."""
    if not decision.promoted or decision.champion_after is None:
        return
    name, winner = decision.model_name, decision.champion_after
    with tracking_errors(settings, f"Promoting version {winner} of {name}"):
        client = mlflow_client(settings)
        if decision.champion_before is not None:
            client.set_model_version_tag(name, winner, PREVIOUS, decision.champion_before)
        client.set_registered_model_alias(name, CHAMPION, winner)
        if aliases(client, name).get(CHALLENGER) == winner:  # a newer challenger may have come meanwhile
            client.delete_registered_model_alias(name, CHALLENGER)


def rollback(settings: Settings, kind: str, decided_at: datetime, version: str | None = None) -> PromotionDecision:
    """Make an earlier version champion again: `version`, by default the one before the present champion.

    Raises:
        ModelUnavailableError: there is no champion, or none before it, or that version cannot serve.
    """
    name = registered_name(settings, kind)
    remedy = f"Choose a version among those that MLflow lists: `hydro rollback {kind} --version N`"
    with tracking_errors(settings, f"Rolling back {name}"):
        client = mlflow_client(settings)
        current = aliases(client, name).get(CHAMPION)
        champion = None if current is None else find_version(client, name, current)
        previous = version or (None if champion is None else champion.tags.get(PREVIOUS))
        if previous is None or previous == current:
            state = "no champion" if current is None else f"no champion before version {current}"
            state = state if previous is None else f"version {current} as champion already"
            raise ModelUnavailableError(f"{name} has {state}", remedy)
        target = _candidate(settings, kind, previous)
        problems = [target.problem] if isinstance(target, Damaged) else misfits(target.package, settings)
        if problems:
            raise ModelUnavailableError(f"Version {previous} of {name} cannot serve: {'; '.join(problems)}", remedy)
        client.set_registered_model_alias(name, CHAMPION, previous)
    replaced = "serves" if current is None else f"serves again in place of version {current}"
    return PromotionDecision(decided_at, kind, name, "rolled_back", current, previous, f"version {previous} {replaced}")


def log_rows(decisions: Iterable[PromotionDecision]) -> pl.DataFrame:
    """Rows of PROMOTION_LOG, for `Lakehouse.append`."""
    schema = {column.name: POLARS_TYPES[column.type] for column in PROMOTION_LOG.columns}
    return pl.DataFrame([asdict(decision) for decision in decisions], schema=schema)
