"""Gold, as the farm's lakehouse fills it."""

from __future__ import annotations

from hydro_assets.tables import names
from hydro_assets.tables.column import Column, Table
from hydro_assets.tables.sensors import ACTUATORS, OPTIMAL_FLAGS, SENSORS

GOLD_IOT_DATA = Table(
    names.IOT_DATA,
    (
        Column("reading_id", "int", "", "number of the reading in its source; never a feature"),
        Column("timestamp_key", "timestamp", "", "when it was taken; naive, in the farm's time zone", nullable=False),
        Column("system_id", "string", "", "the hydroponic system that was measured"),
        *SENSORS,
        Column("water_level", "int", "code", "level of the tank", 0, 3),
        *(Column(name, "boolean", "", f"state of the {text}") for name, _, text in ACTUATORS),
        *(Column(flag, "boolean", "", f"{sensor} lies in the optimal band") for flag, sensor in OPTIMAL_FLAGS.items()),
        Column("ingestion_timestamp", "timestamp", "", "when the reading arrived in the lakehouse (UTC)"),
        Column("source_file", "string", "", "file or stream the reading came from"),
        Column("date", "date", "", "calendar day of timestamp_key; partition", nullable=False),
    ),
    "One row per sensor reading, cleaned by the farm's Bronze/Silver/Gold pipeline.",
    keys=("system_id", "timestamp_key", "reading_id"),
    partition_by="date",
    time_column="timestamp_key",
)

GOLD_DIM_TIME = Table(
    names.DIM_TIME,
    (
        Column("timestamp_key", "timestamp", "", "start of the hour, naive, in the farm's time zone", nullable=False),
        Column("date", "date", "", "calendar day", nullable=False),
        Column("hour", "int", "h", "hour of day", 0, 23),
        Column("day_of_week", "int", "", "1 = Monday .. 7 = Sunday (ISO 8601)", 1, 7),
        Column("month", "int", "", "month of year", 1, 12),
        Column("day_type", "string", "", "weekday or weekend"),
    ),
    "Calendar, one row per hour that Gold covers.",
    keys=("timestamp_key",),
    time_column="timestamp_key",
)

GOLD_DIM_EQUIPMENT = Table(
    names.DIM_EQUIPMENT,
    (
        Column("equipment_id", "int", "", "1 .. 5", nullable=False),
        Column("equipment_code", "string", "", "code that names the actuator in raw exports", nullable=False),
        Column("equipment_name", "string", "", "readable name"),
        Column("description", "string", "", "what it does"),
    ),
    "The five actuators of a system.",
    keys=("equipment_id",),
)

GOLD_IMPORTS = Table(
    names.IMPORTS,
    (
        Column("import_id", "int", "", "1, 2, 3, ... in the order of the imports", 1, None, nullable=False),
        Column("source_file", "string", "", "name of the file"),
        Column("systems", "string", "", "systems of its readings, comma-separated"),
        Column("readings", "bigint", "1", "readings in the file", 0, None),
        Column("added", "bigint", "1", "rows added to Gold", 0, None),
        Column("known", "bigint", "1", "rows that Gold had in force already", 0, None),
        Column("merged", "bigint", "1", "readings that went into the row of another one of their instant", 0, None),
        Column("left_out", "bigint", "1", "lines that are no usable readings", 0, None),
        Column("first_reading", "timestamp", "", "first timestamp_key; naive, in the farm's time zone"),
        Column("last_reading", "timestamp", "", "last timestamp_key; naive, in the farm's time zone"),
        Column("ingestion_timestamp", "timestamp", "", "the rows of gold.iot_data that carry it are this import's"),
        Column("imported_at", "timestamp", "", "when it was imported, UTC"),
        Column("forgotten_at", "timestamp", "", "when its rows were taken out of Gold again, UTC"),
    ),
    "Imports of raw exports, one row each, in their order.",
    keys=("import_id",),
    time_column="imported_at",
)

EQUIPMENT_ROWS: tuple[tuple[int, str, str, str], ...] = tuple(
    (i, code, code.replace("_", " "), text) for i, (_, code, text) in enumerate(ACTUATORS, start=1)
)
