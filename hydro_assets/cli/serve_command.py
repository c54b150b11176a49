"""`hydro serve`: forecasts over HTTP on this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.cli.dev_command import HOST, require_free


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="port on 127.0.0.1")] = 8080,
    watch: Annotated[int, typer.Option(min=1, help="seconds between looks for a promoted model")] = 10,
) -> None:
    """Answer readings with forecasts over HTTP on this machine until Ctrl-C. Writes no table."""
    require_free({"--port": port})
    import torch
    import uvicorn

    from hydro_assets.cli.http_app import http_app
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.live_farm import LiveFarm
    from hydro_assets.pipeline.scoring import serving_models

    torch.set_num_threads(1)  # a forecast of one row is no work to share
    settings = settings_with()
    say("Reading the newest days of Gold and the models that serve")
    farm = LiveFarm.of(Lakehouse(settings), serving_models(settings), datetime.now(UTC))
    versions = ", ".join(f"{kind} {version}" for kind, version in farm.models.versions.items()) or "no model"
    say(f"{len(farm.newest())} systems, {versions}: http://{HOST}:{port}/docs (stop with Ctrl-C)")
    uvicorn.run(http_app(farm, timedelta(seconds=watch)), host=HOST, port=port, log_level="warning")
