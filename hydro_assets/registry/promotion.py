"""Champion and challenger: which version serves, the way back, and the log of every decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import polars as pl

from hydro_assets.columns import Column, Table
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse.lakehouse import POLARS_TYPES
from hydro_assets.registry.comparison import Candidate, PromotionDecision, decide
from hydro_assets.registry.mlflow_client import mlflow_client, registered_name, tracking_errors
from hydro_assets.registry.serving import fetch_package
from hydro_assets.registry.versions import CHALLENGER, CHAMPION, aliases, find_version, is_whole
from hydro_assets.settings import Settings

PREVIOUS = "previous_champion"  # tag of a version: the champion that it replaced, where a rollback returns to

PROMOTION_LOG = Table(
    "predictions.promotion_log",
    (
        Column("decided_at", "timestamp", "", "when it was decided, UTC", nullable=False),
        Column("kind", "string", "", "lstm, gru or lightgbm", nullable=False),
        Column("model_name", "string", "", "registered model", nullable=False),
        Column("action", "string", "", "promoted, kept or rolled_back", nullable=False),
        Column("champion_before", "string", "", "version that was champion; null when there was none"),
        Column("champion_after", "string", "", "version that is champion from now on; null when there is none"),
        Column("challenger", "string", "", "version that was judged"),
        Column("metric", "string", "", "mae, or brier for a model that only classifies"),
        Column("unit", "string", "", "unit of the errors"),
        Column("champion_error", "double", "unit", "error of the champion, mean over horizons", 0),
        Column("challenger_error", "double", "unit", "error of the challenger, mean over horizons", 0),
        Column("baseline_error", "double", "unit", "error of the baseline on the same rows, mean over horizons", 0),
        Column("compared", "bigint", "1", "forecasts compared", 0),
        Column("holdout_start", "timestamp", "", "first moment of the compared rows, UTC"),
        Column("holdout_end", "timestamp", "", "end of the compared rows, exclusive, UTC"),
        Column("reason", "string", "", "why, in a sentence", nullable=False),
    ),
    "Every decision on which version serves.",
    keys=("decided_at", "kind"),
    time_column="decided_at",
)


def promote(
    settings: Settings,
    kind: str,
    features: pl.DataFrame,
    decided_at: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
) -> PromotionDecision:
    """Judge the challenger of `kind` against the champion on `features` and move the alias if it wins.

    Args:
        features: feature rows of the holdout with history before it.
        start, end: holdout, half-open; default from the start of the challenger's own holdout to the last row.

    Raises:
        ModelUnavailableError: the champion's or the challenger's files are missing or damaged.
    """
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Looking up champion and challenger of {name}"):
        given = aliases(mlflow_client(settings), name)
    champion_version, challenger_version = given.get(CHAMPION), given.get(CHALLENGER)
    if challenger_version is None:
        return PromotionDecision(
            decided_at, kind, name, "kept", champion_version, champion_version, f"{name} has no challenger to judge"
        )
    challenger = Candidate(challenger_version, fetch_package(settings, kind, challenger_version))
    champion = None
    if champion_version is not None:
        champion = Candidate(champion_version, fetch_package(settings, kind, champion_version))
    decision = decide(settings, kind, challenger, champion, features, decided_at, start, end)
    apply(decision, settings)
    return decision


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


def rollback(settings: Settings, kind: str, decided_at: datetime) -> PromotionDecision:
    """Make the version before the present champion champion again.

    Raises:
        ModelUnavailableError: there is no champion, or none before it that could serve.
    """
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Rolling back {name}"):
        client = mlflow_client(settings)
        current = aliases(client, name).get(CHAMPION)
        champion = None if current is None else find_version(client, name, current)
        previous = None if champion is None else champion.tags.get(PREVIOUS)
        target = None if previous is None else find_version(client, name, previous)
        if target is None or not is_whole(client, target):
            state = "no champion" if current is None else f"no champion before version {current} that could serve"
            raise ModelUnavailableError(
                f"{name} has {state}",
                f"Pin a version (HYDRO_PINNED_VERSIONS__{kind.upper()}), or give the alias champion to one in MLflow",
            )
        client.set_registered_model_alias(name, CHAMPION, target.version)
    reason = f"version {target.version} serves again in place of version {current}"
    return PromotionDecision(decided_at, kind, name, "rolled_back", current, str(target.version), reason)


def log_rows(decisions: Iterable[PromotionDecision]) -> pl.DataFrame:
    """Rows of PROMOTION_LOG, for `Lakehouse.append`."""
    schema = {column.name: POLARS_TYPES[column.type] for column in PROMOTION_LOG.columns}
    return pl.DataFrame([asdict(decision) for decision in decisions], schema=schema)
