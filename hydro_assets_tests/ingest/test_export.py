"""The shapes that loggers and dashboards write, each with rows of its own: what Gold gets, or the sentence."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hydro_assets.errors import SourceFileError
from hydro_assets.features.tidy_readings import utc_timestamps
from hydro_assets.ingest.export import read_export
from hydro_assets.ingest.profile import Profile
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA
from hydro_assets_tests.ingest.conftest import ARRIVED, ExportFolder

T0 = datetime(2025, 3, 14, 8)
N = 20
PH = [round(6 + i % 7 / 50, 2) for i in range(N)]
EC = [round(1.5 + i % 5 / 100, 3) for i in range(N)]
AIR = [round(22 + i % 11 / 10, 1) for i in range(N)]
RH = [round(60 + i % 9 / 3, 1) for i in range(N)]
TIMES = [T0 + timedelta(minutes=5 * i) for i in range(N)]
HEADER = "timestamp,pH,EC,DHT_temp,DHT_humidity"


def table(
    stamp: str = "%Y-%m-%d %H:%M:%S", header: str = HEADER, row: str = "{t},{ph},{ec},{air},{rh}", end: str = "\n"
) -> str:
    """A file of `N` rows; `stamp` and `row` are its dialect."""
    lines = [
        row.format(i=i, t=f"{t:{stamp}}", ph=ph, ec=ec, us=round(ec * 1000), air=air, f=round(air * 1.8 + 32, 1), rh=rh)
        for i, (t, ph, ec, air, rh) in enumerate(zip(TIMES, PH, EC, AIR, RH, strict=True))
    ]
    return end.join([header, *lines]) + end


def comma(text: str) -> str:
    return text.replace(".", ",")


HOME_ASSISTANT = "entity_id,state,last_changed\n" + "".join(
    f"sensor.{name},{'unavailable' if i == 3 else value},{t:%Y-%m-%dT%H:%M:%S}.{i:03d}Z\n"
    for name, values in (("tank_ph", PH), ("tank_ec", EC), ("house_temperature", AIR), ("house_humidity", RH))
    for i, (t, value) in enumerate(zip(TIMES, values, strict=True))
)
INFLUX_HEADER = (
    "#group,false,false,true,true,false,false,true,true\n"
    "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string\n"
    "#default,mean,,,,,,,\n,result,table,_start,_stop,_time,_value,_field,_measurement\n"
)
INFLUX = "\n".join(
    INFLUX_HEADER + "".join(f",,0,2025-03-14T08:00:00Z,2025-03-14T10:00:00Z,{t:%Y-%m-%dT%H:%M:%SZ},{v},{name},rack\n"
                            for t, v in zip(TIMES, values, strict=True))
    for name, values in (("ph", PH), ("ec", EC), ("air_t", AIR), ("air_rh", RH))
)  # fmt: skip
THINGSPEAK = table(
    "%Y-%m-%dT%H:%M:%S+00:00",
    "created_at,entry_id,field1,field2,field3,field4,latitude,status",
    '{t},{i},{ph},{ec},{air},"{rh}\r\n\r\n",,',
)
HOBO = table(
    "%m/%d/%y %I:%M:%S %p",
    '"Plot Title: 1032"\n"#","Date Time, GMT+00:00","pH (LGR S/N: 1)",'
    '"Cond, μS/cm","Temp, °F (LBL: air)","RH, % (SEN S/N: 1)"',
    "{i},{t},{ph},{us},{f},{rh}",
)
TOA5 = table(
    row='"{t}",{i},{ph},{ec},{air},{rh}',
    header='"TOA5","CR1000","CR1000","1234","CR1000.Std.31","CPU:hydro.CR1","5555","Table1"\n'
    '"TIMESTAMP","RECORD","pH_Avg","EC_Avg","AirTC_Avg","RH"\n'
    '"TS","RN","pH","mS/cm","Deg C","%"\n"","","Avg","Avg","Avg","Smp"',
)
MAP = {"pH": "field1", "EC": "field2", "DHT_temp": "field3", "DHT_humidity": "field4"}

# (content, options): every one of these holds the same twenty readings.
SAME: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "control": (table(), {}),
    "thingspeak": (THINGSPEAK, {"map": MAP}),
    "influx": (INFLUX, {"map": {"DHT_temp": "air_t", "DHT_humidity": "air_rh"}}),
    "hobo": (HOBO, {"map": {"DHT_temp": "Temp, °F (LBL: air)"}}),
    "campbell": (TOA5, {}),
    "grafana": (
        "sep=;\n"
        + table(
            header='"Time";"tank ph";"tank ec";"air temp";"humidity"', row='"{t}";{ph};"{ec} mS/cm";"{air} °C";"{rh}%"'
        ),
        {},
    ),
    "units in header": (
        table(header="Timestamp,pH (ph),EC (µS/cm),Air Temp (°F),Humidity (%)", row="{t},{ph},{us},{f},{rh}"),
        {},
    ),
    "units in a row": (table(header=HEADER + "\nyyyy-mm-dd,pH,uS/cm,degF,%", row="{t},{ph},{us},{f},{rh}"), {}),
    "units in cells": (table(row="{t},{ph} pH,{us} uS/cm,{air} °C,{rh}%"), {}),
    "units told": (table(row="{t},{ph},{us},{f},{rh}"), {"unit": {"EC": "uS/cm", "DHT_temp": "degF"}}),
    "date and time": (table("%d.%m.%y,%H:%M", header="Date,Time,pH,EC,DHT_temp,DHT_humidity"), {}),
    "date and time told": (
        table("%d.%m.%y,%H:%M", header="Day,Hour,pH,EC,DHT_temp,DHT_humidity"),
        {"time": "Day+Hour"},
    ),
    "compact stamp": (table("%Y%m%d_%H%M"), {}),
    "UTC": (table("%Y-%m-%d %H:%M:%S UTC"), {}),
    "month names": (table("%d-%b-%Y %H:%M:%S"), {}),
    "ISO with comma": (
        table("%Y-%m-%dT%H:%M:%S,000", row="{t};{ph};{ec};{air};{rh}", header=HEADER.replace(",", ";")),
        {},
    ),
    "AM PM": (table("%Y-%m-%d %I:%M:%S %p"), {}),
    "two-digit year": (table("%m/%d/%y %H:%M"), {}),
    "time format": (table("%Hh%M %d.%m.%Y"), {"time_format": "%Hh%M %d.%m.%Y"}),
    "German": (comma(table(row="{t};{ph};{ec};{air};{rh}", header=HEADER.replace(",", ";"))), {}),
    "quoted decimal comma": (
        table().splitlines()[0]
        + "\n"
        + "".join(
            ",".join([line.split(",")[0], *(f'"{comma(v)}"' for v in line.split(",")[1:])]) + "\n"
            for line in table().splitlines()[1:]
        ),
        {},
    ),
    "Latin-1": (
        table(header=HEADER + ",Größe", row="{t},{ph},{ec},{air},{rh},ä").encode("cp1252"),
        {"encoding": "latin-1"},
    ),
    "UTF-16 with a mark": (
        table(row="{t}\t{ph}\t{ec}\t{air}\t{rh}", header=HEADER.replace(",", "\t")).encode("utf-16"),
        {},
    ),
    "UTF-16 without a mark": (table().encode("utf-16-le"), {}),
    "UTF-8 with a mark": (table().encode("utf-8-sig"), {}),
    "CR only": (table(end="\r"), {}),
    "mixed line ends": (table(end="\r\n").replace("\r\n", "\r", 4).replace("\r\n", "\n", 4), {}),
    "blank lines": (table(end="\n\n"), {}),
    "trailing comma": (table(row="{t},{ph},{ec},{air},{rh},"), {}),
    "comment lines": ("# Device: doser\n# Site: north\n\n" + table(), {}),
    "metadata lines": ("Device: doser-2\nSite,north\n\n" + table(), {}),
    "skip": ("a,b,c,d,e\n" * 3 + table(), {"skip": 3}),
    "comment character": (table() + "; end, of, this, file, now\n", {"comment": ";"}),
    "hash header": ("#" + table(), {}),
    "pipe": (table(row="{t}|{ph}|{ec}|{air}|{rh}", header=HEADER.replace(",", "|")), {"separator": "|"}),
    "spaces": (
        table("%Y-%m-%dT%H:%M:%S", row="{t} {ph} {ec} {air} {rh}", header=HEADER.replace(",", " ")),
        {"separator": "space"},
    ),
    "no header": (
        table().partition("\n")[2],
        {
            "no_header": True,
            "map": {"pH": "column_2", "EC": "column_3", "DHT_temp": "column_4", "DHT_humidity": "column_5"},
        },
    ),
    "stray quote": (table(header=HEADER + ",note", row='{t},{ph},{ec},{air},{rh},5" pipe'), {}),
    "unclosed quote": (
        table(header=HEADER + ",note", row="{t},{ph},{ec},{air},{rh},").replace(
            "08:10:00,6.04,1.52,22.2,60.7,", '08:10:00,6.04,1.52,22.2,60.7,"refilled'
        ),
        {},
    ),
    "NUL block": (table().encode() + b"\0" * 512 + b"\n", {}),
    "repeated header": (table() + HEADER + "\n", {}),
    "two probes": (
        table(header="timestamp,pH_1,EC,pH_2,DHT_temp,DHT_humidity", row="{t},{ph},{ec},7.1,{air},{rh}"),
        {"map": {"pH": "pH_1"}},
    ),
    "newest first": ("\n".join([HEADER, *table().splitlines()[:0:-1]]), {}),
    "one row a sensor": (
        "timestamp,pH,EC,DHT_temp,DHT_humidity\n"
        + "".join(
            f"{t},{p},,,\n{t},,{e},,\n{t},,,{a},{r}\n" for t, p, e, a, r in zip(TIMES, PH, EC, AIR, RH, strict=True)
        ),
        {},
    ),
    "long": (
        "sensor,when,what\n"
        + "".join(
            f"{name},{t},{v}\n"
            for name, values in (("ph", PH), ("ec", EC), ("air_temp", AIR), ("humidity", RH))
            for t, v in zip(TIMES, values, strict=True)
        ),
        {"long": "sensor,what,when"},
    ),
    "long with units": (
        "sensor,when,value,unit\n"
        + "".join(
            f"{name},{t},{v},{unit}\n"
            for name, values, unit in (
                ("ph", PH, "pH"),
                ("ec", [e * 1000 for e in EC], "uS/cm"),
                ("air_temp", AIR, "°C"),
                ("humidity", RH, "%"),
            )
            for t, v in zip(TIMES, values, strict=True)
        ),
        {"long": "sensor,value,when"},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_read_export__reads_the_same_readings_in_every_dialect(exports: ExportFolder, name: str) -> None:
    content, options = SAME[name]
    frame = exports.reads(content, **options).frame
    assert frame["timestamp_key"].to_list() == TIMES
    for column, values in (("ph_level", PH), ("ec_level", EC), ("air_temperature", AIR), ("air_humidity", RH)):
        assert frame[column].to_list() == [
            pytest.approx(v, abs=0.06 if column == "air_temperature" else 1e-6) for v in values
        ]


@pytest.mark.parametrize(
    ("stamp", "zone"),
    [("%s", "Unix seconds"), ("%s000", "ms"), ("%s000000000", "ns"), ("%Y-%m-%d %H:%M:%S CET", "CET")],
)
def test_read_export__instants_become_the_farms_wall_clock(exports: ExportFolder, stamp: str, zone: str) -> None:
    farm = "Europe/Berlin"
    start = 1741939200  # 2025-03-14 08:00 UTC, 09:00 in Berlin
    text = {"%s": str(start), "%s000": f"{start}000", "%s000000000": f"{start}000000000"}.get(
        stamp, "2025-03-14 09:00:00 CET"
    )
    export = exports.reads(f"timestamp,pH\n{text},6.0\n", timezone=farm)
    assert export.frame["timestamp_key"].to_list() == [datetime(2025, 3, 14, 9)]
    assert any("became the wall clock of Europe/Berlin" in n for n in export.notes)


def test_read_export__turns_the_thirteen_bronze_columns_into_gold(exports: ExportFolder) -> None:
    full = (
        "timestamp,id,pH,TDS,water_level,DHT_temp,DHT_humidity,water_temp,pH_reducer,add_water,nutrients_adder,"
        "humidifier,ex_fan,isDefault\n"
        "2023-12-21 11:17:03,25001,5.45,776.28,2.00,24.60,63.40,23.76,OFF,ON,ON,OFF,OFF,0\n"
        "2023-12-21 11:17:12,25002,6.46,976.18,1.00,24.60,75.30,18.45,OFF,ON,OFF,OFF,ON,1\n"
    )
    export = exports.reads(full)
    assert export.frame.columns == GOLD_IOT_DATA.column_names
    assert export.frame.row(1, named=True) == {
        "reading_id": 25002, "timestamp_key": datetime(2023, 12, 21, 11, 17, 12), "system_id": "system_1",
        "ph_level": 6.46, "tds_level": 976.18, "ec_level": None, "air_temperature": 24.6, "air_humidity": 75.3,
        "water_temperature": 18.45, "water_level": 1, "is_ph_reducer_on": False, "is_add_water_on": True,
        "is_nutrients_adder_on": False, "is_humidifier_on": False, "is_ex_fan_on": True, "is_ph_optimal": True,
        "is_tds_optimal": True, "is_temp_optimal": True, "is_humidity_optimal": False, "ingestion_timestamp": ARRIVED,
        "source_file": "export.csv", "date": datetime(2023, 12, 21).date(),
    }  # fmt: skip
    assert export.notes == ["columns ignored: isDefault"]


def test_read_export__needs_a_time_and_one_sensor_only(exports: ExportFolder) -> None:
    frame = exports.reads("timestamp,water_temp\n2025-03-14 08:00:00,19.5\n").frame
    assert frame.select("water_temperature", "ph_level", "is_ph_optimal").row(0) == (19.5, None, None)


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NULL", "None", " n/a ", "unavailable", "---", "#N/A"])
def test_read_export__empty_cells_are_null_and_their_row_stays(exports: ExportFolder, cell: str) -> None:
    frame = exports.reads(f"timestamp,pH,EC\n2025-03-14 08:00:00,{cell},1.5\n2025-03-14 08:05:00,5.5,1.5\n").frame
    assert frame["ph_level"].to_list() == [None, 5.5]
    assert frame["is_ph_optimal"].to_list() == [None, True]


def test_read_export__words_for_no_value_are_counted_in_the_report(exports: ExportFolder) -> None:
    report = "\n".join(exports.reads(HOME_ASSISTANT).report.lines())
    assert "sensor.tank_ph -> ph_level: 19 values, 6 .. 6.12 pH, every 5min, no value: unavailable x 1" in report


def test_read_export__of_home_assistant_maps_what_is_named_and_says_what_is_not(exports: ExportFolder) -> None:
    door = HOME_ASSISTANT + "binary_sensor.door,on,2025-03-14T08:00:00.000Z\n"
    export = exports.reads(door)
    assert (export.readings, export.frame.height, export.merged) == (81, N - 1, 3 * (N - 1))
    assert export.left_out == {
        "lines of series that are not mapped (binary_sensor.door)": 1,
        "lines without any value": 4,
    }
    assert (
        exports.reads(HOME_ASSISTANT, map={"water_temp": "sensor.house_temperature"}).frame["water_temperature"][0]
        == 22
    )


def test_read_export__values_of_a_logger_of_changes_are_held(exports: ExportFolder) -> None:
    text = "timestamp,pH,EC\n2025-03-14 08:00:00,6.0,1.5\n2025-03-14 08:03:00,,1.6\n"
    export = exports.reads(text, hold="2min")
    assert export.held == 2
    assert export.frame["ph_level"].to_list() == [6.0, 6.0, 6.0, None]
    assert export.frame["ec_level"].to_list() == [1.5, 1.5, 1.5, 1.6]


def test_read_export__holds_no_value_across_a_state_without_one(exports: ExportFolder) -> None:
    states = [("ph", "6.0", 0), ("air_humidity", "60", 0), ("ph", "unavailable", 2), ("air_humidity", "61", 5),
              ("ph", "6.2", 6)]  # fmt: skip
    text = "entity_id,state,last_changed\n" + "".join(
        f"sensor.{name},{state},2025-03-14T08:0{minute}:00Z\n" for name, state, minute in states
    )
    export = exports.reads(text, hold="15min")
    assert export.frame["ph_level"].to_list() == [6.0, 6.0, None, None, None, None, 6.2]
    assert export.frame["air_humidity"].to_list() == [60, 60, 60, 60, 60, 61, 61]


def test_read_export__a_skipped_hour_is_no_gap(exports: ExportFolder) -> None:
    text = "timestamp,pH\n" + "".join(
        f"2025-03-30T0{hour}:{minute:02}:00Z,6.0\n" for hour in (0, 1, 2) for minute in range(0, 60, 10)
    )
    export = exports.reads(text, timezone="Europe/Berlin")
    assert export.report.gaps == ()


def test_read_export__keeps_physical_nonsense_for_the_feature_table_to_flag(exports: ExportFolder) -> None:
    text = "timestamp,pH,EC\n" + "".join(
        f"2025-03-14 08:0{i}:00,{6 if i else -1},{1.5 if i else 99}\n" for i in range(5)
    )
    export = exports.reads(text)
    assert export.frame.select("ph_level", "ec_level").row(0) == (-1, 99)
    report = "\n".join(export.report.lines())
    assert "placeholders -1 x 1" in report
    assert "1 outside 0 .. 10" in report


@pytest.mark.parametrize(
    ("row", "warning"),
    [
        (
            "{t},{ph},{ec},55.8,{rh}",
            "the middle value 55.8 of DHT_temp is unusual for air_temperature in degC; in degF it would be 13.2",
        ),
        (
            "{t},{ph},{ec},{air},0.6",
            "the middle value 0.6 of DHT_humidity is unusual for air_humidity in %RH; in fraction it",
        ),
    ],
)
def test_read_export__warns_of_a_median_that_another_unit_would_make_usual(
    exports: ExportFolder, row: str, warning: str
) -> None:
    notes = exports.reads(table(row=row)).notes
    assert any(warning in n and "--unit" in n for n in notes), notes


def test_read_export__refuses_a_column_of_another_unit_unless_it_is_allowed(exports: ExportFolder) -> None:
    text = table(row="{t},{ph},{us},{air},{rh}")
    sentence = exports.refuses(text)
    assert "20 of 20 cells of EC lie outside 0 .. 10 mS/cm of ec_level (1500 .. 1540)" in sentence
    assert "--unit EC=uS/cm" in sentence
    assert '--map "TDS=EC"' in sentence
    assert "--allow" in sentence
    assert exports.reads(text, allow=True).frame["ec_level"][0] == 1500


def test_read_export__a_dead_optional_probe_is_no_wrong_unit(exports: ExportFolder) -> None:
    text = table(header=HEADER + ",water_temp", row="{t},{ph},{ec},{air},{rh},-1023")
    report = "\n".join(exports.reads(text).report.lines())
    assert (
        "water_temp -> water_temperature: 20 values, every 5min, placeholders -1023 x 20" in report
        or "placeholders -1023 x 20" in report
    )


def test_read_export__two_systems_under_one_name_are_named_with_the_column_that_tells(exports: ExportFolder) -> None:
    two = "tank,timestamp,pH\n" + "".join(f"{tank},{t},{6 + tank / 2}\n" for t in TIMES for tank in (1, 2))
    export = exports.reads(two)
    assert export.frame.height == 2 * N
    assert any("20 of 20 instants repeat with other values" in n and "--map system_id=tank" in n for n in export.notes)
    apart = exports.reads(two, map={"system_id": "tank"})
    assert apart.frame["system_id"].unique().sort().to_list() == ["1", "2"]
    assert not [n for n in apart.notes if "WARNING" in n]


def test_read_export__broken_lines_are_left_out_below_a_limit(exports: ExportFolder) -> None:
    broken = table().replace("2025-03-14 08:50:00", "2025-03-14 08:5\nets Jan  8 2013,rst cause:2\n2025-03-14 08:50:00")
    sentence = exports.refuses(broken)
    assert "2 of 22 lines of export.csv are no readings" in sentence
    assert "line 12 '2025-03-14 08:5'" in sentence
    assert "line 13 'ets Jan  8 2013,rst cause:2': 2 values" in sentence
    assert "--max-bad-lines 10%" in sentence
    export = exports.reads(broken, max_bad_lines="10%")
    assert (export.frame.height, export.left_out) == (N, {"broken lines": 2})


@pytest.mark.parametrize("year", ["-2025", "9999", "0001"])
def test_read_export__a_year_of_no_calendar_is_a_bad_value_in_any_zone(exports: ExportFolder, year: str) -> None:
    wrong = table().replace("2025-03-14 08:50:00", f"{year}-12-31 23:59:59")
    assert f"line 12: '{year}-12-31 23:59:59' is not" in exports.refuses(wrong, timezone="Pacific/Kiritimati")


@pytest.mark.parametrize("year", ["0002", "1970", "2926", "9998"])
def test_read_export__a_year_of_no_clock_of_this_farm_is_a_bad_value(exports: ExportFolder, year: str) -> None:
    wrong = table().replace("2025-03-14 08:50:00", f"{year}-03-14 08:50:00")
    assert f"line 12: stamped {year}-03-14 08:50:00, which no clock" in exports.refuses(wrong)
    export = exports.reads(wrong, max_bad_lines="1")
    assert export.left_out == {"lines stamped by a wrong clock": 1}
    assert export.frame["timestamp_key"].dt.year().unique().to_list() == [2025]


def test_read_export__a_quoted_cell_over_two_lines_is_told_on_one(exports: ExportFolder) -> None:
    sentence = exports.refuses(table(row='"{t}\n!!",{ph},{ec},{air},{rh}'))
    assert "\n" not in sentence
    assert "line 2: '2025-03-14 08:00:00 !!' is not a readable date" in sentence


def test_read_export__lines_without_any_value_are_counted(exports: ExportFolder) -> None:
    export = exports.reads(table() + "2025-03-14 12:00:00,,,,\n,,,,\n")
    assert (export.readings, export.frame.height, export.left_out) == (N + 1, N, {"lines without any value": 1})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", ["export.csv is empty"], id="empty"),
        pytest.param("\n\n", ["export.csv is empty"], id="blank"),
        pytest.param(HEADER + "\n", ["has a header but no readings"], id="header only"),
        pytest.param("hello world\n", ["no comma, semicolon or tab", "--separator"], id="no separator"),
        pytest.param(
            table(row="{t}|{ph}|{ec}|{air}|{rh}", header=HEADER.replace(",", "|")),
            ["looks separated by '|'", '--separator "|"'],
            id="pipe",
        ),
        pytest.param(table().partition("\n")[2], ["has no header: line 1 holds values", "--no-header"], id="no header"),
        pytest.param("id,pH,EC\n1,6,1.5\n", ["lacks a column of time; it has id, pH, EC", "--time"], id="no time"),
        pytest.param(
            "begun,ended,pH\n2025-03-14 08:00:00,2025-03-14 08:01:00,6\n",
            ["begun looks like it", "--time begun"],
            id="two that may be the time",
        ),
        pytest.param(
            table(header="timestamp,field1,field2,field3,field4"),
            ["names no sensor", "--map pH=field1,EC=field2,DHT_temp=field3,DHT_humidity=field4"],
            id="unknown names",
        ),
        pytest.param("timestamp,pH,ph\n2025-03-14 08:00:00,6,7\n", ["names pH more than once"], id="twice"),
        pytest.param(
            table().replace(f"{PH[1]},{EC[1]}", "ERR,OL", 1).replace(f"{PH[3]},{EC[3]}", "ERR,x y", 1),
            [
                "pH has cells that are not numbers: 'ERR' 2 times (first on line 3)",
                "EC has cells that are not numbers: 'OL' once (line 3), 'x y' once (line 5)",
                '--null ERR --null OL --null "x y"',
            ],
            id="fault words",
        ),
        pytest.param(
            table("%d/%m/%Y %H:%M").replace("14/03", "04/03"),
            ["may be day/month or month/day", "--dates dmy"],
            id="ambiguous dates",
        ),
        pytest.param(
            table("someday %H:%M"), ["'someday 08:00' is not a readable date and time", "--time-format"], id="no dates"
        ),
        pytest.param("timestamp,pH\n1000,6\n301000,6\n", ["uptime", "is no time"], id="uptime"),
        pytest.param("timestamp,pH\n,6\n", ["column timestamp of export.csv is empty", "--time"], id="empty time"),
        pytest.param(
            table().encode("cp1252").replace(b"pH", b"p\xb0H"),
            ["Line 1 of export.csv is not UTF-8 text", "looks like cp1252", "--encoding cp1252"],
            id="Latin-1",
        ),
        pytest.param(
            table(header="timestamp,pH,EC (ppm),DHT_temp,DHT_humidity"),
            ["EC (ppm) is in ppm, which is no unit of ec_level", '--map "TDS=EC (ppm)"'],
            id="EC in ppm",
        ),
        pytest.param(
            "timestamp,TDS\n" + "".join(f'{t},"1,{200 + i}"\n' for i, t in enumerate(TIMES)),
            ["a comma for thousands", "--decimal ,"],
            id="thousands",
        ),
        pytest.param(table("2025-03-14 %H:%M:%S XYZ"), ["the zone 'XYZ' of the times", "--timezone"], id="zone"),
        pytest.param(
            "timestamp,pH,add_water\n2025-03-14 08:00:00,6,maybe\n",
            ["add_water has cells that are not ON or OFF: 'maybe'"],
            id="switch",
        ),
        pytest.param("timestamp,pH\n2025-03-14 08:00:00,\n", ["No line of export.csv holds a value"], id="no value"),
        pytest.param(b"timestamp,pH\n" + bytes(range(256)) * 20, ["export.csv is a binary file"], id="binary"),
    ],
)
def test_read_export__refuses_in_a_sentence_that_names_the_option(
    exports: ExportFolder, content: str | bytes, words: list[str]
) -> None:
    sentence = exports.refuses(content)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"map": {"pH": "acid"}}, ["has no column 'acid'; it has timestamp, pH"]),
        ({"map": {"speed": "pH"}}, ["'speed' is no quantity: map one of"]),
        ({"time": "when"}, ["has no column 'when'"]),
        ({"long": "a,b,c"}, ["has no column 'a'"]),
        ({"unit": {"EC": "parsec"}}, ["'parsec' is no known unit of EC"]),
        ({"system": " "}, ["has an empty name"]),
    ],
)
def test_read_export__refuses_an_option_that_does_not_fit_the_file(
    exports: ExportFolder, options: dict[str, Any], words: list[str]
) -> None:
    sentence = exports.refuses(table(), **options)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize(
    ("column", "system", "systems"),
    [
        (None, None, ["system_1"]),
        (None, "rack_2", ["rack_2"]),
        (("a", "b"), None, ["a", "b"]),
        (("a", ""), None, ["a", "system_1"]),
        (("a", ""), "a", ["a"]),
    ],
    ids=["default", "named", "own column", "own column with a blank", "named like its own column"],
)
def test_read_export__system_comes_from_the_file_else_the_caller_else_the_settings(
    exports: ExportFolder, column: tuple[str, str] | None, system: str | None, systems: list[str]
) -> None:
    text = "timestamp,pH\n2025-03-14 08:00:00,6\n2025-03-14 08:05:00,6\n"
    if column is not None:
        text = "\n".join(f"{c},{line}" for c, line in zip(("system_id", *column), text.splitlines(), strict=True))
    assert sorted(set(exports.reads(text, system=system).frame["system_id"])) == systems
    if column == ("a", "b"):
        assert "names its own systems (a, b)" in exports.refuses(text, system="c")


def test_read_export__refuses_a_missing_file_and_a_folder(exports: ExportFolder, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)  # type: ignore[call-arg]
    with pytest.raises(SourceFileError, match="There is no file"):
        read_export(tmp_path / "absent.csv", None, ARRIVED, settings)
    with pytest.raises(SourceFileError, match="is a folder"):
        read_export(tmp_path, None, ARRIVED, settings)


# -- clocks ------------------------------------------------------------------------------------------------------------


def minutes(start: datetime, n: int) -> str:
    return "timestamp,pH\n" + "".join(f"{start + timedelta(minutes=i)},{6 + i / 1000:.3f}\n" for i in range(n))


def test_read_export__names_a_logger_on_winter_time_and_loses_no_reading(exports: ExportFolder) -> None:
    winter = minutes(datetime(2025, 3, 30, 1), 180)
    sentence = exports.refuses(winter, timezone="Europe/Berlin")
    assert (
        "60 readings are stamped at times that Europe/Berlin skips (2025-03-30 02:00:00 .. 2025-03-30 02:59:00)"
        in sentence
    )
    assert "HYDRO_TIMEZONE=Etc/GMT-1" in sentence


def test_read_export__a_logger_of_another_zone_keeps_its_instants(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(minutes(datetime(2025, 3, 30, 1), 180))
    settings = Settings(home=tmp_path, timezone="Europe/Berlin")  # type: ignore[call-arg]
    frame = read_export(path, None, ARRIVED, settings, Profile(timezone="Etc/GMT-1")).frame
    instants = utc_timestamps(frame, "Europe/Berlin")
    assert instants.n_unique() == 180
    assert (instants.diff().drop_nulls() == timedelta(minutes=1)).all()


def test_read_export__the_repeated_hour_is_told_apart_by_the_order_in_the_file(exports: ExportFolder) -> None:
    # Berlin sets its clock back on 2025-10-26 at 03:00.
    wall = [datetime(2025, 10, 26, 2) + timedelta(minutes=i % 60) for i in range(120)]
    text = "timestamp,pH\n" + "".join(f"{t},{6 + i / 1000:.3f}\n" for i, t in enumerate(wall))
    newest_first = "\n".join([text.splitlines()[0], *text.splitlines()[:0:-1]])
    for content in (text, newest_first):
        export = exports.reads(content, timezone="Europe/Berlin")
        assert export.frame["ph_level"].to_list() == [round(6 + i / 1000, 3) for i in range(120)]
        assert any("120 readings stand in the hour that Europe/Berlin repeats" in n for n in export.notes)


def test_read_export__a_repeated_hour_that_comes_once_is_named(exports: ExportFolder) -> None:
    export = exports.reads(minutes(datetime(2025, 10, 26, 1), 180), timezone="Europe/Berlin")
    assert any("is in the file once (60 readings" in n and "--timezone Etc/GMT-1" in n for n in export.notes)


def test_read_export__lines_that_are_not_used_shift_no_clock(exports: ExportFolder) -> None:
    door = "".join(f"binary_sensor.door,on,{t:%Y-%m-%dT%H:%M:%SZ}\n" for t in TIMES)
    head, _, rest = HOME_ASSISTANT.partition("\n")
    export = exports.reads(f"{head}\n{door}{rest}", timezone="America/New_York")
    assert export.frame["timestamp_key"][0] == datetime(2025, 3, 14, 4)
    assert not [n for n in export.notes if "jumps back" in n]


def test_read_export__a_clock_that_was_set_back_is_named(exports: ExportFolder) -> None:
    lines = minutes(datetime(2025, 3, 14), 100) + minutes(datetime(2025, 3, 13), 100).partition("\n")[2]
    assert any(
        "jumps back by more than an hour 1 times, first to 2025-03-13 00:00:00 on line 102" in n
        for n in exports.reads(lines).notes
    )


@pytest.mark.parametrize(("zone", "hour"), [("GMT-05:00", 13), ("GMT+01:00", 7), ("UTC", 8)])
def test_read_export__the_zone_in_a_header_is_read(exports: ExportFolder, zone: str, hour: int) -> None:
    frame = exports.reads(f'"Date Time, {zone}",pH\n2025-03-14 08:00:00,6\n').frame
    assert frame["timestamp_key"].to_list() == [datetime(2025, 3, 14, hour)]


# -- real exports ------------------------------------------------------------------------------------------------------

REAL = next(Path(__file__).parents[3].glob("*/data/*/iot_raw_2023-12-21_26.csv"), None)


@pytest.mark.real_data
@pytest.mark.skipif(REAL is None, reason="no real export beside the checkout")
def test_read_export__reads_a_real_export_whole(tmp_path: Path) -> None:
    assert REAL is not None
    frame = read_export(REAL, None, ARRIVED, Settings(home=tmp_path)).frame  # type: ignore[call-arg]
    assert len(frame) == 25_570
    assert frame["ph_level"].mean() == pytest.approx(5.7316, abs=1e-3)
    assert frame.select("ph_level", "tds_level", "air_temperature", "air_humidity").null_count().row(0) == (0,) * 4
