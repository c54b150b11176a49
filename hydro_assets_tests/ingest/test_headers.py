from __future__ import annotations

import pytest

from hydro_assets.ingest.headers import found_columns, map_text, name_of, proposals, quantity, time_positions
from hydro_assets.ingest.units import USUAL


@pytest.mark.parametrize(
    ("header", "column", "unit"),
    [
        ("pH", "ph_level", None),
        ("pH (ph)", "ph_level", "ph"),
        ("ph_level", "ph_level", None),
        ("Tank pH", "ph_level", None),
        ("sensor.tank_ph", "ph_level", None),
        ("EC (µS/cm)", "ec_level", "µS/cm"),
        ("EC [mS/cm]", "ec_level", "mS/cm"),
        ("Conductivity (uS/cm)", "ec_level", "uS/cm"),
        ("ec_us_cm", "ec_level", "us/cm"),
        ("TDS", "tds_level", None),
        ("TDS ppm", "tds_level", "ppm"),
        ("Air Temp (°F)", "air_temperature", "°F"),
        ("airTemperature", "air_temperature", None),
        ("AirTC_Avg", "air_temperature", None),
        ("T air [°C]", "air_temperature", "°C"),
        ("room_temp_c", "air_temperature", "c"),
        ("Humidity (%)", "air_humidity", "%"),
        ("rel. Humidity [%]", "air_humidity", "%"),
        ("RH, % (LGR S/N: 10324, SEN S/N: 10324)", "air_humidity", "%"),
        ("Water Temp °C", "water_temperature", "°C"),
        ("reservoir temperature", "water_temperature", None),
        ("#", "reading_id", None),
        ("ex_fan", "is_ex_fan_on", None),
        ("is_humidifier_on", "is_humidifier_on", None),
    ],
)
def test_name_of__finds_quantity_and_unit(header: str, column: str, unit: str | None) -> None:
    name = name_of(header)
    match = name.matches()
    assert (match[0] if match else None, name.unit) == (column, unit)


@pytest.mark.parametrize(
    "header",
    [
        "temp",
        "Temp, °F (LGR S/N: 1, LBL: air)",
        "target pH",
        "ph_mv",
        "EC setpoint",
        "soil temp",
        "field1",
        "note",
    ],
)
def test_name_of__takes_nothing_for_measured_that_may_be_something_else(header: str) -> None:
    assert name_of(header).matches() is None


def test_found_columns__a_whole_name_beats_an_ending_and_two_alike_are_no_choice() -> None:
    found, several = found_columns([name_of(h) for h in ("tank pH", "pH", "north ec", "south ec")])
    assert found == {"ph_level": 1}
    assert several == {"ec_level": [2, 3]}
    found, several = found_columns([name_of(h) for h in ("pH_1", "pH_2", "EC 0x64", "temp_f", "temp_c", "Humidity %")])
    assert found == {"ec_level": 2, "air_humidity": 5, "air_temperature": 4}
    assert several == {"ph_level": [0, 1]}


def test_time_positions__the_likeliest_first() -> None:
    headers = ["_start", "Date", "last_changed", "timestamp", "Date Time, GMT-05:00"]
    assert time_positions([name_of(h) for h in headers]) == [3, 4, 2, 1]


def test_proposals__by_words_units_and_values() -> None:
    named = [("pH_1", 6.1), ("Temp, °F", 71.0), ("field3", 60.0), ("field4", 1.5), ("voltage", 6.2)]
    assert proposals(named, (), USUAL) == {
        "pH": "pH_1",
        "DHT_temp": "Temp, °F",
        "EC": "field4",
        "DHT_humidity": "field3",
    }


def test_map_text__is_what_a_user_can_type() -> None:
    assert map_text({"pH": "field1", "EC": "ec-2"}) == "--map pH=field1,EC=ec-2"
    assert map_text({"pH": "pH (1)"}) == '--map "pH=pH (1)"'


@pytest.mark.parametrize(
    ("word", "column"),
    [("pH", "ph_level"), ("water_temp", "water_temperature"), ("air_humidity", "air_humidity"), 
     ("time", "timestamp_key"),
     ("System_ID", "system_id"), ("Air temperature", "air_temperature"), ("speed", None)],
)  # fmt: skip
def test_quantity__knows_export_names_gold_names_and_plain_words(word: str, column: str | None) -> None:
    assert quantity(word) == column
