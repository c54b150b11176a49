"""Is everything there? Gold, features, experiments, models, predictions, last run: facts and a verdict each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hydro_assets.errors import HydroError
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.reading_account import reading_account
from hydro_assets.registry.coverage import gaps
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import CHAMPION, RegisteredModel
from hydro_assets.tables import MODELS, Table, names


@dataclass(frozen=True)
class Item:
    """One line of the report. `detail` states what was found, or what is missing and the remedy."""

    name: str
    is_ok: bool
    detail: str


@dataclass(frozen=True)
class LastRun:
    """The newest run of a job, wherever it ran. `started` is aware."""

    run_id: str
    job: str
    state: str
    is_success: bool
    started: datetime | None = None
    url: str | None = None

    def __str__(self) -> str:
        start = f", started {self.started:%Y-%m-%d %H:%M} UTC" if self.started else ""
        return f"{self.job} {self.run_id}: {self.state}{start}{', ' + self.url if self.url else ''}"


def verify(lakehouse: Lakehouse, last_runs: Callable[[], Sequence[LastRun]]) -> list[Item]:
    """Every item of the report; an item that cannot be read is not ok and says why.

    `last_runs` gives the newest run of each job of this environment, or raises HydroError.
    """
    settings = lakehouse.settings
    items = [
        _item(settings.table(names.IOT_DATA), lambda: _gold(lakehouse)),
        _item(settings.table(names.DIM_TIME), lambda: _dimension(lakehouse, names.DIM_TIME)),
        _item(settings.table(names.DIM_EQUIPMENT), lambda: _dimension(lakehouse, names.DIM_EQUIPMENT)),
        _item(settings.table(names.SENSOR_FEATURES), lambda: _features(lakehouse)),
        _item("readings in Gold and in features", lambda: _account(lakehouse)),
        _item("schema of sensor_features", lambda: _schema(lakehouse)),
    ]
    models = [RegisteredModel(settings, kind) for kind in MODELS]
    items += [_item(f"experiment {model.experiment}", lambda m=model: _experiment(m)) for model in models]
    items += [_item(f"model {model.name}", lambda m=model: _model(m)) for model in models]
    items += [
        _item(settings.table(name), lambda n=name: _predictions(lakehouse, n))
        for name in (names.FORECASTS, names.BATCH_PREDICTIONS)
    ]
    return items + _last_runs(last_runs)


def _item(name: str, look: Callable[[], tuple[bool, str]]) -> Item:
    from pyspark.errors import PySparkException

    try:
        return Item(name, *look())
    except HydroError as error:
        return Item(name, False, str(error))
    except PySparkException as error:  # no grant on the catalog, no such schema, an endpoint that does not answer
        reason = " ".join(str(error).split())[:300]
        return Item(name, False, f"Spark refused: {reason}. Check SPARK_REMOTE, and the grants of who asks.")


def _span(lakehouse: Lakehouse, table: str, column: str) -> tuple[int, str]:
    n, first, last = lakehouse.span(table, column)
    return n, f"{n:,} rows, {first} to {last}"


def _gold(lakehouse: Lakehouse) -> tuple[bool, str]:
    n, text = _span(lakehouse, names.IOT_DATA, "timestamp_key")
    text = f"{text.replace('+00:00', '')} on the wall clock of {lakehouse.settings.timezone}"
    least = lakehouse.settings.minimum_records
    return n >= least, text if n >= least else f"{text}; {least:,} are needed: import a longer period"


def _dimension(lakehouse: Lakehouse, table: str) -> tuple[bool, str]:
    n, text = _span(lakehouse, table, next(iter(lakehouse.columns(table))))
    return n > 0, text


def _features(lakehouse: Lakehouse) -> tuple[bool, str]:
    n, text = _span(lakehouse, names.SENSOR_FEATURES, "timestamp")
    return n > 0, text


def _account(lakehouse: Lakehouse) -> tuple[bool, str]:
    account = reading_account(lakehouse)
    return account.adds_up, f"{account}" if account.adds_up else f"{account}; bring them up to date: hydro run"


def _schema(lakehouse: Lakehouse) -> tuple[bool, str]:
    table: Table = farm_spec(lakehouse).table
    stored = lakehouse.columns(table.name)
    lacking = [c.name for c in table.columns if stored.get(c.name) != c.type]
    if lacking:
        return False, f"missing or of another type: {', '.join(lacking)}; rebuild the features"
    return True, f"{len(stored)} columns, as described"


def _experiment(model: RegisteredModel) -> tuple[bool, str]:
    with tracking_errors(model.settings, f"Reading experiment {model.experiment}"):
        found, client = model.client.get_experiment_by_name(model.experiment), model.client
        runs = [] if found is None else list(client.search_runs([found.experiment_id], order_by=["start_time DESC"]))
    if not runs:
        return False, "no run yet: materialise the model, or hydro train"
    finished = sum(run.info.status == "FINISHED" for run in runs)
    return finished > 0, f"runs: {len(runs)}, finished: {finished}, the newest is {runs[0].info.status}"


def _model(model: RegisteredModel) -> tuple[bool, str]:
    """Not ok where the version that serves leaves something out that the settings ask."""
    with tracking_errors(model.settings, f"Reading {model.name}"):
        found, champion = model.versions(), model.aliases().get(CHAMPION)
    serving = model.serving_version() if found else None
    if serving is None:
        return False, "no version yet: materialise the model, or hydro train"
    info = model.load(serving).info
    text = f"versions: {len(found)}, champion {champion or 'none'}, serving {serving}: {', '.join(info.target_names)}"
    text += f"; probability of {', '.join(info.labels)}" if info.labels else ""
    if less := gaps(info, model.settings):
        return False, f"{text}; it does not forecast {'; '.join(less)}: train it with the present settings"
    return True, text


def _predictions(lakehouse: Lakehouse, table: str) -> tuple[bool, str]:
    n, text = _span(lakehouse, table, "timestamp")
    return n > 0, text


def _last_runs(look: Callable[[], Sequence[LastRun]]) -> list[Item]:
    name = "last job run"
    try:
        runs = look()
    except HydroError as error:
        return [Item(name, False, str(error))]
    return [Item(name, run.is_success, str(run)) for run in runs] or [Item(name, False, "no run yet: hydro run")]
