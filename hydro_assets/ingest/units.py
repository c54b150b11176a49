"""Units of a header, a cell or a profile, converted to Gold's units by pint."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pint import UnitRegistry

# Gold column -> pint unit. TDS in ppm is mg/L of dissolved salts on the farm's own scale.
GOLD_UNIT: dict[str, str] = {
    "ph_level": "acidity",
    "tds_level": "ppm_tds",
    "ec_level": "millisiemens/centimeter",
    "air_temperature": "degC",
    "air_humidity": "percent",
    "water_temperature": "degC",
}
# How units are written (lower case, without blanks, micro sign as u) -> pint unit. Meters leave out "/cm".
_WRITTEN: dict[str, str] = {
    **dict.fromkeys(("ph", "phunits"), "acidity"),
    **dict.fromkeys(("c", "degc", "celsius", "degreescelsius", "degreec", "gradc", "grad", "℃", "deg"), "degC"),
    **dict.fromkeys(("f", "degf", "fahrenheit", "degreesfahrenheit", "degreef", "℉"), "degF"),
    **dict.fromkeys(("k", "kelvin", "degk"), "kelvin"),
    **dict.fromkeys(("%", "%rh", "rh%", "rh", "percent", "pct", "%h", "%r.h.", "%relativehumidity"), "percent"),
    **dict.fromkeys(("fraction", "ratio", "0-1", "0..1"), "dimensionless"),
    **dict.fromkeys(("us", "us/cm", "uscm", "us/cm-1", "us.cm-1", "uscm-1", "usiemens/cm", "microsiemens/cm",
                     "microsiemens", "umho/cm", "umhos/cm"), "microsiemens/centimeter"),
    **dict.fromkeys(("ms", "ms/cm", "mscm", "ms.cm-1", "mscm-1", "msiemens/cm", "millisiemens/cm", "millisiemens",
                     "mmho/cm", "mmhos/cm", "ec"), "millisiemens/centimeter"),
    **dict.fromkeys(("ds/m", "dsm-1", "ds.m-1"), "decisiemens/meter"),
    "s/m": "siemens/meter",
    "us/m": "microsiemens/meter",
    "ms/m": "millisiemens/meter",
    "s/cm": "siemens/centimeter",
    "cf": "conductivity_factor",
    **dict.fromkeys(("ppm", "mg/l", "mgl", "ppm500", "ppm700", "ppm640", "mg/liter", "mg/litre", "ppmtds"), "ppm_tds"),
    **dict.fromkeys(("ppt", "g/l", "gl", "parts/thousand"), "ppt_tds"),
    "ppb": "ppb_tds",
}  # fmt: skip
# Middle values that a running system has: a median outside is another unit more often than a strange farm.
USUAL: dict[str, tuple[float, float]] = {
    "ph_level": (4.0, 8.5),
    "tds_level": (100.0, 4000.0),
    "ec_level": (0.2, 6.0),
    "air_temperature": (5.0, 40.0),
    "air_humidity": (15.0, 100.0),
    "water_temperature": (5.0, 35.0),
}


@cache
def _registry() -> UnitRegistry:
    from pint import UnitRegistry

    registry = UnitRegistry(cache_folder=None)
    registry.define("acidity = [acidity]")
    registry.define("ppm_tds = [dissolved_solids]")
    registry.define("ppt_tds = 1000 ppm_tds")
    registry.define("ppb_tds = 0.001 ppm_tds")
    registry.define("conductivity_factor = 0.1 millisiemens/centimeter")  # CF of nutrient meters: 10 CF = 1 mS/cm
    return registry


def unit_of(text: str) -> str | None:
    """The pint unit that `text` names (`°F`, `uS/cm`, `%RH`), None where it names none."""
    plain = text.strip().strip("()[]").replace("µ", "u").replace("μ", "u").replace("°", "deg").replace("º", "deg")
    plain = re.sub(r"\s+|_", "", plain)
    folded = plain.lower()
    if plain in ("MS", "MS/cm"):
        return None  # mega-, not milli-
    return _WRITTEN.get(folded) or _WRITTEN.get(folded.replace("deg", "", 1) if folded.startswith("deg") else "")


def is_unit(text: str) -> bool:
    return unit_of(text) is not None


def fits(unit: str, column: str) -> bool:
    """Whether a quantity in `unit` can be converted to the unit of the Gold column."""
    registry = _registry()
    return registry.Unit(unit).is_compatible_with(registry.Unit(GOLD_UNIT[column]))


def converted(values: pl.Series, unit: str, column: str) -> pl.Series:
    """`values` in `unit` as values in the unit of the Gold column, rounded to 9 digits after the point."""
    if unit == GOLD_UNIT[column]:
        return values
    registry = _registry()
    quantity = registry.Quantity(values.cast(pl.Float64).to_numpy(), unit)
    made = pl.Series(values.name, quantity.to(GOLD_UNIT[column]).magnitude).round(9)
    return pl.select(pl.when(values.is_not_null()).then(made)).to_series().alias(values.name)


def unit_text(unit: str) -> str:
    """A short name, as users write it: the value of a `--unit` option."""
    return {
        "acidity": "pH",
        "ppm_tds": "ppm",
        "ppt_tds": "g/L",
        "ppb_tds": "ppb",
        "percent": "%",
        "dimensionless": "fraction",
        "kelvin": "K",
        "millisiemens/centimeter": "mS/cm",
        "microsiemens/centimeter": "uS/cm",
        "decisiemens/meter": "dS/m",
        "conductivity_factor": "CF",
    }.get(unit, unit)


def likely_unit(median: float, column: str) -> tuple[str, float] | None:
    """(unit, converted median) of the unit in which an unusual middle value would be usual; None where none is."""
    low, high = USUAL[column]
    if low <= median <= high:
        return None
    for unit in ("degF", "kelvin", "dimensionless", "microsiemens/centimeter", "conductivity_factor", "ppt_tds"):
        if fits(unit, column):
            value = float(converted(pl.Series([median]), unit, column)[0])
            if low <= value <= high:
                return unit, value
    return None
