"""Champion and challenger: which version may serve, how the alias moves, the way back, the log of every decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import polars as pl
from pydantic import TypeAdapter

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.registry.coverage import misfits
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import CHALLENGER, CHAMPION, RegisteredModel
from hydro_assets.tables import PROMOTION_LOG

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

PREVIOUS = "previous_champion"  # tag of a version: the champion that it replaced, where a rollback returns to
DECISION = "decision"  # tag of a version: the decision that made it champion last, until and after it is logged
TRAINED_AT = "trained_at"  # tag of a version


@dataclass(frozen=True)
class PromotionDecision:
    """One row of `predictions.promotion_log`."""

    decided_at: datetime
    kind: str
    model_name: str
    action: Literal["promoted", "kept", "rolled_back", "moved"]
    champion_before: str | None
    champion_after: str | None
    reason: str
    challenger: str | None = None
    challenger_error: float | None = None
    champion_error: float | None = None
    error_difference: float | None = None
    error_difference_low: float | None = None
    error_difference_high: float | None = None
    challenger_brier: float | None = None
    champion_brier: float | None = None
    compared: int = 0
    holdout_start: datetime | None = None
    holdout_end: datetime | None = None

    @property
    def promoted(self) -> bool:
        return self.action == "promoted"


_AS_TEXT = TypeAdapter(PromotionDecision)


class Candidate(NamedTuple):
    """A registered version, its package, and when it was trained (None: nobody knows)."""

    version: str
    package: ForecastPackage
    trained_at: datetime | None = None


class Damaged(NamedTuple):
    """A registered version that cannot be loaded, and why."""

    version: str
    problem: str


def candidate(model: RegisteredModel, version: str) -> Candidate | Damaged:
    """The version with its package, or why it must not serve."""
    with tracking_errors(model.settings, f"Looking up version {version} of {model.name}"):
        found = model.find(version)
        half = found is not None and not model.is_whole(found)
    if half:
        return Damaged(version, "it was not registered whole")
    try:
        package = model.fetch(version)
    except ModelUnavailableError as error:
        return Damaged(version, error.problem)
    trained_at = None if found is None else found.tags.get(TRAINED_AT)
    return Candidate(version, package, None if trained_at is None else datetime.fromisoformat(trained_at))


def apply(decision: PromotionDecision, model: RegisteredModel) -> None:
    """Make the winner of `decision` champion; a decision to keep changes nothing.

    The version carries the decision before the alias moves: where the process is killed before it is logged,
    `unlogged` finds it.
    """
    name, before, winner = model.name, decision.champion_before, decision.champion_after
    if winner is None or winner == before:
        return
    with tracking_errors(model.settings, f"Making version {winner} of {name} champion"):
        short = replace(decision, reason=decision.reason[:300])  # registries bound the length of a tag
        text = _AS_TEXT.dump_json(short, exclude_defaults=True).decode()
        model.client.set_model_version_tag(name, winner, DECISION, text)
        model.client.update_model_version(name, winner, _with_decision(model, decision))
        if decision.promoted and before is not None:
            model.client.set_model_version_tag(name, winner, PREVIOUS, before)
        model.client.set_registered_model_alias(name, CHAMPION, winner)
        if model.aliases().get(CHALLENGER) == winner:  # a newer challenger may have come meanwhile
            model.client.delete_registered_model_alias(name, CHALLENGER)


_DECIDED = "\n\nDecided "


def _with_decision(model: RegisteredModel, decision: PromotionDecision) -> str:
    """The description of the winner, which MLflow's page shows first, ending with the newest decision on it."""
    found = model.find(decision.champion_after or "")
    before = "" if found is None or not found.description else found.description.partition(_DECIDED)[0]
    action = decision.action.replace("_", " ")
    return f"{before}{_DECIDED}{decision.decided_at:%Y-%m-%d %H:%M} UTC: {action}, {decision.reason}"


def unlogged(model: RegisteredModel, logged: pl.DataFrame, at: datetime) -> PromotionDecision | None:
    """The change of champion that is not in the log: its process was killed, or a person moved the alias in MLflow.

    `logged`: the rows of PROMOTION_LOG of this model, oldest first.
    """
    last = logged.row(-1, named=True) if logged.height else {"champion_after": None, "decided_at": None}
    with tracking_errors(model.settings, f"Looking up the champion of {model.name}"):
        champion = model.aliases().get(CHAMPION)
        found = None if champion is None else model.find(champion)
    if champion == last["champion_after"] or (champion is not None and found is None):
        return None
    if found is not None and DECISION in found.tags:
        noted = _AS_TEXT.validate_json(found.tags[DECISION])
        is_next = (noted.champion_before, noted.champion_after) == (last["champion_after"], champion)
        if is_next and (last["decided_at"] is None or noted.decided_at > last["decided_at"]):
            return noted
    reason = f"the alias champion was {'taken away' if champion is None else f'given to version {champion}'} in MLflow"
    return PromotionDecision(at, model.kind, model.name, "moved", last["champion_after"], champion, reason)


def rollback(model: RegisteredModel, decided_at: datetime, version: str | None = None) -> PromotionDecision:
    """Make an earlier version champion again: `version`, by default the one before the present champion.

    Raises:
        ModelUnavailableError: there is no champion, or none before it, or that version cannot serve.
    """
    name = model.name
    remedy = f"Choose a version among those that MLflow lists: `hydro rollback {model.kind} --version N`"
    with tracking_errors(model.settings, f"Rolling back {name}"):
        current = model.aliases().get(CHAMPION)
        champion = None if current is None else model.find(current)
        previous = version or (None if champion is None else champion.tags.get(PREVIOUS))
        if previous is None or previous == current:
            state = "no champion" if current is None else f"no champion before version {current}"
            state = state if previous is None else f"version {current} as champion already"
            raise ModelUnavailableError(f"{name} has {state}", remedy)
        target = candidate(model, previous)
        problems = [target.problem] if isinstance(target, Damaged) else misfits(target.package.info, model.settings)
        if problems:
            raise ModelUnavailableError(f"Version {previous} of {name} cannot serve: {'; '.join(problems)}", remedy)
    replaced = "serves" if current is None else f"serves again in place of version {current}"
    reason = f"version {previous} {replaced}"
    decision = PromotionDecision(decided_at, model.kind, name, "rolled_back", current, previous, reason)
    apply(decision, model)
    return decision


def log_rows(decisions: Iterable[PromotionDecision]) -> pl.DataFrame:
    """Rows of PROMOTION_LOG, for `Lakehouse.append`."""
    schema = {column.name: POLARS_TYPES[column.type] for column in PROMOTION_LOG.columns}
    return pl.DataFrame([asdict(decision) for decision in decisions], schema=schema)
