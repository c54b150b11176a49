"""Point-in-time look-up: the same windows for training and for scoring, by event time and by known time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl


def window_lookup(
    features: pl.DataFrame,
    keys: pl.DataFrame,
    as_of: datetime | None,
    sequence_length: int,
    step: timedelta,
    gap_limit: timedelta,
    columns: Sequence[str],
) -> pl.DataFrame:
    """The last `sequence_length` grid steps up to each key, one row per key and step.

    `features`: rows of `sensor_features`. `keys`: frame of `system_id`, `timestamp`. `as_of`: only rows that were
    known then (`known_at <= as_of`) are seen; None sees all that is known now. Returns `system_id`, `timestamp` (of
    the key), `step_back` (`sequence_length - 1` .. 0), `is_complete` and `columns`; steps without a row are null.
    `is_complete` is false where the window reaches over a gap longer than `gap_limit`, before the first row, or the
    key itself has no row: such windows must be neither trained on nor scored.
    """
    seen = features if as_of is None else features.filter(pl.col("known_at") <= as_of)
    seen = seen.select("system_id", pl.col("timestamp").alias("at"), *columns).sort("system_id", "at")
    seen = seen.with_columns(
        (pl.col("at").diff() > gap_limit).fill_null(True).over("system_id").alias("starts")
    ).with_columns(pl.when("starts").then("at").forward_fill().over("system_id").alias("segment_start"))
    back = pl.DataFrame({"step_back": range(sequence_length - 1, -1, -1)}, schema={"step_back": pl.Int32})
    asked = keys.select("system_id", "timestamp").unique(maintain_order=True)
    origin = seen.select("system_id", pl.col("at").alias("timestamp"), "segment_start")
    asked = asked.join(origin, on=["system_id", "timestamp"], how="left", maintain_order="left")
    reach = pl.col("timestamp") - (sequence_length - 1) * step
    asked = asked.with_columns((pl.col("segment_start") <= reach).fill_null(False).alias("is_complete"))
    grid = (
        asked.drop("segment_start")
        .join(back, how="cross", maintain_order="left_right")
        .with_columns((pl.col("timestamp") - pl.col("step_back") * step).alias("at"))
    )
    return grid.join(
        seen.drop("starts", "segment_start"), on=["system_id", "at"], how="left", maintain_order="left"
    ).drop("at")
