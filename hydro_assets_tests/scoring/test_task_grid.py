from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hydro_assets.scoring.task_grid import TaskGrid, commits

GRID = TaskGrid(date(2024, 3, 1), date(2024, 3, 4), timedelta(days=2), timedelta(minutes=30))


def test_tasks__cover_the_days_once() -> None:
    assert GRID.count == 2
    assert GRID.bounds(0) == (datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 3, tzinfo=UTC))
    assert GRID.bounds(1) == (datetime(2024, 3, 3, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC))


def test_first_day_read__holds_the_look_back() -> None:
    assert GRID.first_day_read == date(2024, 2, 29)


@pytest.mark.parametrize(
    ("rows", "most", "expected"),
    [
        pytest.param({}, 10, [(1, 4)], id="no rows"),
        pytest.param({1: 5, 2: 5, 3: 5}, 10, [(1, 3), (3, 4)], id="two days fit"),
        pytest.param({1: 50, 2: 1, 3: 1}, 10, [(1, 2), (2, 4)], id="a day over the limit stands alone"),
        pytest.param({1: 1, 2: 50, 3: 50}, 10, [(1, 2), (2, 3), (3, 4)], id="each over the limit"),
    ],
)
def test_commits__are_whole_days_of_bounded_rows(
    rows: dict[int, int], most: int, expected: list[tuple[int, int]]
) -> None:
    by_day = {date(2024, 3, day): n for day, n in rows.items()}
    ranges = commits(by_day, date(2024, 3, 1), date(2024, 3, 4), most)
    assert [(a.day, b.day) for a, b in ranges] == expected
