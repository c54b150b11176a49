from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import dagster as dg
import pytest

from hydro_assets.defs.assets import all_assets
from hydro_assets.defs.checks.freshness import DAILY_DEADLINES, Deadline, arrival, freshness_policies
from hydro_assets.defs.keys import IOT_DATA
from hydro_assets.settings import Settings

SIX = Deadline(IOT_DATA, "gold.iot_data", 6)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        pytest.param(datetime(2026, 1, 5, 5, 59, tzinfo=UTC), date(2026, 1, 3), id="before the deadline"),
        pytest.param(datetime(2026, 1, 5, 6, 0, tzinfo=UTC), date(2026, 1, 4), id="at the deadline"),
        pytest.param(
            datetime(2026, 1, 5, 1, 0, tzinfo=timezone(timedelta(hours=-8))), date(2026, 1, 4), id="another zone"
        ),
    ],
)
def test_due_day__is_yesterday_from_the_deadline_on(now: datetime, due: date) -> None:
    assert SIX.due_day(now) == due


@pytest.mark.parametrize(
    ("newest", "passed", "sentence"),
    [
        (date(2026, 1, 4), True, "gold.iot_data has rows up to 2026-01-04"),
        (date(2026, 1, 5), True, "gold.iot_data has rows up to 2026-01-05"),
        (date(2026, 1, 1), False, "up to 2026-01-01: 3 days behind 2026-01-04, which is due"),
        (None, False, "gold.iot_data has no rows; 2026-01-04 is due"),
    ],
)
def test_arrival__says_how_far_behind_a_table_is(newest: date | None, passed: bool, sentence: str) -> None:
    finding = arrival("gold.iot_data", date(2026, 1, 4), newest)
    assert finding.passed is passed
    assert sentence in finding.sentence
    assert not finding.stops


def test_freshness_policies__every_deadline_is_of_an_asset_that_exists(settings: Settings) -> None:
    known = {s.key for a in all_assets(settings) for s in ([a] if isinstance(a, dg.AssetSpec) else a.specs)}
    policies = freshness_policies(settings)
    assert policies.keys() <= known
    assert {d.asset for d in DAILY_DEADLINES} <= policies.keys()
