"""What a grower reads: per system and target the newest forecasts, the risk of leaving the crop band, and how soon."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import TableError
from hydro_assets.forecasting.leaving import minutes_to_leaving
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.settings import Settings
from hydro_assets.tables import BOUNDS, KEYS, LEAVING_WINDOWS, MODELS, SENSOR, Table, names, system_outlook_table

MINUTE = timedelta(minutes=1)


def outlook_table(settings: Settings) -> Table:
    """The table with one forecast per lead time of the settings that the grid can tell."""
    return system_outlook_table(h * settings.feature_step for h in settings.horizons if _is_lead(h, settings))


def system_outlook(
    forecasts: pl.DataFrame, measured: pl.DataFrame, settings: Settings, as_of: datetime
) -> pl.DataFrame:
    """One row of `outlook_table` per system and target.

    Args:
        forecasts: rows of `forecasts`; the newest ones of each system count.
        measured: [system_id, timestamp, sensors ...] of these newest steps.
    """
    known = {(row["system_id"], row["timestamp"]): row for row in measured.iter_rows(named=True)}
    newest = forecasts.filter(pl.col("timestamp") == pl.col("timestamp").max().over("system_id"))
    ordered = newest.sort("system_id", "target", "horizon")
    optimal = {
        system: rows.row(-1, named=True)
        for (system,), rows in ordered.filter(target="is_env_optimal").group_by(["system_id"], maintain_order=True)
    }
    outlooks = [
        _outlook(rows, known.get((system, rows["timestamp"][0]), {}), optimal.get(system, {}), settings, as_of)
        for (system, _), rows in ordered.filter(pl.col("target").is_in(list(SENSOR))).group_by(
            ["system_id", "target"], maintain_order=True
        )
    ]
    return pl.DataFrame(outlooks, schema={c.name: POLARS_TYPES[c.type] for c in outlook_table(settings).columns})


def refresh_outlook(lakehouse: Lakehouse, as_of: datetime) -> pl.DataFrame:
    """Write system_outlook from the newest forecasts of every system; returns the table.

    Raises TableError when nothing was forecast yet.
    """
    from pyspark.sql import functions as F

    note = lakehouse.made_from(names.FORECASTS, names.SENSOR_FEATURES)
    settings, forecasts = lakehouse.settings, lakehouse.read(names.FORECASTS)
    newest = forecasts.groupBy("system_id").agg(F.max("timestamp").alias("timestamp"))
    features = lakehouse.read(names.SENSOR_FEATURES)
    sensors = [name for name in SENSOR if name in features.columns]
    measured = features.select(*KEYS, *sensors).join(newest, [*KEYS])
    outlook = system_outlook(_polars(forecasts.join(newest, [*KEYS])), _polars(measured), settings, as_of)
    if outlook.is_empty():
        raise TableError(f"{names.FORECASTS} holds no row", "Score a day first: materialise forecasts, or hydro run")
    lakehouse.overwrite(outlook_table(settings), outlook, note)
    return outlook


def _polars(frame: Any) -> pl.DataFrame:
    rows = pl.DataFrame(pl.from_arrow(frame.toArrow()))
    return rows.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))


def _is_lead(horizon: int, settings: Settings) -> bool:
    """Whether a horizon is a lead time of the settings, or the longest horizon."""
    return horizon * settings.feature_step in settings.lead_times or horizon == settings.horizons[-1]


def _outlook(
    rows: pl.DataFrame, measured: dict[str, Any], optimal: dict[str, Any], settings: Settings, as_of: datetime
) -> dict[str, Any]:
    """The outlook of one system and target from its forecasts, sorted by horizon."""
    step = settings.feature_step
    said = rows.drop_nulls("ensemble_avg")
    last = (rows if said.is_empty() else said).row(-1, named=True)
    band, now = settings.crop.bands().get(last["target"]), measured.get(last["target"])
    outlook = {
        **{name: last[name] for name in (*KEYS, "target", "lead_minutes", "prediction_for", *BOUNDS)},
        "age_minutes": (as_of - last["timestamp"] - step) / MINUTE,
        "current_value": now,
        **{
            f"prediction_{duration_text(row['horizon'] * step)}": row["ensemble_avg"]
            for row in rows.iter_rows(named=True)
            if _is_lead(row["horizon"], settings)
        },
        "prediction": last["ensemble_avg"],
        "optimal_probability": optimal.get("ensemble_avg"),
        "optimal_quality": optimal.get("prediction_quality"),
        **{name: last[name] for name in ("ensemble_members", "prediction_quality", "inference_timestamp")},
        **{f"{m}_version": last[f"{m}_version"] for m in MODELS},
        "updated_at": as_of,
    }
    if band is None:
        return outlook
    is_in_band = None if now is None else band.low <= now <= band.high
    lead, leaving = rows["lead_minutes"], rows["leaving_probability"]
    probability = leaving.cast(pl.Float64).fill_null(np.nan).to_numpy()
    minutes = minutes_to_leaving(lead.to_numpy(), probability[None]).item()
    return {
        **outlook,
        "band_low": band.low,
        "band_high": band.high,
        "is_in_band": is_in_band,
        **{
            f"leaving_probability_{duration_text(window)}": dict(zip(lead, leaving, strict=True)).get(window / MINUTE)
            for window in LEAVING_WINDOWS
        },
        "minutes_to_leaving": 0.0 if is_in_band is False else None if np.isnan(minutes) else minutes,
    }
