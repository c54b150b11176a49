"""The HTTP service of `hydro serve`: a reading in, its forecasts out. It writes no table."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, create_model

from hydro_assets import __version__
from hydro_assets.errors import HydroError
from hydro_assets.ingest.gold_rows import GOLD_SCHEMA
from hydro_assets.pipeline.live_farm import LiveFarm
from hydro_assets.pipeline.outdated import serving_versions
from hydro_assets.pipeline.scoring import serving_models
from hydro_assets.tables import FORECASTS, GOLD_IOT_DATA, OPTIMAL_FLAGS, Table

_PYTHON = {"string": str, "double": float, "int": int, "boolean": bool, "timestamp": datetime}
_NOT_GIVEN = {"date", "source_file", *OPTIMAL_FLAGS}  # of Gold's columns, those that are computed


def _model(name: str, table: Table, leave_out: set[str], required: set[str]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        c.name: (_PYTHON[c.type], ...) if c.name in required else (_PYTHON[c.type] | None, None)
        for c in table.columns
        if c.name not in leave_out
    }
    return create_model(name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


Reading = _model("Reading", GOLD_IOT_DATA, _NOT_GIVEN, {"timestamp_key"})
Forecast = _model("Forecast", FORECASTS, {"date"}, set())


class Health(BaseModel):
    """What serves: versions by model, the newest step of each system, and what keeps newer versions from serving."""

    version: str
    models: dict[str, str]
    newest: dict[str, datetime]
    problem: str | None


class Promotions:
    """Has the farm serve what serves in the registry."""

    def __init__(self, farm: LiveFarm) -> None:
        self.farm, self.problem = farm, None

    def follow(self) -> None:
        """Swap the models if others serve by now. A version that cannot serve is told by `problem`."""
        try:
            if serving_versions(self.farm.settings).versions != self.farm.models.versions:
                self.farm.swap(serving_models(self.farm.settings), datetime.now(UTC))
            self.problem = None
        except HydroError as error:
            self.problem = str(error)

    def watch(self, every: timedelta, ended: Event) -> None:
        """`follow` until the end."""
        while not ended.wait(every.total_seconds()):
            self.follow()


def http_app(farm: LiveFarm, watch_every: timedelta | None = None) -> FastAPI:
    """The application. `watch_every`: how often the registry is asked for promotions; None never."""
    promotions, ended = Promotions(farm), Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if watch_every is not None:
            Thread(target=promotions.watch, args=(watch_every, ended), daemon=True).start()
        yield
        ended.set()

    app = FastAPI(title="hydro_assets", version=__version__, lifespan=lifespan)

    @app.post("/readings", responses={200: {"model": list[Forecast]}}, response_class=Response)
    def forecast(reading: Reading) -> Response:  # type: ignore[valid-type]
        """Forecasts of every target and lead time from a reading of Gold's columns and those before it.

        `timestamp_key` without an offset is the wall clock of the farm.
        """
        return _json(farm.add(gold_row(reading, farm.settings.timezone), datetime.now(UTC)).drop("date"))

    @app.get("/forecasts", responses={200: {"model": list[Forecast]}}, response_class=Response)
    def forecasts() -> Response:
        """The newest forecasts of every system."""
        return _json(farm.forecasts().drop("date"))

    @app.get("/outlook", response_class=Response)
    def outlook() -> Response:
        """One row per system and target: the forecasts ahead, the risk of leaving the crop band, and how soon."""
        return _json(farm.outlook(datetime.now(UTC)))

    @app.get("/health")
    def health() -> Health:
        """What serves, and until when the readings reach."""
        models = dict(farm.models.versions)
        return Health(version=__version__, models=models, newest=farm.newest(), problem=promotions.problem)

    app.state.promotions = promotions
    return app


def gold_row(reading: BaseModel, timezone: str) -> pl.DataFrame:
    """[1] the reading as Gold has it: the wall clock of the farm, and when it arrived."""
    given = reading.model_dump()
    for name, zone in (("timestamp_key", ZoneInfo(timezone)), ("ingestion_timestamp", UTC)):
        if given[name] is not None and given[name].tzinfo is not None:
            given[name] = given[name].astimezone(zone).replace(tzinfo=None)
    arrived = given["ingestion_timestamp"] or datetime.now(UTC).replace(tzinfo=None)
    given["ingestion_timestamp"] = arrived.replace(tzinfo=UTC)
    return pl.DataFrame([given], schema={name: GOLD_SCHEMA[name] for name in given})


def _json(rows: pl.DataFrame) -> Response:
    return Response(json.dumps(rows.to_dicts(), default=datetime.isoformat), media_type="application/json")
