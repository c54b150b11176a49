"""From stale days to runs: few runs, no day twice at a time, and a day that cannot succeed alone in its run."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from hydro_assets.defs.attempts import (
    DAYS_TAG,
    GOLD_TABLE_TAG,
    GOLD_VERSION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    TRIGGER_TAG,
    Attempt,
)
from hydro_assets.lakehouse.tables import TableVersion

# A launched run costs one cluster start, so a backfill is one run; beyond this Dagster's planned events get slow.
MOST_DAYS_PER_RUN = 500


@dataclass(frozen=True)
class Plan:
    """What to do about the stale days: runs to ask for, days in progress, days that failed alone, unknown days."""

    blocks: tuple[tuple[date, ...], ...]
    in_progress: tuple[date, ...]
    failed: tuple[date, ...]
    not_partitions: tuple[date, ...]


def plan(stale: Sequence[date], tried: Mapping[date, Sequence[Attempt]], partitions: Collection[str]) -> Plan:
    """Group stale days into blocks of consecutive days.

    A day in a run that has not ended waits. After a failed run of several days its halves are tried apart, so that one
    broken day ends up alone and stops no other; a day that failed alone waits for new data or a re-execution.
    """
    blocks: list[list[date]] = []
    limits: list[tuple[str, int]] = []
    in_progress, failed, unknown = [], [], []
    for day in stale:
        last = tried[day][0] if tried.get(day) else None
        if day.isoformat() not in partitions:
            unknown.append(day)
        elif last is not None and last.is_running:
            in_progress.append(day)
        elif last is not None and last.has_failed and len(last.days) == 1:
            failed.append(day)
        else:
            split = last is not None and last.has_failed
            limit = (last.run_id, -(-len(last.days) // 2)) if split and last is not None else ("", MOST_DAYS_PER_RUN)
            follows = bool(blocks) and blocks[-1][-1] + timedelta(days=1) == day
            if follows and limits[-1] == limit and len(blocks[-1]) < limit[1]:
                blocks[-1].append(day)
            else:
                blocks.append([day])
                limits.append(limit)
    return Plan(tuple(map(tuple, blocks)), tuple(in_progress), tuple(failed), tuple(unknown))


def run_request(
    block: Sequence[date],
    stale: Mapping[date, int],
    tried: Mapping[date, Sequence[Attempt]],
    gold: TableVersion,
    trigger: str,
) -> dg.RunRequest:
    """One run over a block. Its key tells which days, which Gold version each needs and how often that was tried."""
    start, end = block[0].isoformat(), block[-1].isoformat()
    facts = [[day.isoformat(), stale[day], len(tried.get(day, ()))] for day in block]
    key = hashlib.sha1(json.dumps([gold.table_id, facts]).encode()).hexdigest()
    tags = {
        TRIGGER_TAG: trigger,
        DAYS_TAG: start if start == end else f"{start}..{end}",
        GOLD_TABLE_TAG: gold.table_id,
        GOLD_VERSION_TAG: str(gold.version),
    }
    if start == end:
        return dg.RunRequest(run_key=key, partition_key=start, tags=tags)
    # Dagster has no public request for a range yet (https://github.com/dagster-io/dagster/pull/34096).
    return dg.RunRequest(run_key=key, tags={**tags, RANGE_START_TAG: start, RANGE_END_TAG: end})
