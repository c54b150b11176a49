"""How long does a reading take to become its forecasts? A real server on 127.0.0.1, one system, readings one by one.

    python bench/serve.py                    # a simulated farm at 1 min, four targets, all lead times, three models
    python bench/serve.py --home .hydro      # the farm and the models of a home
    python bench/serve.py --json result.json

The last answer is first held against what the batch gives for it. Then p50 and p99 in milliseconds of the whole way
over HTTP (a connection that stays open), and of its parts measured alone in the same process: features (taking the
reading), models (the forecasts from the features); what is left is transport (HTTP, JSON, the framework). The parts are
given in processor time too, which other work on the machine moves less.
Untrained (one epoch on few windows) weights cost what trained ones do.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # one core, before polars starts

import numpy as np
import polars as pl
import torch
import uvicorn

from hydro_assets.cli.http_app import http_app
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.live_farm import LiveFarm
from hydro_assets.pipeline.newest import forecast_readings, newest_readings
from hydro_assets.pipeline.scoring import serving_models
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.running_system import RunningSystem
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import MODELS, OPTIMAL_FLAGS
from hydro_assets.training.train import train

PORT = 8099
AGREEMENT = 0.02  # of an interval's width
NOW = datetime(2025, 1, 31, 12, tzinfo=UTC)
Farm = tuple[pl.DataFrame, FeatureSpec, ServingModels, Settings]


def simulated(args: argparse.Namespace) -> Farm:
    """A farm of one system and models of the default sizes, hardly trained."""
    recurrent = {"epochs": 1, "max_windows_per_epoch": 512}
    settings = load_settings(
        feature_step=args.step, minimum_records=200, recurrent=recurrent, lightgbm={"num_boost_round": args.rounds}
    )
    gold = simulate(1, NOW - timedelta(days=args.days), NOW, seed=3, cadence=settings.feature_step)
    spec = FeatureSpec.for_farm(settings, gold.columns)
    features = features_of_system(gold, spec, "system_1")
    models = {kind: train(kind, features, settings).package for kind in args.models.split(",")}
    return gold, spec, ServingModels(models, dict.fromkeys(models, "1")), settings


def of_home(home: Path) -> Farm:
    """The first system of a home, and the models that serve there."""
    settings = load_settings(home=home)
    lakehouse, models = Lakehouse(settings), serving_models(settings)
    spec = farm_spec(lakehouse)
    gold = newest_readings(lakehouse, spec, models)
    return gold.filter(system_id=gold["system_id"].min()), spec, models, settings


def direct(farm: Farm, count: int) -> dict[str, list[float]]:
    """Seconds of features and of models per reading, by the clock and of the processor."""
    gold, spec, models, settings = farm
    running = RunningSystem("system_1", gold[:-count], spec, models, settings)
    running.forecasts(NOW)
    spent: dict[str, list[float]] = {name: [] for name in ("features", "models", "features_cpu", "models_cpu")}
    for i in range(gold.height - count, gold.height):
        clocks = [(time.perf_counter(), time.process_time())]
        running.add(gold[i : i + 1])
        clocks.append((time.perf_counter(), time.process_time()))
        running.forecasts(NOW)
        clocks.append((time.perf_counter(), time.process_time()))
        for part, before, after in zip(("features", "models"), clocks, clocks[1:], strict=False):
            spent[part].append(after[0] - before[0])
            spent[f"{part}_cpu"].append(after[1] - before[1])
    return spent


def over_http(farm: Farm, count: int) -> tuple[list[float], list[dict[str, Any]]]:
    """Seconds per reading from sent to answered, and the last answer."""
    gold, spec, models, settings = farm
    live = LiveFarm(gold[:-count], spec, models, settings, NOW)
    server = uvicorn.Server(uvicorn.Config(http_app(live), host="127.0.0.1", port=PORT, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    seconds, answer = [], b"[]"
    computed = [name for name in ("date", "source_file", *OPTIMAL_FLAGS) if name in gold.columns]
    for row in gold[-count:].drop(computed).to_dicts():
        body = json.dumps(row, default=datetime.isoformat)
        begun = time.perf_counter()
        connection.request("POST", "/readings", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        seconds.append(time.perf_counter() - begun)
        if response.status != 200:
            raise SystemExit(f"{response.status}: {answer.decode()}")
    server.should_exit = True
    thread.join()
    return seconds, json.loads(answer)


def worst_difference(answer: list[dict[str, Any]], farm: Farm) -> float:
    """Largest difference of the last answer from the batch, in widths of the 95 % interval; infinite where one is null.

    Both make the windows of the newest row from other lengths of history, so these differ in their last digits, and
    where a feature lies on a split of a tree, its forecast goes the other way.
    """
    gold, spec, models, settings = farm
    batch = forecast_readings(gold, spec, models, settings, NOW)
    worst = 0.0
    for mine, other in zip(answer, batch.to_dicts(), strict=True):
        width = 1.0 if other["upper_95"] is None else max(other["upper_95"] - other["lower_95"], 1e-9)
        for name in ("ensemble_avg", "lower_80", "upper_95"):
            if (mine[name] is None) != (other[name] is None):
                return float("inf")
            worst = max(worst, abs((mine[name] or 0.0) - (other[name] or 0.0)) / width)
    return worst


def percentiles(seconds: list[float]) -> dict[str, float]:
    return {f"p{q}_ms": round(float(np.percentile(seconds, q)) * 1000, 2) for q in (50, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--step", default="1min")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--rounds", type=int, default=100, help="boosting rounds of the simulated farm's models")
    parser.add_argument("--readings", type=int, default=300)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    farm = simulated(args) if args.home is None else of_home(args.home)
    settings = farm[3]
    whole, answer = over_http(farm, args.readings)
    if (difference := worst_difference(answer, farm)) > AGREEMENT:
        raise SystemExit(f"the last answer differs from the batch by {difference} widths of its interval")
    spent = direct(farm, args.readings)
    inside = [f + m for f, m in zip(spent["features"], spent["models"], strict=True)]
    transport = max(percentiles(whole)["p50_ms"] - percentiles(inside)["p50_ms"], 0.0)
    result = {
        "readings": args.readings,
        "targets": len({row["target"] for row in answer}),
        "lead_times": len(settings.horizons),
        "kinds": sorted(farm[2].versions),
        "worst_difference_from_batch": difference,
        "http": percentiles(whole),
        **{part: percentiles(seconds) for part, seconds in spent.items()},
        "transport": {"p50_ms": round(transport, 2)},
    }
    print(json.dumps(result, indent=1))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
