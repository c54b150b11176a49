from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from hydro_assets.errors import SourceFileError
from hydro_assets.features.tidy_readings import utc_timestamps
from hydro_assets.ingest.csv_import import ImportedReadings, new_readings, read_export
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA

ARRIVED = datetime(2024, 1, 2, tzinfo=UTC)
FULL = (
    "timestamp,id,pH,TDS,water_level,DHT_temp,DHT_humidity,water_temp,pH_reducer,add_water,nutrients_adder,humidifier,"
    "ex_fan,isDefault\n"
    "2023-12-21 11:17:03,25001,5.45,776.28,2.00,24.60,63.40,23.76,OFF,ON,ON,OFF,OFF,0\n"
    "2023-12-21 11:17:12,25002,6.46,976.18,1.00,24.60,75.30,18.45,OFF,ON,OFF,OFF,ON,1\n"
)
SHORT = "timestamp,pH,TDS,DHT_temp,DHT_humidity\n"
ROW = "2023-12-21 11:17:03,5.5,900,24,60\n"


class Farm:
    """Writes a file and imports it, as the command does."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.path = folder / "export.csv"
        self.settings = Settings(home=folder, **settings)  # type: ignore[arg-type]

    def reads(self, content: str | bytes, system: str | None = None) -> ImportedReadings:
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_export(self.path, system, ARRIVED, self.settings)


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return Farm(tmp_path)


def test_read_export__turns_the_thirteen_bronze_columns_into_gold(farm: Farm) -> None:
    frame = farm.reads(FULL).frame
    assert frame.columns == GOLD_IOT_DATA.column_names
    assert frame.row(1, named=True) == {
        "reading_id": 25002, "timestamp_key": datetime(2023, 12, 21, 11, 17, 12), "system_id": "system_1",
        "ph_level": 6.46, "tds_level": 976.18, "ec_level": None, "air_temperature": 24.6, "air_humidity": 75.3,
        "water_temperature": 18.45, "water_level": 1, "is_ph_reducer_on": False, "is_add_water_on": True,
        "is_nutrients_adder_on": False, "is_humidifier_on": False, "is_ex_fan_on": True, "is_ph_optimal": True,
        "is_tds_optimal": True, "is_temp_optimal": True, "is_humidity_optimal": False, "ingestion_timestamp": ARRIVED,
        "source_file": "export.csv", "date": datetime(2023, 12, 21).date(),
    }  # fmt: skip


def test_read_export__says_what_the_file_lacks_and_what_it_ignored(farm: Farm) -> None:
    assert farm.reads(FULL).notes == ["not in the file, so null: EC", "columns ignored: isDefault"]
    short = farm.reads(SHORT + ROW)
    assert "id, EC, water_temp, water_level, pH_reducer" in short.notes[0]
    assert short.frame["is_humidifier_on"].to_list() == [None]


def test_read_export__header_case_order_separator_bom_and_decimal_comma_do_not_matter(farm: Farm) -> None:
    text = "\ufeffdht humidity;DHT_TEMP;ph;ec;Timestamp\r\n63,4;24,6;5,45;2,1;2023-12-21 11:17:03\r\n"
    row = farm.reads(text).frame.row(0, named=True)
    assert (row["ph_level"], row["ec_level"], row["air_humidity"], row["tds_level"]) == (5.45, 2.1, 63.4, None)
    tabs = farm.reads(SHORT.replace(",", "\t") + ROW.replace(",", "\t")).frame
    assert tabs["ph_level"].to_list() == [5.5]


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NULL", "None", " n/a "])
def test_read_export__empty_cells_are_null_and_their_row_stays(farm: Farm, cell: str) -> None:
    frame = farm.reads(SHORT + f"2023-12-21 11:17:03,{cell},900,24,60\n" + ROW).frame
    assert frame["ph_level"].to_list() == [None, 5.5]
    assert frame["is_ph_optimal"].to_list() == [None, True]


@pytest.mark.parametrize(
    ("cell", "state"),
    [("ON", True), ("off", False), ("1", True), ("0", False), ("True", True), ("false", False), ("1.0", True)],
)
def test_read_export__actuators_are_on_off_or_unknown(farm: Farm, cell: str, state: bool | None) -> None:
    text = SHORT.replace("timestamp", "timestamp,humidifier") + ROW.replace("03,", f"03,{cell},")
    assert farm.reads(text).frame["is_humidifier_on"].to_list() == [state]


def test_read_export__keeps_physical_nonsense_for_the_feature_store_to_flag(farm: Farm) -> None:
    frame = farm.reads(SHORT + "2023-12-21 11:17:03,0.27,-284,70,3312\n").frame
    assert frame.select("ph_level", "tds_level", "air_temperature", "air_humidity").row(0) == (0.27, -284, 70, 3312)


def test_read_export__keeps_wall_clocks_and_converts_instants_to_the_farms_zone(tmp_path: Path) -> None:
    frame = Farm(tmp_path, timezone="Europe/Amsterdam").reads(SHORT + ROW + ROW.replace(":03", ":03Z")).frame
    assert frame["timestamp_key"].to_list() == [datetime(2023, 12, 21, 11, 17, 3), datetime(2023, 12, 21, 12, 17, 3)]


def test_read_export__exact_duplicates_are_kept_once_and_counted(farm: Farm) -> None:
    read = farm.reads(FULL + FULL.splitlines()[1])
    assert len(read.frame) == 2
    assert "1 rows occur more than once and are kept once" in read.notes


def test_read_export__rows_without_a_time_are_left_out_and_counted(farm: Farm) -> None:
    read = farm.reads(SHORT + ROW + ",,,,\n" + "\n" + ROW.replace(":03", ":04"))
    assert len(read.frame) == 2
    assert "2 rows have no timestamp and are left out, the first on line 3" in read.notes


def test_read_export__names_a_wrong_clock(farm: Farm) -> None:
    read = farm.reads(SHORT + ROW + ROW.replace("2023", "1970"))
    assert "1970-12-21 11:17:03 on line 3" in read.notes[1]


def test_read_export__ids_that_are_not_numbers_become_null_with_a_note(farm: Farm) -> None:
    read = farm.reads(FULL.replace("25001", "a-1").replace("25002", "99999999999"))
    assert read.frame["reading_id"].to_list() == [None, None]
    assert "2 ids are not whole numbers" in read.notes[2]


def test_read_export__water_levels_are_codes(farm: Farm) -> None:
    read = farm.reads(FULL.replace(",2.00,", ",1.75,"))
    assert read.frame["water_level"].to_list() == [2, 1]
    assert "1 water levels are not whole codes" in read.notes[2]


@pytest.mark.parametrize(
    ("column", "system", "systems"),
    [
        (None, None, ["system_1", "system_1"]),
        (None, "rack_2", ["rack_2", "rack_2"]),
        (("a", "b"), None, ["a", "b"]),
        (("a", ""), None, ["a", "system_1"]),
        (("a", ""), "a", ["a", "a"]),
    ],
    ids=["default", "named", "own column", "own column with a blank", "named like its own column"],
)
def test_read_export__system_comes_from_the_file_else_the_caller_else_the_settings(
    farm: Farm, column: tuple[str, str] | None, system: str | None, systems: list[str]
) -> None:
    text = SHORT + ROW + ROW.replace(":03", ":04")
    if column is not None:
        text = "\n".join(f"{c},{line}" for c, line in zip(("system_id", *column), text.splitlines(), strict=True))
    assert farm.reads(text, system).frame["system_id"].to_list() == systems


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "export.csv is empty"),
        ("\n\n", "export.csv is empty"),
        (SHORT, "export.csv has a header but no readings"),
        ("hello world\n", "no comma, semicolon or tab"),
        (b"PK\x03\x04\x00\x00", "export.csv is a binary file"),
        (SHORT.encode() + b"2023,\xff,1,2,3\n", "Line 2 of export.csv is not UTF-8 text"),
        (
            "id,pH,TDS\n1,2,3\n",
            "export.csv lacks the columns timestamp, DHT_temp, DHT_humidity; it has id, pH, TDS. Add them; the time of "
            "each reading cannot be guessed",
        ),
        ("timestamp,pH,DHT_temp,DHT_humidity\n" + ROW, "lacks the columns TDS or EC"),
        (SHORT.replace("TDS", "TDS,ph") + ROW, "names pH more than once"),
        (SHORT + ROW + ROW.replace("5.5", "abc"), "Line 3 of export.csv: pH is 'abc', not a number. Correct"),
        (
            SHORT + ROW.replace("900", "x").replace("5.5", "5..5") + ROW.replace("5.5", "y"),
            "Line 2 of export.csv: pH is '5..5', not a number (and 1 more); Line 2 of export.csv: TDS is 'x'",
        ),
        (SHORT + ROW + ROW.replace("2023-12-21", "someday"), "Line 3 of export.csv: timestamp is 'someday 11:17:03'"),
        (SHORT + ROW.replace("2023-12-21", "03/04/2023"), "may be day/month or month/day"),
        (SHORT + ",5,6,7,8\n", "column timestamp of export.csv is empty"),
        (SHORT + ROW + "2023-12-21 11:17:03,5.5,90\n", "Line 3 of export.csv has 3 values where the header names 5"),
        (SHORT + ROW + ROW.replace("\n", ",1\n"), "Line 3 of export.csv has 6 values where the header names 5"),
        (FULL.replace("OFF,ON,ON", "OFF,maybe,ON"), "Line 2 of export.csv: add_water is 'maybe', neither ON nor OFF"),
        (
            'timestamp,pH,TDS,DHT_temp,DHT_humidity,note\n2023-12-21 11:17:03,5,6,7,8,"a\nb"\n'
            '2023-12-21 11:17:04,5,bad,7,8,"c"\n',
            "Line 4 of export.csv: TDS is 'bad'",
        ),
    ],
)
def test_read_export__refuses_with_line_value_and_remedy(farm: Farm, content: str | bytes, sentence: str) -> None:
    with pytest.raises(SourceFileError) as error:
        farm.reads(content)
    assert sentence in str(error.value)
    assert error.value.remedy


def test_read_export__refuses_a_missing_file_and_a_folder(farm: Farm, tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match="There is no file"):
        read_export(tmp_path / "absent.csv", None, ARRIVED, farm.settings)
    with pytest.raises(SourceFileError, match="is a folder"):
        read_export(tmp_path, None, ARRIVED, farm.settings)


def test_read_export__refuses_another_system_than_the_file_names(farm: Farm) -> None:
    text = SHORT.replace("timestamp", "system_id,timestamp") + "rack_1," + ROW
    with pytest.raises(SourceFileError, match="names its own systems"):
        farm.reads(text, "rack_2")


def test_new_readings__of_the_same_file_twice_are_none_even_as_stored(farm: Farm) -> None:
    frame = farm.reads(FULL).frame
    stored = frame.with_columns(
        pl.col("timestamp_key").dt.replace_time_zone("UTC"), pl.col("water_level").cast(pl.Int64)
    )
    assert new_readings(frame, stored).is_empty()
    assert new_readings(frame, frame.clear()).equals(frame)


def test_new_readings__nulls_equal_nulls_and_a_filled_null_is_new(farm: Farm) -> None:
    blank = farm.reads(SHORT + ROW.replace("5.5", "")).frame
    filled = farm.reads(SHORT + ROW).frame
    assert new_readings(blank, blank).is_empty()
    assert new_readings(filled, blank).equals(filled)


def test_new_readings__a_corrected_value_of_a_known_key_is_new(farm: Farm) -> None:
    first = farm.reads(FULL).frame
    corrected = farm.reads(FULL.replace("5.45", "5.54")).frame
    assert new_readings(corrected, first)["ph_level"].to_list() == [5.54]


def test_new_readings__the_same_values_of_another_system_are_new(farm: Farm) -> None:
    first = farm.reads(FULL, "rack_1").frame
    assert len(new_readings(farm.reads(FULL, "rack_2").frame, first)) == 2


REAL = next(Path(__file__).parents[3].glob("*/data/*/iot_raw_2023-12-21_26.csv"), None)


@pytest.mark.real_data
@pytest.mark.skipif(REAL is None, reason="no real export beside the checkout")
def test_read_export__reads_a_real_export_whole(farm: Farm) -> None:
    assert REAL is not None
    read = read_export(REAL, None, ARRIVED, farm.settings)
    assert len(read.frame) == 25_570
    assert read.frame["ph_level"].mean() == pytest.approx(5.7316, abs=1e-3)
    assert read.frame.select("ph_level", "tds_level", "air_temperature", "air_humidity").null_count().row(0) == (0,) * 4


def test_read_export__keeps_the_repeated_hour_of_instants_that_are_written_newest_first(tmp_path: Path) -> None:
    # Madrid sets its clock back on 2024-10-27 at 01:00 UTC.
    hours = ["2024-10-27T00:30:00Z", "2024-10-27T00:00:00Z", "2024-10-26T23:30:00Z"]
    hours = ["2024-10-27T01:30:00Z", "2024-10-27T01:00:00Z", *hours]
    rows = "".join(f"{hour},{ph},900,24,60\n" for hour, ph in zip(hours, (6.5, 6.4, 6.3, 6.2, 6.1), strict=True))
    gold = Farm(tmp_path, timezone="Europe/Madrid").reads(SHORT + rows).frame
    instants = utc_timestamps(gold, "Europe/Madrid")
    assert instants.dt.strftime("%H:%M").to_list() == ["23:30", "00:00", "00:30", "01:00", "01:30"]
    assert gold["ph_level"].to_list() == [6.1, 6.2, 6.3, 6.4, 6.5]


def test_read_export__refuses_a_thousands_mark_beside_decimal_commas(farm: Farm) -> None:
    header = SHORT.replace(",", ";")
    with pytest.raises(SourceFileError, match=r"TDS is '1\.299', with a dot in a file of decimal commas"):
        farm.reads(header + "2023-12-21 11:17:03;6,01;1.299;20,5;64,0\n")
    assert farm.reads(header + "2023-12-21 11:17:03;6.01;1299;20.5;64.0\n").frame["ph_level"].to_list() == [6.01]
