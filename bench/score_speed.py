"""How fast days are scored: ours against `mlflow.pyfunc.spark_udf`, a driver-side loop and neuralforecast, in one run.

    python bench/score_speed.py --rows 1000000 --slow-rows 20000

All ways forecast pH one step ahead with the same LSTM (64 units, 2 layers, 24 steps), GRU and LightGBM, on the embedded
Spark, from a Delta table of simulated features. The slow ways score `--slow-rows` rows and are compared by rows per
second. What each way does:

- ours: `inference.plan`, Delta in and Delta out, every row with its whole history, intervals and qualities;
- udf: the textbook recipe: Spark puts each row's window into an array, `mlflow.pyfunc.spark_udf` runs each network on
  it, and the booster (MLflow's LightGBM flavour) on the row's features. No scaling, classifier, baselines, intervals or
  qualities, and nothing is written: much less work per row than ours;
- registered: `spark_udf` of the registered models on the feature rows. A batch of Arrow is all the history they see,
  so forecasts at the start of each batch are not the right ones; the arithmetic is the same as ours;
- loop: rows are collected to the driver, which calls the models row by row, for one in 200 of `--slow-rows`;
- neuralforecast: its LSTM and GRU with cross_validation(refit=False), when it is installed.

The arithmetic limit is what torch's matrix product reaches on all cores in the same run; the share counts the floating
point operations of the two networks only. Untrained (one epoch on 2000 windows) weights cost what trained ones do.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
import torch
from engine import add_engine, choose
from torch import nn

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.forecasting.package import ForecastPackage
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.registry.artifact import input_columns, save_artifact
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import names, sensor_features_table
from hydro_assets.training.train import train

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 14
NETWORKS = ("lstm", "gru")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--slow-rows", type=int, default=20_000)
    parser.add_argument("--ways", default="ours,registered,udf,loop,neuralforecast")
    add_engine(parser)
    args = parser.parse_args()
    print(f"engine: {choose(args.engine)}", flush=True)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home), recurrent={"epochs": 1, "max_windows_per_epoch": 2000})
        lakehouse = Lakehouse(settings)
        one = one_system(settings)
        packages = {kind: train(kind, one, settings).package for kind in (*NETWORKS, "lightgbm")}
        rows = fill(lakehouse, one, args.rows)
        ways: dict[str, Callable[[], int]] = {
            "ours": lambda: ours(lakehouse, settings, packages),
            "registered": lambda: registered(lakehouse, packages, one, Path(home), rows),
            "udf": lambda: window_udf(lakehouse, packages, Path(home), args.slow_rows),
            "loop": lambda: driver_loop(lakehouse, packages, max(20, args.slow_rows // 200)),
            "neuralforecast": lambda: neuralforecast(one, args.slow_rows),
        }
        limit = matmul_flops()
        needed = sum(network_flops(packages[kind]) for kind in NETWORKS)
        print(f"{rows:,} feature rows of {one.width} columns, {os.cpu_count()} cores, torch {torch.__version__}, "
              f"{torch.get_num_threads()} threads; matrix product {limit / 1e9:.0f} GFLOP/s; "
              f"LSTM + GRU {needed / 1e6:.1f} MFLOP a row")  # fmt: skip
        speeds: dict[str, float] = {}
        for name in args.ways.split(","):
            if name == "neuralforecast" and importlib.util.find_spec(name) is None:
                print(f"{name:15} not installed")
                continue
            begun = time.perf_counter()
            count = ways[name]()
            seconds = time.perf_counter() - begun
            speeds[name] = count / seconds
            share = f"{needed * speeds[name] / limit:.0%} of the limit"
            ratio = f"ours is {speeds['ours'] / speeds[name]:.1f} times as fast" if "ours" in speeds else ""
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts in kB
            print(f"{name:15} {count:9,} rows {seconds:8.1f} s {speeds[name]:10,.0f} rows/s  {share}  {ratio}  "
                  f"peak so far {memory:.1f} GB")  # fmt: skip


def one_system(settings: Settings) -> pl.DataFrame:
    """Two weeks of features of one simulated system."""
    end = START + timedelta(days=DAYS)
    gold = simulate(1, START, end, settings.seed)
    return features_of_system(gold.drop("system_id"), FeatureSpec.for_farm(settings, gold.columns), "s0", START, end)


def fill(lakehouse: Lakehouse, one: pl.DataFrame, rows: int) -> int:
    """Write `rows` feature rows: copies of one system under other names. Returns how many there are."""
    from deltalake import write_deltalake

    spec = FeatureSpec.for_farm(lakehouse.settings, [*one.columns])
    table = sensor_features_table(lakehouse.settings.feature_step, spec.sensors, spec.actuators)
    lakehouse.ensure(table)
    systems = max(1, round(rows / one.height))
    for i in range(systems):
        copy = one.with_columns(system_id=pl.lit(f"s{i}")).select(table.column_names)
        write_deltalake(lakehouse.uri(names.SENSOR_FEATURES), copy.to_arrow(), mode="append")
    return systems * one.height


def ours(lakehouse: Lakehouse, settings: Settings, packages: dict[str, ForecastPackage]) -> int:
    models = ServingModels(packages, dict.fromkeys(packages, "1"))
    end = START.date() + timedelta(days=DAYS)
    return score_days(lakehouse, settings, models, START.date(), end, datetime.now(UTC)).rows


def registered(
    lakehouse: Lakehouse, packages: dict[str, ForecastPackage], example: pl.DataFrame, home: Path, rows: int
) -> int:
    from pyspark.sql import functions as F

    features = lakehouse.read(names.SENSOR_FEATURES).sortWithinPartitions("system_id", "timestamp")
    for kind, package in packages.items():
        save_artifact(package, example, home / f"registered_{kind}")
        udf = spark_udf(lakehouse, home / f"registered_{kind}", "prediction double")
        given = [
            (
                F.to_timestamp_ntz(c) if c == "timestamp" else F.col(c) if c == "system_id" else F.col(c).cast("double")
            ).alias(c)
            for c in input_columns(package.info)
        ]
        features = features.withColumn(kind, udf(F.struct(*given))["prediction"])
    return consume(features.select(*packages), rows)


def window_udf(lakehouse: Lakehouse, packages: dict[str, ForecastPackage], home: Path, rows: int) -> int:
    import mlflow.lightgbm
    import mlflow.pyfunc
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    steps = lakehouse.settings.sequence_length
    window = Window.partitionBy("system_id").orderBy("timestamp").rowsBetween(1 - steps, 0)
    features = lakehouse.read(names.SENSOR_FEATURES).orderBy("system_id", "timestamp").limit(rows)
    for kind in NETWORKS:
        cell = cell_of(packages[kind])
        width = cell.input_size
        folder, model = home / f"window_{kind}", pyfunc(WindowModel(cell, steps))
        mlflow.pyfunc.save_model(folder, python_model=model, pip_requirements=["torch"])
        udf = spark_udf(lakehouse, folder, "double")
        step = F.array(*(F.coalesce(F.col(c).cast("float"), F.lit(0.0)) for c in numbers(features.dtypes)[:width]))
        features = features.withColumn("window", F.flatten(F.collect_list(step).over(window)))
        features = features.withColumn(kind, udf("window")).drop("window")
    booster = booster_of(packages["lightgbm"])
    mlflow.lightgbm.save_model(booster, home / "row_lightgbm", pip_requirements=["lightgbm"])
    udf = spark_udf(lakehouse, home / "row_lightgbm", "double")
    inputs = [F.col(c) for c in numbers(features.dtypes)[: booster.num_feature()]]
    features = features.withColumn("lightgbm", udf(F.struct(*inputs))).select(*NETWORKS, "lightgbm")
    return consume(features, rows)


def driver_loop(lakehouse: Lakehouse, packages: dict[str, ForecastPackage], rows: int) -> int:
    frame = pl.DataFrame(pl.from_arrow(lakehouse.read(names.SENSOR_FEATURES).where("system_id = 's0'").toArrow())).sort(
        "timestamp"
    )
    history = max(package.info.lookback for package in packages.values())
    for at in frame["timestamp"].tail(rows):
        near = frame.filter(pl.col("timestamp").is_between(at - history, at))
        for package in packages.values():
            package.predict(near, at, at + timedelta(minutes=1))
    return rows


def neuralforecast(one: pl.DataFrame, rows: int) -> int:
    from neuralforecast import NeuralForecast  # type: ignore[import-not-found]
    from neuralforecast.models import GRU, LSTM  # type: ignore[import-not-found]

    series = one.select(unique_id="system_id", ds=pl.col("timestamp").dt.replace_time_zone(None), y="ph_level")
    size = {"h": 1, "input_size": 24, "encoder_hidden_size": 64, "encoder_n_layers": 2, "max_steps": 1}
    library = NeuralForecast(models=[LSTM(**size), GRU(**size)], freq="1m")
    library.fit(series.drop_nulls())
    library.cross_validation(series.drop_nulls(), n_windows=rows, step_size=1, refit=False)
    return rows


class WindowModel:
    """One recurrent cell with a linear head on windows that come as flat arrays."""

    def __init__(self, cell: nn.RNNBase, steps: int) -> None:
        self.cell, self.head, self.steps = cell.eval(), nn.Linear(cell.hidden_size, 1), steps

    def predict(self, arrays: Any) -> np.ndarray:
        size = self.steps * self.cell.input_size
        flat = np.stack([np.pad(array, (size - len(array), 0)) for array in arrays]).astype(np.float32)
        with torch.inference_mode():
            hidden, _ = self.cell(torch.from_numpy(flat).reshape(-1, self.steps, self.cell.input_size))
            return self.head(hidden[:, -1])[:, 0].numpy().astype(float)


def pyfunc(model: WindowModel) -> Any:
    """`model` as MLflow takes it: a function of its input."""
    return lambda model_input: model.predict(model_input.iloc[:, 0])


def cell_of(package: ForecastPackage) -> nn.RNNBase:
    """The recurrent cell of a package."""
    network = package.learner.network  # type: ignore[attr-defined]
    return next(module for module in network.modules() if isinstance(module, nn.RNNBase))


def booster_of(package: ForecastPackage) -> lgb.Booster:
    """The regression one step ahead of a LightGBM package."""
    return next(iter(package.learner.regressors.values()))  # type: ignore[attr-defined]


def numbers(types: list[tuple[str, str]]) -> list[str]:
    return [name for name, kind in types if kind == "double"]


def spark_udf(lakehouse: Lakehouse, folder: Path, result: str) -> Callable[..., Any]:
    """`mlflow.pyfunc.spark_udf` of a saved model, which lies where MLflow's tasks look before they copy it there.

    They copy without a lock, and the tasks of the embedded engine are threads of one process.
    """
    import mlflow.pyfunc

    name = hashlib.sha1(str(folder).encode(), usedforsecurity=False).hexdigest()
    shutil.copytree(folder, Path(tempfile.gettempdir(), "mlflow", name, str(os.getpid())), dirs_exist_ok=True)
    return mlflow.pyfunc.spark_udf(lakehouse.spark, str(folder), result, env_manager="local")


def consume(frame: Any, rows: int) -> int:
    """Compute every row and keep nothing; gives `rows`."""
    from pyspark.sql import functions as F

    frame.agg(*(F.sum(name) for name in frame.columns)).toArrow()
    return rows


def network_flops(package: ForecastPackage) -> float:
    """Multiplications and additions of one window: 2 G H (I + H) a step and layer, G gates (4 LSTM, 3 GRU)."""
    cell = cell_of(package)
    gates = {"LSTM": 4, "GRU": 3}[cell.mode]
    inputs = [cell.input_size, *[cell.hidden_size] * (cell.num_layers - 1)]
    return package.info.sequence_length * sum(2 * gates * cell.hidden_size * (i + cell.hidden_size) for i in inputs)


def matmul_flops(size: int = 1024, seconds: float = 1.0) -> float:
    """Operations per second of a float32 matrix product on all threads; the best of many."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        a @ b
        best = max(best, 2 * size**3 / (time.perf_counter() - begun))
    return best


if __name__ == "__main__":
    main()
