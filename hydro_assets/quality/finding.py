"""One judgement of data, with its numbers; and the gate that jobs put on a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hydro_assets.errors import DataContractError

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Finding:
    """`sentence` says what was found, with the numbers, whether it passed or not.

    An `error` that did not pass stops whoever obeys the contract; a `warn` is shown and stops nobody.
    """

    name: str
    passed: bool
    severity: Severity
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stops(self) -> bool:
        return not self.passed and self.severity == "error"


def raise_if_bad(findings: Iterable[Finding], remedy: str) -> None:
    """Raise DataContractError with the sentence of every finding that stops."""
    problems = [f.sentence for f in findings if f.stops]
    if problems:
        raise DataContractError.of_all(problems, remedy)


def share_finding(
    name: str, what: str, share: float, warn_above: float, stop_above: float, facts: Mapping[str, Any] | None = None
) -> Finding:
    """A share that warns above one limit and stops above another. `what` reads like `of the readings have no pH`."""
    limit = stop_above if share > stop_above else warn_above
    shown = "less than 0.1%" if 0 < share < 0.001 else f"{share:.1%}"  # not "0.0%, over the limit of 0%"
    sentence = f"{shown} {what}" + ("" if share <= warn_above else f", over the limit of {limit:.0%}")
    severity: Severity = "error" if share > stop_above else "warn"
    return Finding(name, share <= warn_above, severity, sentence, {"share": share, **(facts or {})})
