"""The tasks of the two Databricks jobs, as commands: `hydro feature-store`, `hydro train`, `hydro batch-inference`.

Their positional parameters, in this order, are those of databricks/parameters.py; without any they come from the
settings. Each calls the function that the asset of the same name calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hydro_assets.cli.app import app, say
from hydro_assets.cli.home_lock import exclusive
from hydro_assets.cli.progress import progress_bar
from hydro_assets.databricks.parameters import (
    BATCH_INFERENCE,
    FEATURE_STORE,
    Parameter,
    bucket_note,
    settings_from,
    training_parameters,
    training_target,
    usage,
)
from hydro_assets.errors import SettingsError
from hydro_assets.settings import WHAT_IS_FORECAST, Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import names

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
New = Annotated[bool, typer.Option("--new", help="only what is new")]
Values = Annotated[
    list[str] | None, typer.Argument(help="positional parameters; none takes the settings", show_default=False)
]

ONE_DAY = timedelta(days=1)


@app.command("feature-store")
@exclusive
def feature_store(parameters: Values = None, start: Day = None, end: Day = None, new: New = False) -> None:
    """Build sensor_features of the days START..END (both included; default: all days of Gold).

    With --new: only of the days whose features are older than their readings.

    Parameters: catalog bucket gold_table feature_table
    """
    from hydro_assets.features.feature_job import ZONE_MARGIN
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.features import build_sensor_features, feature_span
    from hydro_assets.pipeline.gate import require_fit_days
    from hydro_assets.pipeline.new_days import ranges_of, unbuilt_days

    lakehouse = Lakehouse(_settings(FEATURE_STORE, parameters))
    if new:
        spans = ranges_of(_alone(unbuilt_days(lakehouse, datetime.now(UTC).date()), start, end), ONE_DAY)
    else:
        spans = [_days(start, end) or feature_span(lakehouse)]
    with progress_bar("building features"):
        for first, last in spans:
            require_fit_days(lakehouse, first - ZONE_MARGIN, last + ZONE_MARGIN)
            build = build_sensor_features(lakehouse, first, last)
            for note in build.notes:
                say(f"note: {note}")
            say(f"{build.receipt.uri}: {build.receipt.rows:,} rows, version {build.receipt.version.version}")
    if not spans:
        say("features are up to date with Gold")


@app.command()
@exclusive
def train(
    kind: Annotated[Literal["lstm", "gru", "lightgbm"], typer.Argument(help="which model")],
    parameters: Values = None,
    chosen: Annotated[
        list[str] | None, typer.Option("--set", help="any setting, for example recurrent.epochs=20; may be repeated")
    ] = None,
) -> None:
    """Train a model on the feature table, register it, and let it compete with the champion.

    Parameters: catalog bucket feature_table target, and if wanted experiment model sequence_length forecast_horizon.

    The target is a sensor column, or for lightgbm a state such as is_env_optimal.
    """
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.training import train_model

    settings = _settings(training_parameters(kind), parameters, chosen or (), kind)
    given = settings_from(training_parameters(kind), parameters) if parameters else {}
    asked = load_settings(**training_target(kind, given))
    # What this training is to forecast changes nothing of what the farm asks of the version that serves.
    farm = settings.model_copy(update={name: getattr(asked, name) for name in WHAT_IS_FORECAST})
    with progress_bar():
        trained = train_model(Lakehouse(farm), kind, datetime.now(UTC), settings, on_progress=say)
    say(f"{trained.registered.name} version {trained.registered.version}, MLflow run {trained.registered.run_id}")


@app.command("batch-inference")
@exclusive
def batch_inference_command(
    parameters: Values = None,
    start: Day = None,
    end: Day = None,
    new: New = False,
    as_of: Annotated[
        datetime | None, typer.Option(help="UTC: score with what was known then, into --output instead of the table")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Parquet file for --as-of")] = None,
) -> None:
    """Score the days START..END (both included; default: the entire feature table).

    With --new: only the days whose features are newer than their predictions.

    Parameters: catalog bucket feature_table lstm_model gru_model lightgbm_model output_table, and if wanted
    sequence_length target_col.
    """
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.new_days import ranges_of, unscored_days
    from hydro_assets.pipeline.scoring import batch_inference, forecasts_as_of

    if (as_of is None) != (output is None):
        raise typer.BadParameter("--as-of and --output go together: past knowledge must not overwrite the table")

    lakehouse = Lakehouse(_settings(BATCH_INFERENCE, parameters))
    if new:
        spans = ranges_of(_alone(unscored_days(lakehouse), start, end or as_of), ONE_DAY)
        with progress_bar("forecasting"):
            for first, last in spans:
                scored = batch_inference(lakehouse, first, last, datetime.now(UTC))
                say(f"{scored.uri}: {scored.rows:,} rows of {first} .. {last}, models {dict(scored.versions)}")
        if not spans:
            say("predictions are up to date with the features")
        return
    span = _days(start, end)
    if span is None:
        days = lakehouse.days(names.SENSOR_FEATURES)
        span = (days[0], days[-1] + timedelta(days=1))
    if as_of is not None and output is not None:
        rows = forecasts_as_of(lakehouse, *span, as_of.replace(tzinfo=UTC))
        rows.write_parquet(output)
        say(f"{output}: {rows.height:,} rows, with what was known at {as_of} UTC; no table was changed")
        return
    with progress_bar("forecasting"):
        scored = batch_inference(lakehouse, *span, datetime.now(UTC))
    say(f"{scored.uri}: {scored.rows:,} rows, models {dict(scored.versions)}")


def _settings(
    known: Sequence[Parameter], values: Sequence[str] | None, chosen: Sequence[str] = (), kind: str | None = None
) -> Settings:
    given = settings_from(known, values) if values else {}
    if kind is not None:
        given = training_target(kind, given)
    for text in chosen:
        name, equals, value = text.partition("=")
        *groups, last = name.strip().split(".")
        place: Any = given
        for group in groups:
            place = place.setdefault(group, {}) if isinstance(place, dict) else None
        if not equals or not isinstance(place, dict):
            raise typer.BadParameter(f"--set {text} sets nothing; write for example recurrent.epochs=20")
        place[last] = value.strip()
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        if not values:
            raise
        remedy = f"Correct the parameters ({usage(known)}), or the setting that is named"
        raise SettingsError(error.problem, remedy) from error
    if values and (note := bucket_note(settings)):
        say(f"note: {note}")
    return settings


def _alone(days: list[date], *others: object) -> list[date]:
    if any(other is not None for other in others):
        raise typer.BadParameter("--new finds its days by itself; give it without --start, --end and --as-of")
    return days


def _days(start: datetime | None, end: datetime | None) -> tuple[date, date] | None:
    if start is None and end is None:
        return None
    first, last = start or end, end or start
    assert first is not None
    assert last is not None
    if last < first:
        raise typer.BadParameter(f"--end {last:%Y-%m-%d} lies before --start {first:%Y-%m-%d}")
    return first.date(), last.date() + timedelta(days=1)
