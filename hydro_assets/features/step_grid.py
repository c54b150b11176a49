"""The regular time grid of one system: step aggregates, segments, and the dense grid inside each segment."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from hydro_assets.features.spec import FeatureSpec


def step_aggregates(readings: pl.DataFrame, spec: FeatureSpec) -> pl.DataFrame:
    """One row per grid step that holds a reading; `k` numbers the steps since 1970, `segment` the unbroken stretches.

    Step `k` covers `[k * step, (k + 1) * step)`. Two readings further apart than `gap_limit` lie in different
    segments; the distance is taken between steps, so it does not depend on where in a step a reading falls.
    """
    step_us = spec.step // timedelta(microseconds=1)
    end_of_step = (pl.col("k") + 1) * step_us
    steps = (
        readings.with_columns((pl.col("timestamp").dt.epoch("us") // step_us).alias("k"))
        .group_by("k")
        .agg(
            pl.len().cast(pl.Int32).alias("reading_count"),
            pl.col("ingestion_timestamp").max(),
            *[e for name in spec.sensors for e in _sensor_aggregates(name)],
            pl.col("water_level").sort_by("timestamp").drop_nulls().last(),
            *[pl.col(name).sort_by("timestamp").drop_nulls().last() for name in spec.actuators],
        )
        .sort("k")
    )
    gap_steps = spec.gap_limit // spec.step
    return steps.with_columns(
        (pl.col("k").diff() > gap_steps).fill_null(False).cast(pl.Int32).cum_sum().alias("segment"),
        (pl.col("k") * step_us).cast(pl.Datetime("us", "UTC")).alias("timestamp"),
        pl.coalesce(pl.col("ingestion_timestamp"), end_of_step.cast(pl.Datetime("us", "UTC"))).alias("known_at"),
        _minutes_since_previous(spec).alias("minutes_since_previous"),
    ).drop("ingestion_timestamp")


def _minutes_since_previous(spec: FeatureSpec) -> pl.Expr:
    minutes = pl.col("k").diff() * (spec.step.total_seconds() / 60)
    return pl.when(minutes <= 1440).then(minutes)


def _sensor_aggregates(name: str) -> list[pl.Expr]:
    cell = pl.col(name)
    return [
        cell.mean(),
        cell.min().alias(f"{name}_min"),
        cell.max().alias(f"{name}_max"),
        cell.std(ddof=0).alias(f"{name}_std"),
        cell.count().cast(pl.Int32).alias(f"{name}_count"),
        pl.col(f"is_{name}_out_of_range").any(),
        pl.col(f"is_{name}_placeholder_zero").any(),
        pl.col(f"is_{name}_saturated").any(),
    ]


def dense_grid(steps: pl.DataFrame) -> pl.DataFrame:
    """Every step from the first to the last of each segment; steps without a reading are null and `observed` false."""
    spans = steps.group_by("segment", maintain_order=True).agg(
        pl.col("k").min().alias("first"), pl.col("k").max().alias("last")
    )
    every = spans.select("segment", pl.int_ranges("first", pl.col("last") + 1).alias("k")).explode("k")
    return every.join(
        steps.drop("segment").with_columns(observed=pl.lit(True)), on="k", how="left", maintain_order="left"
    ).with_columns(pl.col("observed").fill_null(False))
