from datetime import datetime

import polars as pl
import pytest

from hydro_assets.ingest.timestamps import wall_clock

NOON = datetime(2023, 12, 21, 12, 0, 3)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("2023-12-21 12:00:03", NOON),
        ("2023-12-21T12:00:03", NOON),
        ("2023/12/21 12:00:03", NOON),
        ("2023-12-21 12:00", NOON.replace(second=0)),
        ("2023-12-21 12:00:03.25", NOON.replace(microsecond=250_000)),
        ("2023-12-21 12:00:03,123456789", NOON.replace(microsecond=123_456)),
        ("2023-12-21T12:00:03+01:00", NOON),
        ("2023-12-21T11:00:03Z", NOON),
        ("2023-12-21 07:00:03-0400", NOON),
        ("1703156403", NOON),
        ("1703156403000", NOON),
        ("21/12/2023 12:00:03", NOON),
        ("21.12.2023 12:00", NOON.replace(second=0)),
        ("12/21/2023 12:00:03 PM", NOON),
        ("12/21/2023 1:05 pm", datetime(2023, 12, 21, 13, 5)),
        ("12/21/2023 12:05:00 AM", datetime(2023, 12, 21, 0, 5)),
    ],
)
def test_wall_clock__reads(text: str, wall: datetime) -> None:
    times = wall_clock(pl.Series([text]), "Europe/Amsterdam")
    assert (times.values.to_list(), times.problem) == ([wall], None)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2023-12-21", "2023-02-30 11:17:03", "2023-12-21 25:00:00", "21/12/23 11:17", "11:17:03", "45281.47"],
)
def test_wall_clock__leaves_null_what_it_cannot_read(text: str) -> None:
    times = wall_clock(pl.Series(["2023-12-21 11:17:03", text, None]), "UTC")
    assert times.values.is_null().to_list() == [False, True, True]


def test_wall_clock__one_day_above_twelve_settles_the_order_of_the_whole_file() -> None:
    times = wall_clock(pl.Series(["03/04/2023 08:00", "14/04/2023 08:00"]), "UTC")
    assert times.values.to_list() == [datetime(2023, 4, 3, 8), datetime(2023, 4, 14, 8)]
    assert times.notes == ("dates are read as day/month/year, as '14/04/2023 08:00' shows",)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["03/04/2023 08:00", "04/04/2023 08:00"], "'03/04/2023 08:00' may be day/month or month/day"),
        (["13/04/2023 08:00", "04/13/2023 08:00"], "both day/month and month/day"),
    ],
    ids=["ambiguous", "contradictory"],
)
def test_wall_clock__says_when_the_order_of_day_and_month_cannot_be_told(texts: list[str], problem: str) -> None:
    assert problem in (wall_clock(pl.Series(texts), "UTC").problem or "")


def test_wall_clock__equal_day_and_month_need_no_order() -> None:
    times = wall_clock(pl.Series(["04/04/2023 08:00"]), "UTC")
    assert (times.values.to_list(), times.problem) == ([datetime(2023, 4, 4, 8)], None)


def test_wall_clock__of_instants_repeats_the_hour_that_a_clock_set_back_repeats() -> None:
    times = wall_clock(pl.Series(["2023-10-29T00:30:00Z", "2023-10-29T01:30:00Z"]), "Europe/Amsterdam")
    assert times.values.to_list() == [datetime(2023, 10, 29, 2, 30)] * 2
