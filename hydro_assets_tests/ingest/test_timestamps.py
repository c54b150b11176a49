from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from hydro_assets.ingest.timestamps import read_stamps

NOON = datetime(2023, 12, 21, 12, 0, 3)
EVEN = datetime(2023, 12, 21, 12)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("2023-12-21 12:00:03", NOON),
        ("2023-12-21T12:00:03", NOON),
        ("2023/12/21 12:00:03", NOON),
        ("2023-12-21 12:00", EVEN),
        ("2023-12-21 12:00:03.25", NOON.replace(microsecond=250_000)),
        ("2023-12-21 12:00:03,123456789", NOON.replace(microsecond=123_456)),
        ("2023-12-21 01:00:03 PM", NOON.replace(hour=13)),
        ("20231221_1200", EVEN),
        ("20231221T120003", NOON),
        ("20231221120003", NOON),
        ("202312211200", EVEN),
        ("21/12/2023 12:00:03", NOON),
        ("21/12/23 12:00:03", NOON),
        ("21.12.2023 12:00", EVEN),
        ("21.12.23, 12:00", EVEN),
        ("12/21/2023 12:00:03 PM", NOON),
        ("12/21/2023 12:00:03PM", NOON),
        ("12/21/2023 1:05 pm", datetime(2023, 12, 21, 13, 5)),
        ("12/21/2023 12:05:00 AM", datetime(2023, 12, 21, 0, 5)),
        ("21-Dec-2023 12:00:03", NOON),
        ("21 December 2023 12:00:03", NOON),
        ("Dec 21, 2023 12:00:03 PM", NOON),
        ("Thu Dec 21 12:00:03 2023", NOON),
        ("Donnerstag, 21. Dezember 2023 um 12:00:03 Uhr", NOON),
        ("21-Dez-2023 12:00:03", NOON),
        ("21 déc. 2023 à 12:00", EVEN),
        ("21 juil. 2023 12h00", datetime(2023, 7, 21, 12)),
        ("21 juin 2023 12h00", datetime(2023, 6, 21, 12)),
        ("21 de diciembre de 2023 12:00:03", NOON),
        ("21 maart 2023 12.00", datetime(2023, 3, 21, 12)),
        ("21.12.2023 12.00.03", NOON),
        ("20.12.2023 24:00", datetime(2023, 12, 21)),
        ("05.04.2023 12:00", datetime(2023, 4, 5, 12)),
        ("45281.5000347", NOON),
    ],
)
def test_read_stamps__reads_wall_clocks(text: str, wall: datetime) -> None:
    stamps = read_stamps(pl.Series([text]))
    assert (stamps.wall.to_list(), stamps.instants.to_list(), stamps.problem) == ([wall], [None], None)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2023-12-21T12:00:03+01:00", 11),
        ("2023-12-21T11:00:03Z", 11),
        ("2023-12-21 11:00:03 UTC", 11),
        ("2023-12-21 12:00:03 CET", 11),
        ("2023-12-21 12:00:03 EST", 17),
        ("2023-12-21 12:00:03 UTC+2", 10),
        ("2023-12-21 16:30:03 UTC+5:30", 11),
        ("2023-12-21 16:30:03+0530", 11),
        ("2023-12-21T12:00:03+01:00[Europe/Berlin]", 11),
        ("2023-12-21T12:00:03[Europe/Berlin]", 11),
        ("2023-12-21 12:00:03 Europe/Rome", 11),
        ("21.12.2023 08:00:03 America/Argentina/Buenos_Aires", 11),
        ("Dec 21, 2023 12:00:03 Etc/GMT-1", 11),
        ("Thu, 21 Dec 2023 11:00:03 GMT", 11),
        ("21/Dec/2023:12:00:03 +0100", 11),
        ("1703156403", 11),
        ("1703156403000", 11),
        ("1703156403000000", 11),
        ("1703156403000000000", 11),
    ],
)
def test_read_stamps__reads_instants(text: str, hour: int) -> None:
    stamps = read_stamps(pl.Series([text]))
    assert stamps.instants.to_list() == [NOON.replace(hour=hour, tzinfo=UTC)]
    assert stamps.problem is None


@pytest.mark.parametrize("text", ["yesterday", "2023-02-30 11:17:03", "2023-12-21 25:00:00", "11:17:03", "45281.47"])
def test_read_stamps__leaves_null_what_it_cannot_read(text: str) -> None:
    stamps = read_stamps(pl.Series(["2023-12-21 11:17:03", text, None]))
    assert stamps.unreadable.to_list() == [False, True, True]


def test_read_stamps__a_date_among_clocks_is_its_midnight_as_spreadsheets_write_it() -> None:
    stamps = read_stamps(pl.Series(["21.12.2023 23:55", "22.12.2023", "22.12.2023 00:05"]))
    assert stamps.wall[1] == datetime(2023, 12, 22)


def test_read_stamps__one_day_above_twelve_settles_the_order_of_the_whole_file() -> None:
    stamps = read_stamps(pl.Series(["03/04/2023 08:00", "14/04/2023 08:00"]))
    assert stamps.wall.to_list() == [datetime(2023, 4, 3, 8), datetime(2023, 4, 14, 8)]
    assert stamps.notes == ("dates are read as day/month/year, as '14/04/2023 08:00' shows",)


@pytest.mark.parametrize(("dates", "month"), [("dmy", 4), ("mdy", 3)])
def test_read_stamps__the_order_can_be_told(dates: str, month: int) -> None:
    stamps = read_stamps(pl.Series(["03/04/2023 08:00"]), dates=dates)  # type: ignore[arg-type]
    assert stamps.wall[0].month == month


@pytest.mark.parametrize(
    ("texts", "problem", "option"),
    [
        (["03/04/2023 08:00", "04/04/2023 08:00"], "'03/04/2023 08:00' may be day/month or month/day", "--dates dmy"),
        (["13/04/2023 08:00", "04/13/2023 08:00"], "both day/month and month/day", "year first"),
        (["23-12-21 08:00"], "may begin with the year, the month or the day", "--time-format"),
        (["2023-12-21 08:00 Mars/Base"], "the zone 'Mars/Base' of the times is unknown", "--timezone"),
        (["2023-12-21 08:00 IST"], "the zone 'IST' of the times is unknown or has several meanings", "--timezone"),
        (["1000", "301000", "601000"], "a count since the logger started (uptime) is no time", "--time-format"),
        (["1.70316E+09", "1.70316E+09"], "the times are rounded, such as '1.70316E+09'", "as text"),
        (["21.12.2023", "21.12.2023"], "dates without a clock", "--time Date+Time"),
    ],
    ids=["ambiguous", "contradictory", "two digits", "no zone", "zone", "uptime", "rounded", "no clock"],
)
def test_read_stamps__says_why_a_column_cannot_be_read_and_names_the_option(
    texts: list[str], problem: str, option: str
) -> None:
    stamps = read_stamps(pl.Series(texts))
    assert problem in (stamps.problem or "")
    assert option in stamps.remedy


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("%d.%m.%y %Hh%M", "21.12.23 12h00"),
        ("excel", "45281.5"),
        ("%y%m%d-%H%M", "231221-1200"),
        ("%Y-%m-%d %H:%M:%S.%f", "2023-12-21 12:00:00.000"),
    ],
)
def test_read_stamps__by_a_format_that_is_told(time_format: str, text: str) -> None:
    assert read_stamps(pl.Series([text]), time_format=time_format).wall.to_list() == [EVEN]


def test_read_stamps__by_a_format_with_an_offset_or_of_unix_time() -> None:
    noon = EVEN.replace(tzinfo=UTC)
    assert read_stamps(pl.Series(["211223 1300 +0100"]), time_format="%d%m%y %H%M %z").instants.to_list() == [noon]
    assert read_stamps(pl.Series(["1703160000000"]), time_format="unix_ms").instants.to_list() == [noon]


def test_read_stamps__a_format_that_is_none_is_a_sentence() -> None:
    assert "the time format '%Y %H' is none" in (read_stamps(pl.Series(["x"]), time_format="%Y %H").problem or "")
    assert read_stamps(pl.Series(["x"]), time_format="%d.%m.%Y").unreadable.all()


def test_read_stamps__a_named_zone_keeps_summer_time_and_tells_the_repeated_hour_by_the_order() -> None:
    summer = read_stamps(pl.Series(["2024-05-01 12:00 Europe/Rome", "2024-01-05 12:00 Europe/Rome"]))
    assert [t.hour for t in summer.instants] == [10, 11]
    repeated = read_stamps(pl.Series([f"2024-10-27 {clock} Europe/Rome" for clock in ("02:10", "02:50", "02:10")]))
    assert [t.hour for t in repeated.instants] == [0, 0, 1]
