"""Exports as other loggers, apps and dashboards write them (rows made up): each is read without a mapping."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from hydro_assets_tests.ingest.conftest import ExportFolder

TIMES = [datetime(2025, 3, 20, 10) + timedelta(minutes=10 * i) for i in range(8)]
PH = [round(6 + i / 10, 1) for i in range(8)]
PH_EC, AIR = ["ph_level", "ec_level"], ["air_temperature", "air_humidity"]
WATER = "water_temperature"


def rows(line: Callable[[int, datetime], str], end: str = "\n") -> str:
    return "".join(line(i, t) + end for i, t in enumerate(TIMES))


def unix(t: datetime) -> int:
    return int(t.replace(tzinfo=UTC).timestamp())


# name -> (header and lines above it, line of a reading, sensors that are read)
LOGGERS: dict[str, tuple[str, Callable[[int, datetime], str], list[str]]] = {
    "Bluelab": ("Timestamp,Guardian pH,Guardian EC (mS/cm)", lambda i, t: f"{t},{PH[i]},1.{i}", PH_EC),
    "Atlas": (
        "Time,pH_0x63,EC_0x64 (uS/cm)", lambda i, t: f"{t:%m/%d/%Y %I:%M:%S %p},{PH[i]},15{i}0", PH_EC,
    ),
    "Growlink": (
        "Time Stamp,Reservoir 1 - pH,Reservoir 1 - EC (mS/cm),Room - Temperature (F),Room - Humidity (%),CO2 (ppm)",
        lambda i, t: f"{t},{PH[i]},1.5{i},7{i}.2,6{i},80{i}", [*PH_EC, *AIR],
    ),
    "TrolMaster": (
        "No.,Time,Temp(°F),Humi(%),VPD(kPa),CO2(ppm),pH,EC(mS/cm),Water Temp(°F)",
        lambda i, t: f"{i},{t:%Y/%m/%d %H:%M},7{i}.1,6{i},1.0,800,{PH[i]},1.5{i},6{i}.8", [*PH_EC, *AIR, WATER],
    ),
    "SensorPush": (
        "Timestamp,Temperature (°F),Relative Humidity (%),Dew Point (°F)",
        lambda i, t: f"{t:%Y-%m-%d %H:%M},7{i}.34,5{i}.1,55.2", AIR,
    ),
    "Govee": (
        "Timestamp for sample frequency every 1 min min,Temperature_Celsius,Relative_Humidity",
        lambda i, t: f"{t},2{i}.3,6{i}.2", AIR,
    ),
    "Ecowitt": (
        "Time,Outdoor Temperature(℃),Indoor Temperature(℃),Indoor Humidity(%),Soil Humidity CH1(%)",
        lambda i, t: f"{t:%Y/%m/%d %H:%M},1{i}.3,2{i}.2,6{i},4{i}", AIR,
    ),
    "Ruuvi": (
        "Date,Temperature (°C),Humidity (%),Pressure (hPa)",
        lambda i, t: f"{t:%Y-%m-%dT%H:%M:%S}+0000,2{i}.31,5{i}.2,1013", AIR,
    ),
    "SwitchBot": (
        "Timestamp,Temperature_Celsius(°C),Relative_Humidity(%),Absolute_Humidity(g/m³),DPT_Celsius(°C)",
        lambda i, t: f"{t:%Y-%m-%d %H:%M},2{i}.3,6{i},11.2,13.4", AIR,
    ),
    "Pulse": (
        "created_at,temperature_f,temperature_c,humidity_rh,vpd,light_lux,dew_point",
        lambda i, t: f"{t:%Y-%m-%dT%H:%M:%S.000Z},7{i}.3,2{i}.1,6{i},1.1,0,55", AIR,
    ),
    "HOBO with serials": (
        '"Plot Title: Tent"\n"#","Date Time, GMT+00:00","Temp, °C (LGR S/N: 7, SEN S/N: 7)","RH, % (LGR S/N: 7)"',
        lambda i, t: f"{i},{t:%m/%d/%y %I:%M:%S %p},2{i}.319,6{i}.2", AIR,
    ),
    "Elitech": (
        "Elitech Data Report\n\nDevice Model:,RC-4HC\n\nNo.,Time,Temperature°C,Humidity%RH",
        lambda i, t: f"{i},{t},2{i}.3,6{i}.1", AIR,
    ),
    "Lascar": (
        "Easylog,Time,Celsius(°C),Humidity(%rh),Dew Point(°C),Serial Number",
        lambda i, t: f"{i},{t:%d/%m/%Y %H:%M:%S},2{i}.3,6{i}.1,12.3,{'10014' if i == 0 else ''}", AIR,
    ),
    "LogTag": (
        'Index,Date,Time,"Temperature (C)",Humidity (%RH)',
        lambda i, t: f"{i},{t:%d/%m/%Y},{t:%I:%M:%S %p},2{i}.3,6{i}", AIR,
    ),
    "testo": ("Date;Time;Probe °C;%rF", lambda i, t: f"{t:%d.%m.%Y};{t:%H:%M:%S};2{i},3;6{i},1", AIR),
    "InfluxDB pivot": (
        ",result,table,_time,ec,ph", lambda i, t: f",_result,0,{t:%Y-%m-%dT%H:%M:%SZ},1.5{i},{PH[i]}", PH_EC,
    ),
    "InfluxDB 1, nanoseconds": ("name,time,ph,ec", lambda i, t: f"farm,{unix(t)}000000000,{PH[i]},1.{i}", PH_EC),
    "Grafana wide, milliseconds": ('"Time","pH","EC"', lambda i, t: f"{unix(t)}000,{PH[i]},1.5{i}", PH_EC),
    "Grafana with units in cells": (
        '"Time","tank pH","tank EC"', lambda i, t: f"{t},{PH[i]},1.5{i} mS/cm", PH_EC,
    ),
    "microseconds": ("time_us,ph", lambda i, t: f"{unix(t)}000000,{PH[i]}", PH_EC[:1]),
    "units in cells": (
        "Time,pH,EC,Air Temp,Humidity",
        lambda i, t: f"{t:%Y-%m-%d %H:%M},{PH[i]} pH,15{i}0 µS/cm,7{i}.1 °F,6{i} %", [*PH_EC, *AIR],
    ),
    "German months": (
        "Datum;pH-Wert;Temperatur;Luftfeuchte",
        lambda i, t: f"Do., {t.day}. März 2025 um {t:%H:%M} Uhr;6,{i};2{i},35;6{i}",
        ["ph_level", *AIR],
    ),
    "French months": (
        "Date;Heure;pH;Conductivité (µS/cm);Température de l'eau (°C);Humidité de l'air (%)",
        lambda i, t: f"{t.day} mars 2025;{t:%H:%M:%S};{PH[i]};15{i}1;2{i};6{i}", [*PH_EC, AIR[1], WATER],
    ),
    "Spanish": (
        "Fecha y hora;pH;CE (mS/cm);Temperatura del agua (°C);Temperatura ambiente (°C);Humedad relativa (%)",
        lambda i, t: f"{t.day} de marzo de 2025 {t:%H:%M};{PH[i]};1.5{i};2{i};2{i};6{i}", [*PH_EC, *AIR, WATER],
    ),
    "Dutch": (
        "Tijd;Kas 1 pH;Kas 1 EC [mS/cm];Kas 1 luchttemperatuur [°C];Kas 1 RV [%]",
        lambda i, t: f"{t:%d-%m-%Y %H:%M};{PH[i]};1.5{i};2{i};6{i}", [*PH_EC, *AIR],
    ),
    "a name of the time in another alphabet": ("时间,pH,EC(mS/cm)", lambda i, t: f"{t},{PH[i]},1.5{i}", PH_EC),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGGERS)
def test_read_export__reads_what_loggers_write(exports: ExportFolder, name: str) -> None:
    header, line, sensors = LOGGERS[name]
    frame = exports.reads(f"{header}\n{rows(line)}").frame
    assert frame["timestamp_key"].to_list() == TIMES
    for sensor in (*PH_EC, "tds_level", *AIR, WATER):
        assert (frame[sensor].null_count() == 0) == (sensor in sensors), sensor
    if "ph_level" in sensors:
        assert frame["ph_level"].to_list() == PH
    for sensor, low, high in (("ec_level", 1, 2), ("air_temperature", 20, 28), (WATER, 15, 28), (AIR[1], 50, 68)):
        assert sensor not in sensors or frame[sensor].is_between(low, high).all(), f"{sensor} is in Gold's unit"


def test_read_export__reads_utf_16_of_semicolons_and_decimal_commas(exports: ExportFolder) -> None:
    text = "Zeitstempel;pH-Wert;EC-Wert (mS/cm);Lufttemperatur;Luftfeuchte\r\n"
    text += rows(lambda i, t: f"{t:%d.%m.%Y %H.%M.%S};6,{i}2;1,5{i};2{i},3;6{i},0", "\r\n")
    frame = exports.reads(text.encode("utf-16")).frame
    assert frame.row(1, named=True) | {"ph_level": 6.12, "ec_level": 1.51, "air_temperature": 21.3} == frame.row(
        1, named=True
    )
    assert frame["timestamp_key"].to_list() == TIMES


def test_read_export__home_assistant_with_umlauts(exports: ExportFolder) -> None:
    series = {"gewächshaus_temperatur": 22, "gewächshaus_luftfeuchtigkeit": 60, "nährlösung_ph": 6, "leitfähigkeit": 1}
    text = "entity_id,state,last_changed\n" + "".join(
        f"sensor.{name},{value}.{i},{t:%Y-%m-%dT%H:%M:%S.123Z}\n"
        for name, value in series.items()
        for i, t in enumerate(TIMES)
    )
    frame = exports.reads(text).frame
    assert frame.height == len(TIMES)
    assert frame.select(*PH_EC, *AIR).row(3) == (6.3, 1.3, 22.3, 60.3)


def test_read_export__thingspeak_json_names_its_fields(exports: ExportFolder) -> None:
    feeds = [
        {"created_at": f"{t:%Y-%m-%dT%H:%M:%SZ}", "entry_id": i, "field1": f"{PH[i]}"} for i, t in enumerate(TIMES)
    ]
    document = {"channel": {"id": 7, "created_at": "2020-01-01T00:00:00Z", "field1": "Tank pH"}, "feeds": feeds}
    assert exports.reads(json.dumps(document), "feeds.json").frame["ph_level"].to_list() == PH


def test_read_export__prometheus_json_is_one_series_a_metric(exports: ExportFolder) -> None:
    result = [
        {"metric": {"__name__": name}, "values": [[unix(t), f"{base}.{i}"] for i, t in enumerate(TIMES)]}
        for name, base in (("tank_ph", 6), ("air_temperature_celsius", 22))
    ]
    frame = exports.reads(json.dumps({"status": "success", "data": {"result": result}}), "query.json").frame
    assert frame.select("ph_level", "air_temperature").row(2) == (6.2, 22.2)
    assert frame["timestamp_key"].to_list() == TIMES


def test_read_export__a_workbook_with_title_lines(exports: ExportFolder) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    for cells in (["Farm report, March"], [], ["Date/Time", "pH", "EC (mS/cm)", "Air Temp (°F)"]):
        sheet.append(cells)
    for i, t in enumerate(TIMES):
        sheet.append([t, PH[i], 1.5, 70 + i])
    data = BytesIO()
    book.save(data)
    frame = exports.reads(data.getvalue(), "report.xlsx").frame
    assert frame["timestamp_key"].to_list() == TIMES
    assert frame["ph_level"].to_list() == PH
    assert frame["air_temperature"][0] == pytest.approx(21.111, abs=0.001)
