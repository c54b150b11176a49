from __future__ import annotations

from datetime import date, timedelta

import pytest

from hydro_assets.features.staleness import BuiltDays, ChangedDays, Reach, stale_days
from hydro_assets.lakehouse.delta_log import Commit, LogReading
from hydro_assets.lakehouse.tables import TableVersion

UTC_FARM = Reach("UTC", timedelta(minutes=1))
NOW = '{"timezone": "UTC"}'


def d(n: int) -> date:
    return date(2026, 1, n)


def days(*numbers: int) -> frozenset[date]:
    return frozenset(map(d, numbers))


def gold(
    *commits: Commit, version: int | None = None, rows: frozenset[date] | None = None, after: int = -1
) -> ChangedDays:
    found = rows if rows is not None else frozenset(x for c in commits for x in c.days or ())
    last = version if version is not None else commits[-1].version
    return ChangedDays().advance(LogReading(TableVersion("g", last), found, after, commits))


def built(start: int, end: int, version: int, table_id: str = "g", settings: str | None = NOW) -> Commit:
    note = {"gold_table_id": table_id, "gold_version": version, "start_day": str(d(start)), "end_day": str(d(end))}
    return Commit(version, None, note if settings is None else note | {"settings": settings})


def features(*commits: Commit) -> BuiltDays:
    return BuiltDays().advance(LogReading(TableVersion("f", len(commits)), frozenset(), -1, commits))


def numbers(stale: dict[date, int]) -> dict[int, int]:
    return {day.day: need for day, need in stale.items()}


def test_stale_days__nothing_built_needs_every_day_of_gold_and_no_other() -> None:
    assert numbers(stale_days(gold(Commit(0, days(1, 2, 5))), BuiltDays(), UTC_FARM, NOW)) == {1: 0, 2: 0, 5: 0}


def test_stale_days__a_rewritten_day_reaches_the_next_day_by_its_look_back() -> None:
    changed = gold(Commit(0, days(1, 2, 3, 4)), Commit(1, days(2)))
    assert numbers(stale_days(changed, features(built(1, 5, 0)), UTC_FARM, NOW)) == {2: 1, 3: 1, 4: 1}


def test_stale_days__the_day_after_the_newest_is_not_asked_for() -> None:
    assert numbers(stale_days(gold(Commit(0, days(1))), BuiltDays(), UTC_FARM, NOW)) == {1: 0}


def test_stale_days__all_built_from_the_version_needed_is_nothing() -> None:
    assert stale_days(gold(Commit(0, days(1)), Commit(3, days(2))), features(built(1, 3, 3)), UTC_FARM, NOW) == {}


def test_stale_days__built_from_a_table_of_another_id_is_stale() -> None:
    assert numbers(stale_days(gold(Commit(0, days(1))), features(built(1, 2, 9, "old")), UTC_FARM, NOW)) == {1: 0}


def test_stale_days__a_gap_in_the_log_makes_every_day_need_what_came_after() -> None:
    gapped = gold(Commit(8, days(3)), after=7, rows=days(1, 2, 3))
    assert numbers(stale_days(gapped, features(built(1, 4, 6)), UTC_FARM, NOW)) == {1: 7, 2: 7, 3: 8}
    assert numbers(stale_days(gapped, features(built(1, 4, 7)), UTC_FARM, NOW)) == {3: 8}


def test_stale_days__a_commit_of_unknown_days_counts_for_all() -> None:
    changed = gold(Commit(0, days(1, 2)), Commit(1, None), rows=days(1, 2))
    assert numbers(stale_days(changed, features(built(1, 3, 0)), UTC_FARM, NOW)) == {1: 1, 2: 1}


def test_stale_days__a_day_that_gold_lost_is_built_again() -> None:
    emptied = gold(Commit(0, days(1, 2)), Commit(1, days(2)), rows=days(1))
    assert numbers(stale_days(emptied, features(built(1, 3, 0)), UTC_FARM, NOW)) == {2: 1}


def test_stale_days__a_day_written_by_another_hand_is_built_again() -> None:
    by_hand = features(built(1, 3, 0), Commit(1, days(2)))
    assert numbers(stale_days(gold(Commit(0, days(1, 2))), by_hand, UTC_FARM, NOW)) == {2: 0}


@pytest.mark.parametrize("settings", ['{"timezone": "Asia/Kolkata"}', None], ids=["another zone", "not recorded"])
def test_stale_days__built_with_other_settings_are_built_again_wherever_gold_stands(settings: str | None) -> None:
    mixed = features(built(1, 3, 2, settings=settings), built(3, 4, 2))
    assert numbers(stale_days(gold(Commit(2, days(1, 2, 3))), mixed, UTC_FARM, NOW)) == {1: 2, 2: 2}


def test_stale_days__a_day_that_only_the_other_zone_gave_rows_is_emptied() -> None:
    before = features(built(1, 5, 2, settings="{}"))
    assert numbers(stale_days(gold(Commit(2, days(3, 4))), before, UTC_FARM, NOW)) == {1: 2, 2: 2, 3: 2, 4: 2}


def test_advance__in_two_looks_equals_one() -> None:
    first = LogReading(TableVersion("g", 0), days(1), -1, (Commit(0, days(1)),))
    second = LogReading(TableVersion("g", 1), days(1, 2), 0, (Commit(1, days(2)),))
    both = LogReading(TableVersion("g", 1), days(1, 2), -1, (Commit(0, days(1)), Commit(1, days(2))))
    assert ChangedDays().advance(first).advance(second) == ChangedDays().advance(both)


@pytest.mark.parametrize(
    ("reach", "own", "needed"),
    [
        pytest.param(UTC_FARM, [5], [3, 4, 5], id="UTC"),
        pytest.param(Reach("Europe/Amsterdam", timedelta(minutes=1)), [5, 6], [3, 4, 5, 6], id="east"),
        pytest.param(Reach("America/New_York", timedelta(minutes=1)), [4, 5], [2, 3, 4, 5], id="west"),
        pytest.param(Reach("UTC", timedelta(hours=6)), [5], [2, 3, 4, 5], id="coarsest grid"),
    ],
)
def test_reach__names_wall_clock_days(reach: Reach, own: list[int], needed: list[int]) -> None:
    assert [x.day for x in reach.own_days(d(5))] == own
    assert [x.day for x in reach.needed_days(d(5))] == needed
