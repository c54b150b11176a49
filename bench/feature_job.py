"""How fast is the feature job? Delta in, Delta out, four ways; and what does a new day cost as history grows?

    python bench/feature_job.py                 # backfill: ours, polars, DuckDB, window expressions on the same Spark
    python bench/feature_job.py --part day      # one new day behind 1x, 10x and 100x of history
    python bench/feature_job.py --engine sc://127.0.0.1:15002    # on Apache Spark (hydro spark-server)

Every way runs in a process of its own: wall and processor seconds (lowest of `--repeats`; processor seconds tell where
other work shares the cores) and peak memory. Values are compared
first: every column of every row must agree with ours (see `worst_difference` and `AGREEMENT`).
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from engine import add_engine, choose

from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import ACTUATOR_COLUMNS, GOLD_IOT_DATA, Table

FIRST = date(2025, 1, 1)
GOLD, FEATURES = "gold.iot_data", "feature_store.sensor_features"
LEVELS = {"ph_level": (6.0, 0.2), "tds_level": (1000.0, 100.0), "air_temperature": (24.0, 2.0),
          "air_humidity": (60.0, 8.0), "water_temperature": (21.0, 1.0)}  # fmt: skip


def gold_rows(systems: int, days: int, cadence: timedelta) -> pl.DataFrame:
    """Readings of a farm, with 2 % missing, gaps of hours, 1 % null cells and probes that fail; seeded."""
    rng = np.random.default_rng(1)
    start = datetime.combine(FIRST, datetime.min.time())
    parts = []
    for system in range(systems):
        n = int(days * timedelta(days=1) / cadence)
        hours = np.arange(n) * cadence.total_seconds() / 3600
        frame = pl.DataFrame({"reading_id": np.arange(n, dtype=np.int32), "hours": hours}).with_columns(
            (pl.lit(start) + pl.duration(microseconds=pl.col("hours") * 3600e6)).alias("timestamp_key"),
            pl.lit(f"system_{system}").alias("system_id"),
            *(
                pl.Series(name, level + spread * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, spread / 20, n))
                for name, (level, spread) in LEVELS.items()
            ),
            *(pl.Series(name, rng.random(n) < 0.1) for name in ACTUATOR_COLUMNS),
            pl.Series("water_level", rng.integers(0, 4, n, dtype=np.int32)),
        )
        white = pl.Series(rng.normal(60, 10, n))
        frame = frame.with_columns(
            pl.when((pl.col("hours") % 80).is_between(40, 46)).then(1000.0).otherwise("tds_level").alias("tds_level"),
            pl.when((pl.col("hours") % 90).is_between(60, 70))
            .then(white)
            .otherwise("air_humidity")
            .alias("air_humidity"),
            pl.col("water_temperature").round(0),
        )
        frame = frame.with_columns(
            *(pl.when(pl.Series(rng.random(n) >= 0.01)).then(pl.col(name)).alias(name) for name in LEVELS)
        )
        inside_gap = (pl.col("hours") % 170).is_between(100, 103)
        parts.append(frame.filter(pl.Series(rng.random(n) >= 0.02) & ~inside_gap))
    rows = pl.concat(parts).drop("hours")
    return rows.with_columns(
        (pl.col("timestamp_key") + timedelta(seconds=5)).alias("ingestion_timestamp"),
        pl.col("timestamp_key").dt.date().alias("date"),
    )


# -- the four ways -----------------------------------------------------------------------------------------------------


def ours(house: Lakehouse, days: int) -> None:
    build_sensor_features(house, FIRST, FIRST + timedelta(days=days))


def plain_polars(house: Lakehouse, days: int) -> None:
    spec = farm_spec(house)
    gold = pl.read_delta(house.uri(GOLD))
    made = [features_of_system(rows, spec, str(key[0])) for key, rows in gold.group_by("system_id")]
    _write(house, pl.concat(made))


def duckdb(house: Lakehouse, days: int) -> None:
    import duckdb as engine
    from feature_sql import DUCKDB, feature_sql

    gold = pl.read_delta(house.uri(GOLD)).to_arrow()
    connection = engine.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("gold", gold)
    _write(house, pl.DataFrame(connection.execute(feature_sql(farm_spec(house), "gold", DUCKDB)).to_arrow_table()))


def window_expressions(house: Lakehouse, days: int) -> None:
    from feature_sql import SPARK, feature_sql

    spec = farm_spec(house)
    house.read(GOLD).createOrReplaceTempView("bench_gold")
    frame = house.spark.sql(feature_sql(spec, "bench_gold", SPARK))
    typed = frame.selectExpr(*(f"CAST(`{c.name}` AS {c.type}) AS `{c.name}`" for c in spec.table.columns))
    house.replace_days(spec.table, typed, FIRST, FIRST + timedelta(days=days))


def _write(house: Lakehouse, rows: pl.DataFrame) -> None:
    from deltalake import write_deltalake

    write_deltalake(house.uri(FEATURES), rows.to_arrow(), mode="overwrite", partition_by=["date"])


WAYS: dict[str, Callable[[Lakehouse, int], None]] = {
    "ours": ours, "polars": plain_polars, "duckdb": duckdb, "window": window_expressions,
}  # fmt: skip

# Sail's sliding aggregates add and take away, so a slope on a long segment keeps the rounding of all that went before.
AGREEMENT = {"ours": 0.0, "polars": 1e-9, "duckdb": 1e-9, "window": 1e-8}


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(way: str, home: Path, step: str, days: int, repeats: int) -> dict[str, float]:
    """Run in a process of its own: lowest wall and processor time in seconds, peak memory in GB."""
    house = Lakehouse(load_settings(home=home, feature_step=step))
    house.read(GOLD).limit(1).count()  # the engine is up before the clock starts
    seconds, cpu = [], []
    for _ in range(repeats):
        shutil.rmtree(house.uri(FEATURES), ignore_errors=True)
        started, worked = time.perf_counter(), time.process_time()
        WAYS[way](house, days)
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": min(seconds), "cpu": min(cpu), "gigabytes": peak}


def in_own_process(way: str, home: Path, args: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--home", str(home), "--step", args.step]
    command += ["--days", str(args.days), "--repeats", str(args.repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def worst_difference(mine: pl.DataFrame, other: pl.DataFrame, table: Table) -> tuple[float, str]:
    """Largest difference over all columns and its column; infinite where nulls differ.

    Relative to the value, the spread of its column, or 1, whichever is largest. Standard deviations are compared as
    variances: of a probe that gives one value the variance is 0 but for rounding, whose root would be large.
    """
    mine, other = (f.sort("system_id", "timestamp") for f in (mine, other))
    if mine.height != other.height:
        return float("inf"), f"{mine.height} rows against {other.height}"
    worst = (0.0, "")
    for column in table.columns:
        a, b = mine[column.name], other[column.name]
        if "_std_" in column.name:
            a, b = a**2, b**2
        if (a.is_null() != b.is_null()).any():
            return float("inf"), f"{column.name} (nulls)"
        if column.type == "double":
            values = a.drop_nulls()
            spread = float(values.std() or 0.0)  # type: ignore[arg-type]
            scale = pl.Series(np.maximum(max(1.0, spread), np.abs(values.to_numpy())))
            difference = ((values - b.drop_nulls()).abs() / scale).max() or 0.0
        elif column.type == "timestamp":
            difference = float((a.dt.epoch("us") != b.dt.epoch("us")).any())
        else:
            difference = float((a != b).any())
        worst = max(worst, (float(difference), column.name))  # type: ignore[arg-type]
    return worst


def backfill(args: argparse.Namespace, home: Path) -> None:
    house = Lakehouse(load_settings(home=home, feature_step=args.step))
    rows = gold_rows(args.systems, args.days, house.settings.feature_step / 2)
    house.append(GOLD_IOT_DATA, rows)
    table = farm_spec(house).table
    print(f"{rows.height:,} readings, {args.systems} systems, {args.days} days, step {args.step}, "
          f"{len(table.columns)} columns", flush=True)  # fmt: skip
    results, mine = {}, None
    for way in WAYS:
        results[way] = in_own_process(way, home, args)
        made = pl.read_delta(house.uri(FEATURES))
        mine = made if mine is None else mine
        difference, column = worst_difference(mine, made, table)
        wall, cpu = (results[way][k] / results["ours"][k] for k in ("seconds", "cpu"))
        print(
            f"{way:8} wall {results[way]['seconds']:7.2f} s ({wall:5.2f} x ours)  cpu {results[way]['cpu']:7.2f} s "
            f"({cpu:5.2f} x ours)  {results[way]['gigabytes']:4.1f} GB  worst difference {difference:.1e} {column}",
            flush=True,
        )
        if difference > AGREEMENT[way]:
            raise SystemExit(f"{way} does not agree to {AGREEMENT[way]}")


def new_day(args: argparse.Namespace, home: Path) -> None:
    for factor in (1, 10, 100):
        days = args.days * factor
        house = Lakehouse(load_settings(home=home / str(factor), feature_step=args.step))
        house.append(GOLD_IOT_DATA, gold_rows(args.systems, days, house.settings.feature_step / 2))
        last = FIRST + timedelta(days=days - 1)
        build_sensor_features(house, last - timedelta(days=1), last)  # warm
        seconds = []
        for _ in range(args.repeats):
            started = time.perf_counter()
            build_sensor_features(house, last, last + timedelta(days=1))
            seconds.append(time.perf_counter() - started)
        print(f"{factor:4} x history ({days:5} days): {min(seconds):.2f} s for the new day", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["backfill", "day"], default="backfill")
    parser.add_argument("--systems", type=int, default=2)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--step", default="1min")
    parser.add_argument("--repeats", type=int, default=3)
    add_engine(parser)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args.home, args.step, args.days, args.repeats)))
        return
    print(f"engine: {choose(args.engine)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        (backfill if args.part == "backfill" else new_day)(args, Path(folder))


if __name__ == "__main__":
    main()
