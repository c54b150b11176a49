"""What a farm measures and switches: sensors with their physical range, actuators, and Gold's own flags."""

from __future__ import annotations

from hydro_assets.tables.column import Column

# Physical range: what the quantity can be in a nutrient solution or a greenhouse, wider than any crop band; a reading
# outside it is a fault of probe or wiring. pH by definition 0..14, of which glass electrodes in nutrient solution
# resolve 1..13 (zero is the usual placeholder of a disconnected probe); TDS probes of this class end at 5000 ppm
# (10 mS/cm on the 500 scale); DHT22 data sheet: -40..80 C, 0..100 %RH, of which a greenhouse uses -20..60 C.
SENSORS: tuple[Column, ...] = (
    Column("ph_level", "double", "pH", "acidity of the nutrient solution", 1.0, 13.0),
    Column("tds_level", "double", "ppm", "total dissolved solids of the nutrient solution", 0.0, 5000.0),
    Column("ec_level", "double", "mS/cm", "electrical conductivity of the nutrient solution", 0.0, 10.0),
    Column("air_temperature", "double", "degC", "air temperature", -20.0, 60.0),
    Column("air_humidity", "double", "%RH", "relative humidity of the air", 0.0, 100.0),
    Column("water_temperature", "double", "degC", "temperature of the nutrient solution", 0.0, 50.0),
)
SENSOR: dict[str, Column] = {c.name: c for c in SENSORS}

# Sensors for which an exact zero cannot be a measurement while the system runs, and so is a placeholder.
ZERO_IS_PLACEHOLDER: frozenset[str] = frozenset({"ph_level", "tds_level", "ec_level", "air_humidity"})
# What probes, buses and loggers write for "no answer", where it cannot be a measurement: a cell that equals one of
# these and lies outside the physical range. -127 and 85: DS18B20; -999, -9999: Campbell; -1023, 1023: a 10-bit ADC.
PLACEHOLDERS: frozenset[float] = frozenset(
    {-1.0, -99.0, -127.0, -999.0, -9999.0, -1023.0, 85.0, 255.0, 999.0, 1023.0, 9999.0, 65535.0}
)

# The quantities that a farm is expected to measure; conductivity may be given as TDS or as EC.
REQUIRED_SENSORS: tuple[tuple[str, ...], ...] = (
    ("ph_level",),
    ("tds_level", "ec_level"),
    ("air_temperature",),
    ("air_humidity",),
)

# Sensors with an optimal band in every crop profile.
BANDED_SENSORS: tuple[str, ...] = ("ph_level", "tds_level", "ec_level", "air_temperature", "air_humidity")

# (Gold column, equipment_code of dim_equipment, description)
ACTUATORS: tuple[tuple[str, str, str], ...] = (
    ("is_ph_reducer_on", "pH_reducer", "pump that doses acid to lower pH"),
    ("is_add_water_on", "add_water", "valve that adds fresh water"),
    ("is_nutrients_adder_on", "nutrients_adder", "pump that doses nutrient concentrate"),
    ("is_humidifier_on", "humidifier", "humidifier"),
    ("is_ex_fan_on", "ex_fan", "exhaust fan"),
)
ACTUATOR_COLUMNS: tuple[str, ...] = tuple(a[0] for a in ACTUATORS)

# Gold's own flags: computed from the step's readings by the bands of the crop profile.
OPTIMAL_FLAGS: dict[str, str] = {
    "is_ph_optimal": "ph_level",
    "is_tds_optimal": "tds_level",
    "is_temp_optimal": "air_temperature",
    "is_humidity_optimal": "air_humidity",
}
