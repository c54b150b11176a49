"""The jobs that decide which version serves: `hydro promote` and `hydro rollback` for the launchpad."""

# No `from __future__ import annotations`: Dagster reads the annotations of an op.
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from hydro_assets.defs.keys import model_key
from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.tables import MODELS

if TYPE_CHECKING:
    from hydro_assets.registry.promotion import PromotionDecision

PROMOTE_JOB = "promote_models"
ROLL_BACK_JOB = "roll_back_models"


class Choice(dg.Config):
    """Which models are meant."""

    kinds: list[str] = Field(description=f"one or more of {', '.join(MODELS)}")
    version: str | None = Field(None, description="of one kind only; None = the challenger, or the champion before")

    def checked(self) -> list[str]:
        """The kinds; raises SettingsError that names every problem."""
        problems = [f"'{kind}' is not a kind of model" for kind in self.kinds if kind not in MODELS]
        if not self.kinds:
            problems.append("no kind of model is chosen")
        if self.version is not None and len(self.kinds) > 1:
            problems.append(f"version {self.version} is asked for of {len(self.kinds)} models")
        if problems:
            raise SettingsError.of_all(problems, f"Choose among {', '.join(MODELS)}, and a version for one at a time")
        return self.kinds


@dg.op(out=dg.Out(dg.Nothing), required_resource_keys={"lakehouse"})
def judge_challengers(context: dg.OpExecutionContext, config: Choice):
    """Let the challenger of each kind compete with its champion on the newest holdout; the better one serves."""
    from hydro_assets.pipeline.competition import compete

    yield from _decide(context, config, compete)


@dg.op(out=dg.Out(dg.Nothing), required_resource_keys={"lakehouse"})
def restore_champions(context: dg.OpExecutionContext, config: Choice):
    """Make the version before the present champion of each kind champion again."""
    from hydro_assets.pipeline.competition import roll_back

    yield from _decide(context, config, roll_back)


def _decide(
    context: dg.OpExecutionContext, config: Choice, decision_of: "Callable[..., PromotionDecision]"
) -> Iterator[Any]:
    """One observation of each model, with the decision as metadata."""
    from hydro_assets.defs.failures import no_retry_on_contract

    lakehouse: Lakehouse = context.resources.lakehouse.get()
    with no_retry_on_contract():
        for kind in config.checked():
            decision = decision_of(lakehouse, kind, datetime.now(UTC), config.version)
            context.log.info(f"{kind}: {decision.reason}")
            yield dg.AssetObservation(model_key(lakehouse.settings, kind), metadata=decision_facts(decision))
    yield dg.Output(None)


def decision_facts(decision: "PromotionDecision") -> dict[str, Any]:
    """The row of `promotion_log` as metadata, without what is unknown."""
    known = {name: value for name, value in asdict(decision).items() if value is not None}
    return {name: str(value) if isinstance(value, datetime) else value for name, value in known.items()}


@dg.job(
    name=PROMOTE_JOB,
    config=dg.RunConfig(ops={"judge_challengers": Choice(kinds=list(MODELS), version=None)}),
    description="Judge challengers against champions on the newest holdout; the better ones serve.",
)
def promote_job():
    judge_challengers()


@dg.job(name=ROLL_BACK_JOB, description="Make earlier versions of the chosen models champions again.")
def roll_back_job():
    restore_champions()
