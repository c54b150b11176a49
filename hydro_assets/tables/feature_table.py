"""`sensor_features`: what is computed of every sensor and actuator, as rows of templates.

Names derived from a sensor end in their statistic, and in their window or lag where they have one: `ph_level` (mean of
the step), `ph_level_std`, `ph_level_lag_5min`, `ph_level_mean_1h`. Booleans start with `is_`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from hydro_assets.durations import duration_text
from hydro_assets.tables import names
from hydro_assets.tables.column import Column, Table
from hydro_assets.tables.sensors import BANDED_SENSORS, SENSOR

WINDOWS: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
LAGS: tuple[timedelta, ...] = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60))
KEYS = ("system_id", "timestamp")

_GOLD = f"{names.IOT_DATA}."
_TIME, _CALENDAR = (f"{_GOLD}timestamp_key",), (f"{names.DIM_TIME}.timestamp_key",)
_DAY = 1440  # minutes

# Limits of a derived column: those of its sensor, 0 .. the width of that range, a share, or a given pair.
_SAME, _WIDTH, _SHARE, _COUNT, _ANY = "same", "width", (0, 1), (0, None), (None, None)

# (name, type, unit, meaning, limits); {s} sensor, {u} its unit, {m} its meaning, {t} lag or window
_OF_STEP = (
    ("{s}", "double", "{u}", "{m}, mean of the step's valid readings", _SAME),
    ("{s}_min", "double", "{u}", "smallest valid reading of the step", _SAME),
    ("{s}_max", "double", "{u}", "largest valid reading of the step", _SAME),
    ("{s}_std", "double", "{u}", "population standard deviation of the step's valid readings", _WIDTH),
    ("{s}_count", "int", "1", "valid readings in the step", _COUNT),
)
_OF_LAG = (("{s}_lag_{t}", "double", "{u}", "step mean {t} earlier, same segment", _SAME),)
_OF_CHANGE = (("{s}_change_per_min", "double", "{u}/min", "rate of change since the previous step", _ANY),)
_OF_WINDOW = (
    ("{s}_mean_{t}", "double", "{u}", "mean of step means over the last {t}", _SAME),
    ("{s}_std_{t}", "double", "{u}", "sample standard deviation of step means over the last {t}", _WIDTH),
    ("{s}_min_{t}", "double", "{u}", "smallest step mean of the last {t}", _SAME),
    ("{s}_max_{t}", "double", "{u}", "largest step mean of the last {t}", _SAME),
    ("{s}_slope_{t}", "double", "{u}/h", "least-squares slope of step means over the last {t}", _ANY),
)
_NOISE = "the last 6 h look like white noise wider than the probe's own (lag-1 autocorrelation under 0.2)"
_FLAGS = (
    ("is_{s}_out_of_range", "boolean", "", "a reading of the step lay outside the physical range", _ANY),
    ("is_{s}_placeholder_zero", "boolean", "", "a reading of the step was an impossible zero", _ANY),
    ("is_{s}_saturated", "boolean", "", "a reading of the step sat at an end of the physical range", _ANY),
    ("is_{s}_stuck", "boolean", "", "no change at all over the last 3 h (24 h for a probe of coarse resolution)", _ANY),
    ("is_{s}_noise_only", "boolean", "", _NOISE, _ANY),
)
_OF_BAND = (("{s}_band_distance", "double", "{u}", "distance to the crop band; 0 inside, negative below", _ANY),)
_OF_BAND_WINDOW = (
    ("{s}_share_in_band_{t}", "double", "1", "share of step means of the last {t} in the crop band", _SHARE),
)
# The same for actuators; {s} is the column, {a} its stem
_OF_STATE = (
    ("{s}", "boolean", "", "state at the end of the step", _ANY),
    ("{a}_minutes_since_on", "double", "min", "time since it was last on, up to 24 h; null if it was not", (0, _DAY)),
)
_OF_STATE_WINDOW = (("{a}_share_on_{t}", "double", "1", "share of known states of the last {t} that were on", _SHARE),)


def usable_windows(step: timedelta) -> list[timedelta]:
    """Windows that hold at least two steps of the grid."""
    return [w for w in WINDOWS if w >= 2 * step]


def usable_lags(step: timedelta) -> list[timedelta]:
    """Lags that fall on the grid; a coarse grid uses 1, 2, 3 steps where the standard minutes do not fit."""
    on_grid = [lag for lag in LAGS if lag >= step and lag % step == timedelta(0)]
    return sorted({*on_grid, step, 2 * step, 3 * step})


def sensor_features_table(step: timedelta, sensors: Sequence[str], actuators: Sequence[str]) -> Table:
    """The feature table of a farm that has these sensors and actuators, on a grid of `step`."""
    windows = [duration_text(w) for w in usable_windows(step)]
    judged = tuple(_GOLD + s for s in sensors if s in BANDED_SENSORS)
    columns = [
        Column("system_id", "string", "", "the hydroponic system", nullable=False, sources=(_GOLD + "system_id",)),
        Column(
            "timestamp",
            "timestamp",
            "",
            "start of the grid step, UTC; the row uses readings stamped before its end",
            nullable=False,
            sources=_TIME,
        ),
        Column("date", "date", "", "UTC day of timestamp; partition", nullable=False, sources=_TIME),
        Column("reading_count", "int", "1", "readings in the step after removal of duplicates", 0, None, _TIME),
        Column(
            "known_at",
            "timestamp",
            "",
            "arrival of the step's last reading (end of the step where Gold has no ingestion_timestamp), UTC",
            sources=(_GOLD + "ingestion_timestamp",),
        ),
        Column(
            "minutes_since_previous",
            "double",
            "min",
            "distance to the step before that had a reading, up to 24 h",
            0,
            _DAY,
            _TIME,
        ),
        *(column for name in sensors for column in _sensor_columns(name, step, windows)),
        Column(
            "water_level", "double", "code", "last level code of the tank in the step", 0, 3, (_GOLD + "water_level",)
        ),
        *(column for name in actuators for column in _actuator_columns(name, windows)),
        Column("hour_sin", "double", "1", "hour of day on a circle, sine, farm time", -1, 1, _CALENDAR),
        Column("hour_cos", "double", "1", "hour of day on a circle, cosine, farm time", -1, 1, _CALENDAR),
        Column("weekday_sin", "double", "1", "weekday on a circle, sine, farm time", -1, 1, _CALENDAR),
        Column("weekday_cos", "double", "1", "weekday on a circle, cosine, farm time", -1, 1, _CALENDAR),
        Column("is_weekend", "boolean", "", "day_type of dim_time is weekend", sources=(f"{names.DIM_TIME}.day_type",)),
        Column(
            "is_env_optimal",
            "boolean",
            "",
            "every banded sensor lies in the crop's band; false when one lies outside, else null when one is unknown",
            sources=judged,
        ),
        *(
            Column(
                f"missing_share_{w}",
                "double",
                "1",
                f"share of the last {w} without a reading in this segment",
                0,
                1,
                _TIME,
            )
            for w in windows
        ),
    ]
    return Table(
        names.SENSOR_FEATURES,
        tuple(columns),
        "One row per system and grid step in which a reading was taken. Windows are time windows inside one segment: "
        "nothing crosses a gap, a system or the present.",
        keys=KEYS,
        partition_by="date",
        time_column="timestamp",
        properties=(("hydro.feature_step", duration_text(step)),),
    )


def _sensor_columns(name: str, step: timedelta, windows: Sequence[str]) -> Iterator[Column]:
    def made(templates: tuple, over: Sequence[str] = ("",)) -> Iterator[Column]:
        return _columns(templates, over, SENSOR[name], (_GOLD + name,))

    yield from made(_OF_STEP)
    yield from made(_OF_LAG, [duration_text(lag) for lag in usable_lags(step)])
    yield from made(_OF_CHANGE)
    yield from made(_OF_WINDOW, windows)
    yield from made(_FLAGS)
    if name in BANDED_SENSORS:
        yield from made(_OF_BAND)
        yield from made(_OF_BAND_WINDOW, windows)


def _actuator_columns(name: str, windows: Sequence[str]) -> Iterator[Column]:
    sources = (_GOLD + name, f"{names.DIM_EQUIPMENT}.equipment_code")
    yield from _columns(_OF_STATE, ("",), Column(name, "boolean", "", ""), sources)
    yield from _columns(_OF_STATE_WINDOW, windows, Column(name, "boolean", "", ""), sources)


def _columns(templates: tuple, over: Sequence[str], source: Column, sources: tuple[str, ...]) -> Iterator[Column]:
    """Each template for each lag or window of `over`, window by window."""
    low, high = source.low, source.high
    width = None if low is None or high is None else high - low
    limits = {_SAME: (low, high), _WIDTH: (0, width)}
    stem = source.name.removeprefix("is_").removesuffix("_on")
    for t in over:
        words = {"s": source.name, "a": stem, "u": source.unit, "m": source.meaning, "t": t}
        for name, kind, unit, meaning, limit in templates:
            low, high = limits[limit] if isinstance(limit, str) else limit
            yield Column(name.format(**words), kind, unit.format(**words), meaning.format(**words), low, high, sources)
