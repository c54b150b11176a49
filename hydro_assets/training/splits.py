"""Splits that follow time: train | embargo | validation | embargo | holdout, one calendar cut for the whole farm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from hydro_assets.errors import DataContractError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Split:
    """Forecast origins of each part, half-open; between the parts lies an embargo of the context length.

    A part uses only actuals from before the next part (`limit`), and the context of the next part's first origin
    reaches back over the embargo only: so no reading is in two parts at once, at any horizon.
    """

    train_start: datetime
    train_end: datetime
    validation_start: datetime
    validation_end: datetime
    holdout_start: datetime
    holdout_end: datetime
    embargo: timedelta

    def rows(self, part: str, times: np.ndarray) -> np.ndarray:
        """Row numbers of `train`, `validation` or `holdout` among [R] times in microseconds."""
        start, end = getattr(self, f"{part}_start"), getattr(self, f"{part}_end")
        return np.flatnonzero((times >= _us(start)) & (times < _us(end)))

    def limit(self, part: str) -> int:
        """Microseconds since 1970 before which the actuals of a part lie: the start of the next one."""
        following = {"train": self.validation_start, "validation": self.holdout_start, "holdout": self.holdout_end}
        return _us(following[part])

    def describe(self) -> dict[str, str]:
        """The dates as text."""
        return {k: v.isoformat() if isinstance(v, datetime) else str(v) for k, v in asdict(self).items()}


def split_by_time(
    times: np.ndarray,
    step: timedelta,
    embargo: timedelta,
    train_share: float,
    validation_share: float,
    longest: timedelta | None = None,
) -> Split:
    """Cut the rows' times so that the shares of rows come before each cut.

    Args:
        times: [R] origins in microseconds, all systems together, any order.
        longest: validation and holdout are no longer than this each, so that a long history is learned up to its end.

    Raises:
        DataContractError: a part would be empty.
    """
    ordered = np.sort(times)
    validation, holdout = (_time_at(ordered, share) for share in (train_share, train_share + validation_share))
    end = int(ordered[-1]) + _us_of(step)
    if longest is not None:
        holdout = max(holdout, end - _us_of(longest))
        validation = max(validation, holdout - _us_of(longest))
    return _between(ordered, validation, holdout, end, embargo)


def rolling_origins(
    times: np.ndarray, step: timedelta, embargo: timedelta, train_share: float, validation_share: float, folds: int
) -> list[Split]:
    """`folds` splits whose holdouts lie one behind the other and together cover the last part of the rows."""
    ordered = np.sort(times)
    first = train_share + validation_share
    edges = [first + (1 - first) * i / folds for i in range(folds + 1)]
    at = [*(_time_at(ordered, e) for e in edges[:-1]), int(ordered[-1]) + _us_of(step)]
    validation = [_time_at(ordered, e - validation_share) for e in edges[:-1]]
    return [_between(ordered[ordered < at[i + 1]], validation[i], at[i], at[i + 1], embargo) for i in range(folds)]


def _between(ordered: np.ndarray, validation: int, holdout: int, end: int, embargo: timedelta) -> Split:
    split = Split(
        train_start=_when(int(ordered[0])),
        train_end=_when(validation) - embargo,
        validation_start=_when(validation),
        validation_end=_when(holdout) - embargo,
        holdout_start=_when(holdout),
        holdout_end=_when(end),
        embargo=embargo,
    )
    empty = [p for p in ("train", "validation", "holdout") if split.rows(p, ordered).size == 0]
    if empty:
        raise DataContractError(
            f"{ordered.size} rows are too few for train, validation and holdout with an embargo of {embargo} between "
            f"them: {', '.join(empty)} would be empty",
            "Give a longer history, a shorter sequence_length, or a coarser feature_step",
        )
    return split


def _time_at(ordered: np.ndarray, share: float) -> int:
    """Time before which `share` of the rows lie."""
    return int(ordered[min(round(ordered.size * share), ordered.size - 1)])


def _when(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _us(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def _us_of(step: timedelta) -> int:
    return step // timedelta(microseconds=1)
