"""What `hydro run` does: whatever is older than what it is made from is made again, in the order of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.competition import finish_decisions
from hydro_assets.pipeline.new_days import ranges_of
from hydro_assets.pipeline.outdated import days_to_score, outdated_days, outdated_models, predictions_are_current
from hydro_assets.pipeline.reading_account import reading_account
from hydro_assets.pipeline.scoring import require_no_lost_registry
from hydro_assets.tables import MODELS, names


class Steps(Protocol):
    """Who carries the steps out: Dagster runs of the command line, or plain calls."""

    def refresh(self, ranges: Sequence[tuple[date, date]]) -> Mapping[date, str]:
        """Build the feature days of half-open ranges; returns the days that a check stopped, and what it found."""
        ...

    def train(self) -> None: ...

    def score(self, start: date, end: date) -> None:
        """Predictions of the days `[start, end)`, and all that follows from them."""
        ...


def bring_up_to_date(
    lakehouse: Lakehouse, steps: Steps, first: date, end: date, report: Callable[[str], None], everything: bool = False
) -> None:
    """Make what is not up to date, or `everything`, of the days `[first, end)`, and finish what killed runs left.

    Raises ModelUnavailableError, before anything is trained, when the registry was lost.
    """
    require_no_lost_registry(lakehouse)
    stale = outdated_days(lakehouse)
    days = [day for day in stale.days if first <= day < end]
    for change in stale.changed_settings:
        report(f"features were made with {change}: they are made again")
    if everything or days:
        ranges = [(first, end)] if everything else ranges_of(days)
        report(f"1/3 features of {', '.join(f'{start} .. {stop - timedelta(days=1)}' for start, stop in ranges)}")
        for day, finding in steps.refresh(ranges).items():
            report(f"WARNING {day} is left out, its features are not rebuilt: {finding}")
    else:
        report("1/3 features are up to date")
    report(f"{reading_account(lakehouse)}")
    for decision in finish_decisions(lakehouse, datetime.now(UTC)):
        report(f"left open by an earlier run, or done in MLflow: {decision.model_name}: {decision.reason}")
    if everything or outdated_models(lakehouse):
        report(f"2/3 models: {', '.join(MODELS)}")
        steps.train()
    else:
        report("2/3 models are up to date with features and settings")
    if everything or not predictions_are_current(lakehouse):
        report("3/3 predictions and what follows from them")
        with_rows = [day for day in days_to_score(lakehouse) if first <= day < end]
        for start, stop in ranges_of(with_rows) if with_rows and not everything else [(first, end)]:
            steps.score(start, stop)
    else:
        report("3/3 predictions are up to date with features and models")


DERIVED = (
    names.SYSTEM_OUTLOOK,
    names.PREDICTION_ACCURACY,
    names.FEATURE_DRIFT,
    names.BATCH_PREDICTIONS,
    names.FORECASTS,
    names.SENSOR_FEATURES,
)
"""Features last: a rebuild that is killed meets the old grid again, and asks to be repeated."""
