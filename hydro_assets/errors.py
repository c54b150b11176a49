"""Errors a user meets: one sentence that says what was wrong, with what, and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOGIN = re.compile(r"(?<=://)[^/@\s'\"]*@")
_SECRET = re.compile(r"(?i)\b(password|passwd|pwd|token|secret|access[_-]?key|api[_-]?key)(=|%3D)[^&;\s'\"]+")


def without_login(text: str) -> str:
    """`text` without user and password of addresses and without secrets among their parameters."""
    return _SECRET.sub(r"\1\2***", _LOGIN.sub("***@", text))


class HydroError(Exception):
    """Base of every error that the user can mend. The text is `what was wrong. remedy.`, without passwords."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = without_login(problem).rstrip(".")
        self.remedy = without_login(remedy).rstrip(".")
        end = "" if self.problem.endswith("?") else "."
        super().__init__(f"{self.problem}{end} {self.remedy}.")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.problem, self.remedy)  # survives the trip between Spark workers and the driver

    @classmethod
    def of_all(cls, problems: Iterable[str], remedy: str) -> HydroError:
        """One error that names every problem, so a user mends them in one go."""
        return cls("; ".join(p.rstrip(".") for p in problems), remedy)


class SettingsError(HydroError):
    """A setting is missing, out of bounds or contradicts another."""


class SourceFileError(HydroError):
    """A file to import cannot be read as a sensor export."""


class TableError(HydroError):
    """A table is missing, has the wrong schema or another grid than asked for."""


class DataContractError(HydroError):
    """Data is readable but not fit for its purpose (too short, incomplete, out of range)."""


class TrainingError(HydroError):
    """A model cannot be trained on what was given."""


class ModelUnavailableError(HydroError):
    """A registered model is missing, damaged or does not fit the features it is given."""


class TrackingError(HydroError):
    """MLflow did not take or give what it was asked for."""


class BusyError(HydroError):
    """Another process is at work on what only one may write."""
