"""The asset graph as it is meant to be, and that nothing is wired to a name that does not exist."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from hydro_assets.defs.wiring import build_definitions
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings

ROOT = Path(__file__).parents[1]
SNAPSHOT = Path(__file__).parent / "snapshots" / "asset_graph.txt"


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(load_settings(home=tmp_path_factory.mktemp("home"), partitions_start="2026-01-01"))


def graph_text(defs: dg.Definitions) -> str:
    """One line an asset: key, group, partitioned or not, and what it reads."""
    graph = defs.resolve_asset_graph()
    lines = []
    for node in sorted(graph.asset_nodes, key=lambda n: n.key.to_user_string()):
        parents = ", ".join(sorted(k.to_user_string() for k in node.parent_keys)) or "-"
        days = "daily" if node.partitions_def is not None else "whole"
        lines.append(f"{node.key.to_user_string()} [{node.group_name}, {days}] <- {parents}")
    return "\n".join(lines) + "\n"


def test_asset_graph__is_the_one_in_the_snapshot(defs: dg.Definitions) -> None:
    assert graph_text(defs) == SNAPSHOT.read_text()


def test_definitions__resolve_every_job_sensor_and_schedule(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_partitions__are_one_definition(defs: dg.Definitions) -> None:
    nodes = defs.resolve_asset_graph().asset_nodes
    assert len({n.partitions_def for n in nodes if n.partitions_def is not None}) == 1


def test_workspace_and_pyproject__name_the_same_location() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    tool, project = tools["dagster"], tools["dg"]["project"]
    assert (workspace["module_name"], workspace["attribute"], workspace["location_name"]) == (
        tool["module_name"],
        tool["attribute"],
        tool["code_location_name"],
    )
    assert (project["code_location_target_module"], project["code_location_name"]) == (
        tool["module_name"],
        tool["code_location_name"],
    )


def test_definitions__pass_dagsters_own_check(tmp_path: Path) -> None:
    environment = {"HYDRO_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-W", "error::dagster.BetaWarning", "-m", "dagster", "definitions", "validate"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = [
        line for line in done.stderr.splitlines() if "arning" in line and "definitions_validate_command" not in line
    ]
    assert ours == []


def heavy_assets(defs: dg.Definitions) -> list[dg.AssetsDefinition]:
    known = [a for a in defs.assets or [] if isinstance(a, dg.AssetsDefinition)]
    return [a for a in known if "step_launcher" in a.required_resource_keys]


def test_range__in_one_run_of_every_heavy_asset(defs: dg.Definitions) -> None:
    heavy = heavy_assets(defs)
    assert len(heavy) >= 5
    for asset in heavy:
        assert asset.partitions_def is None or asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_retry__where_steps_are_launched_and_not_where_ctrl_c_would_be_retried(
    defs: dg.Definitions, make_settings: Callable[..., Settings]
) -> None:
    launched = build_definitions(make_settings(environment="databricks", partitions_start="2026-01-01"))
    assert all(asset.op.retry_policy is not None for asset in heavy_assets(launched))
    assert all(asset.op.retry_policy is None for asset in heavy_assets(defs))
