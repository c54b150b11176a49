from __future__ import annotations

import polars as pl
import pytest

from hydro_assets.ingest.units import converted, fits, likely_unit, unit_of, unit_text


@pytest.mark.parametrize(
    ("text", "column", "value", "expected"),
    [
        ("°F", "air_temperature", 71.78, 22.1),
        ("degF", "water_temperature", 212.0, 100.0),
        ("K", "air_temperature", 295.15, 22.0),
        ("℃", "air_temperature", 22.0, 22.0),
        ("µS/cm", "ec_level", 1585.0, 1.585),
        ("uS", "ec_level", 1585.0, 1.585),
        ("dS/m", "ec_level", 1.585, 1.585),
        ("mS/m", "ec_level", 158.5, 1.585),
        ("CF", "ec_level", 15.85, 1.585),
        ("fraction", "air_humidity", 0.606, 60.6),
        ("%RH", "air_humidity", 60.6, 60.6),
        ("g/L", "tds_level", 0.8, 800.0),
        ("mg/l", "tds_level", 800.0, 800.0),
        ("pH", "ph_level", 6.0, 6.0),
    ],
)
def test_converted__to_golds_unit(text: str, column: str, value: float, expected: float) -> None:
    unit = unit_of(text)
    assert unit is not None
    made = converted(pl.Series([value, None], dtype=pl.Float64), unit, column)
    assert made.to_list() == [pytest.approx(expected), None]


@pytest.mark.parametrize("text", ["", "tank 1", "avg", "yyyy-mm-dd", "LGR S/N: 1", "MS/cm"])
def test_unit_of__is_none_for_other_words(text: str) -> None:
    assert unit_of(text) is None


def test_fits__knows_dissolved_solids_from_conductivity() -> None:
    assert not fits("ppm_tds", "ec_level")
    assert fits("microsiemens/centimeter", "ec_level")
    assert not fits("degC", "air_humidity")


@pytest.mark.parametrize(
    ("median", "column", "unit"),
    [(55.8, "air_temperature", "degF"), (0.6, "air_humidity", "fraction"), (1500, "ec_level", "uS/cm"),
     (16, "ec_level", "CF"),
     (293, "air_temperature", "K"), (22, "air_temperature", None), (2.0, "ph_level", None)],
)  # fmt: skip
def test_likely_unit__names_the_unit_in_which_a_strange_median_is_usual(
    median: float, column: str, unit: str | None
) -> None:
    found = likely_unit(median, column)
    assert (unit_text(found[0]) if found else None) == unit
