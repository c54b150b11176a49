"""Every private name of Dagster that the project rests on, and what breaks without it: an upgrade begins here."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import StepExecutionContext
from dagster._core.execution.context.data_version_cache import DataVersionCache
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step

import hydro_assets

ROOT = Path(hydro_assets.__file__).parent
RESTS_ON = {
    "dagster._core.code_pointer.ModuleCodePointer": "importing the shipped code on the cluster, not a host's folder",
    "dagster._core.code_pointer.PackageCodePointer": "importing the shipped code on the cluster, not a host's folder",
    "dagster._core.definitions.reconstruct.ReconstructableJob": "refusing runs that no other process can rebuild",
    "dagster._core.execution.plan.execute_plan.dagster_event_sequence_for_step": "running a step on the cluster",
    "dagster_shared.record.replace": "importing the shipped code on the cluster, not a host's folder",
    "dagster._config.errors.PostProcessingError": "refusing settings out of bounds in the launchpad, before a run",
    "dagster._core.definitions.asset_checks.asset_check_evaluation.AssetCheckEvaluationTargetMaterializationData": (
        "one check result per day of a run over a range of days"
    ),
    "dagster._core.storage.asset_check_execution_record.AssetCheckExecutionRecordStatus": "alerts of failed checks",
}
TAKES = {
    dg.step_context_to_step_run_ref: ("step_context", "package_dir"),
    dg.step_run_ref_to_step_context: ("step_run_ref", "instance"),
    dg.external_instance_from_step_run_ref: ("step_run_ref", "event_listener_fn"),
    dagster_event_sequence_for_step: ("step_context", "force_local_execution"),
}
"""Exported or not, they are of the step launchers that are superseded."""
CONTEXT = {
    StepExecutionContext: ("fetch_external_input_asset_version_info", "previous_attempt_count", "op_retry_policy"),
    DataVersionCache: ("fetch_external_input_asset_version_info",),
}


def private_imports() -> Iterator[str]:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("dagster._", "dagster_shared")):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_private_names__are_those_of_the_table() -> None:
    assert set(private_imports()) == set(RESTS_ON)


@pytest.mark.parametrize("name", RESTS_ON)
def test_private_name__is_there_and_has_no_public_twin(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute), f"without it breaks: {RESTS_ON[name]}"
    assert attribute == "replace" or not hasattr(dg, attribute), f"import {attribute} from dagster itself"


@pytest.mark.parametrize("function", TAKES, ids=lambda f: f.__name__)
def test_function_of_launched_steps__takes_what_is_given(function: Callable[..., object]) -> None:
    assert tuple(inspect.signature(function).parameters) == TAKES[function]


@pytest.mark.parametrize("kind", CONTEXT, ids=lambda k: k.__name__)
def test_context_of_a_step__tells_what_the_host_knows_of_data_versions(kind: type) -> None:
    assert [name for name in CONTEXT[kind] if not hasattr(kind, name)] == []
    made = inspect.getsource(DataVersionCache)
    assert all(name in made for name in ("input_asset_version_info", "is_external_input_asset_version_info_loaded"))
    assert "_data_version_cache" in inspect.getsource(StepExecutionContext)


def test_dagster__is_pinned_to_the_release_that_was_looked_at() -> None:
    pins = [line.strip() for line in (ROOT.parent / "setup.cfg").read_text().splitlines()]
    assert f"dagster=={dg.__version__}" in pins
