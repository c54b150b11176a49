"""The pickling path alone, with the launcher that Dagster ships: a step rebuilt in another process of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository

from hydro_assets_tests.databricks.conftest import REPOSITORY


def test_step__runs_in_a_process_rebuilt_from_its_pickle(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("TOY_SCRATCH", str(tmp_path))
    module = "hydro_assets_tests.builders.toy_elsewhere"
    pointer = ModuleCodePointer(module, "defs", working_directory=str(REPOSITORY))
    job = ReconstructableJob(ReconstructableRepository(pointer), "__ASSET_JOB")
    with dg.execute_job(job, instance, tags={"dagster/partition": "2026-01-03"}) as result:
        assert result.success
        metadata = result.asset_materializations_for_node("elsewhere")[0].metadata
    assert metadata["day"].value == "2026-01-03"
    assert metadata["process"].value != str(os.getpid())
