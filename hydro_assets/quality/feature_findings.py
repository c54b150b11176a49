"""What `sensor_features` must be: the table of columns.py, one row per key, nothing across a gap, fit to learn from."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.quality.finding import Finding, share_finding
from hydro_assets.settings import Settings
from hydro_assets.tables import KEYS, REQUIRED_SENSORS, SENSOR, Table, usable_lags, usable_windows

# Rounding of window sums may leave a share or a mean this far outside its closed range.
ROUNDING = 1e-6


def day_findings(features: pl.DataFrame, table: Table, settings: Settings) -> list[Finding]:
    """Judge rows of `sensor_features` of one day or more against `table` (the farm's own, from `FeatureSpec.table`)."""
    found = [schema(features, table)]
    if found[0].stops:
        return found
    return [
        *found,
        unique_keys(features),
        null_share(features),
        crossed_gaps(features, settings),
        ranges(features, table),
    ]


def schema(features: pl.DataFrame, table: Table) -> Finding:
    """Every column of `table` is there with its type."""
    have = features.schema
    problems = [f"{c.name} is missing" for c in table.columns if c.name not in have]
    problems += [
        f"{c.name} is {have[c.name]}, not {c.type}"
        for c in table.columns
        if c.name in have and have[c.name] != POLARS_TYPES[c.type]
    ]
    sentence = f"all {len(table.columns)} columns are as described" if not problems else "; ".join(problems)
    return Finding("schema", not problems, "error", sentence, {"columns": len(have)})


def unique_keys(features: pl.DataFrame) -> Finding:
    """One row per system and step, and no null in a key."""
    nulls = features.select(pl.any_horizontal(pl.col(KEYS).is_null()).sum()).item()
    copies = features.height - features.select(KEYS).unique().height
    sentence = f"{features.height:,} rows, one per system and step"
    if nulls or copies:
        sentence = f"{copies:,} of {features.height:,} rows repeat a key ({', '.join(KEYS)}) and {nulls:,} have none"
    return Finding("unique_keys", not nulls and not copies, "error", sentence, {"copies": copies, "nulls": nulls})


def null_share(features: pl.DataFrame) -> Finding:
    """Share of rows without a value of the required quantity that lacks most; an error when no sensor has any.

    A quantity with two sensors (TDS or EC) is judged by the better one: tables keep a column for a probe that a farm
    never had.
    """
    shares = {n: features[n].null_count() / max(features.height, 1) for n in SENSOR if n in features.columns}
    groups = {g: min(shares[n] for n in g if n in shares) for g in REQUIRED_SENSORS if shares.keys() & set(g)}
    if features.is_empty() or not shares:
        return Finding("null_share", True, "warn", "no rows to judge")
    if min(shares.values()) == 1.0:
        return Finding(
            "null_share", False, "error", f"no sensor has a value in any of {features.height:,} rows", shares
        )
    share, worst = max(((share, " or ".join(group)) for group, share in groups.items()), default=(0.0, "no quantity"))
    sentence = f"{worst} is unknown in {share:.1%} of {features.height:,} rows"
    return Finding("null_share", share <= 0.5, "warn", sentence, shares)


def crossed_gaps(features: pl.DataFrame, settings: Settings) -> Finding:
    """Lags and windows that hold more history than their segment has. There must be none.

    The first row of a system in `features` may continue a segment that began before; `minutes_since_previous` tells.
    """
    step, limit = settings.feature_step, settings.gap_limit
    since = timedelta(minutes=1) * pl.col("minutes_since_previous")
    rows = features.sort(KEYS).with_columns((since > limit).fill_null(True).alias("starts"))
    began = pl.when("starts").then("timestamp").forward_fill().over("system_id")
    rows = rows.with_columns(began.alias("began"))
    age = pl.col("timestamp") - pl.col("began")  # null: the segment began before these rows
    crossing = [
        pl.col(f"{n}_lag_{duration_text(lag)}").is_not_null() & (age < lag)
        for n in SENSOR
        if n in features.columns
        for lag in usable_lags(step)
    ]
    crossing += [
        (1 - pl.col(f"missing_share_{duration_text(w)}")) * (w / step) > (age / step) + 1 + ROUNDING
        for w in usable_windows(step)
    ]
    count = rows.select(pl.any_horizontal(crossing).fill_null(False).sum()).item()
    sentence = f"no window of {features.height:,} rows crosses a gap over {duration_text(limit)}"
    if count:
        sentence = f"{count:,} of {features.height:,} rows hold values from before a gap over {duration_text(limit)}"
    return Finding("crossed_gaps", count == 0, "error", sentence, {"rows": count})


def ranges(features: pl.DataFrame, table: Table) -> Finding:
    """Numbers that are not finite or lie outside the range of their column. There must be none."""
    outside: dict[str, int] = {}
    for column in table.columns:
        if column.type != "double" or column.name not in features.columns:
            continue
        cells = features[column.name].drop_nulls()
        low = float("-inf") if column.low is None else column.low - ROUNDING
        high = float("inf") if column.high is None else column.high + ROUNDING
        count = int((~cells.is_finite() | (cells < low) | (cells > high)).sum())
        if count:
            outside[f"{column.name} ({column.range_text})"] = count
    sentence = "every number is finite and in its column's range"
    if outside:
        sentence = "out of range: " + ", ".join(f"{n:,} x {name}" for name, n in outside.items())
    return Finding("ranges", not outside, "error", sentence, outside)


def training_columns(settings: Settings) -> list[str]:
    """The columns that `training_window_findings` looks at, of which a farm may lack some."""
    named = [*KEYS, "reading_count", "minutes_since_previous", *SENSOR, *(f"is_{name}_noise_only" for name in SENSOR)]
    return list(dict.fromkeys([*named, settings.target_col]))


def training_window_findings(features: pl.DataFrame, settings: Settings) -> list[Finding]:
    """Judge the rows that a model is to learn from; the training asset and its gate use the same list.

    The target is `target_col`; where the farm does not measure that, the first required quantity that it does.
    """
    missing = [c for c in (*KEYS, "reading_count", "minutes_since_previous") if c not in features.columns]
    if missing:
        return [Finding("columns", False, "error", f"sensor_features has no column {', '.join(missing)}")]
    target, target_finding = _target(features, settings)
    if target is None:
        return [target_finding]
    readings = int(features["reading_count"].sum())
    least = settings.minimum_records
    enough = readings >= least
    found = [
        Finding(
            "minimum_records",
            enough,
            "error",
            f"the features stand on {readings:,} readings, {'at least' if enough else 'fewer than'} {least:,}",
            {"readings": readings, "rows": features.height},
        ),
        unique_keys(features),
        target_finding,
    ]
    if features.is_empty():
        return found
    known = features[target].drop_nulls()
    text = f"of {features.height:,} rows have no {target}, the target"
    found += [
        share_finding("target_known", text, 1 - len(known) / features.height, 0.1, 0.9),
        Finding("target_moves", known.n_unique() > 1, "warn", _moves(target, known)),
        _span(features),
    ]
    if target in SENSOR:
        impossible = int((~known.is_between(SENSOR[target].low, SENSOR[target].high)).sum())
        text = f"{impossible:,} of {len(known):,} {target} values lie outside {SENSOR[target].range_text}"
        found.append(Finding("target_range", impossible == 0, "error", text))
        noise = f"is_{target}_noise_only"
        if noise in features.columns:
            share = features[noise].mean()
            text = f"of the rows have a {target} that looks like white noise"
            found.append(share_finding("target_measured", text, float(share or 0.0), 0.5, 1.0))  # type: ignore[arg-type]
    lacking = [
        " or ".join(group)
        for group in REQUIRED_SENSORS
        if all(n not in features.columns or features[n].null_count() == features.height for n in group)
    ]
    text = (
        f"no value of {', '.join(lacking)}" if lacking else "pH, conductivity, air temperature and humidity are there"
    )
    return [*found, Finding("sensors_complete", not lacking, "warn", text)]


def _target(features: pl.DataFrame, settings: Settings) -> tuple[str | None, Finding]:
    """What stands for the target, and the sentence that tells it."""
    wanted = settings.target_col
    known = [n for n in SENSOR if n in features.columns and features[n].null_count() < features.height]
    if wanted in known or (features.is_empty() and wanted in features.columns):
        return wanted, Finding("target", True, "error", f"{wanted} is measured")
    others = [name for group in REQUIRED_SENSORS for name in group if name in known]
    measured = f"measured: {', '.join(known) or 'nothing'}"
    if settings.targets is None and others:
        return others[0], Finding("target", False, "warn", f"no {wanted}, {others[0]} stands for it ({measured})")
    return None, Finding("target", False, "error", f"no {wanted} to forecast; choose another target ({measured})")


def _moves(target: str, known: pl.Series) -> str:
    if len(known) == 0:
        return f"{target} has no value"
    return f"{target} is constant at {known[0]:g}" if known.n_unique() == 1 else f"{target} takes many values"


def _span(features: pl.DataFrame) -> Finding:
    days = features["timestamp"].dt.date().n_unique()
    text = f"the rows cover {days} days" + ("" if days > 1 else ": models need several to know one day from another")
    return Finding("span", days > 1, "warn", text, {"days": days})
