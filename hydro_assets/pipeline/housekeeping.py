"""What a farm no longer needs: files that no version of a table reads, artifacts of versions that never served."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.competition import decisions
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.tables import MODELS, names

KEPT_HOURS = 7 * 24
"""Delta's own bound: a reader that began within it still finds its files."""


def vacuum(lakehouse: Lakehouse, kept_hours: int = KEPT_HOURS) -> dict[str, int]:
    """Remove data files that no version of the last `kept_hours` reads; returns how many, by table. Logs stay."""
    return {
        name: removed
        for name in names.ALL
        if lakehouse.exists(name) and (removed := lakehouse.tables.vacuum(name, kept_hours))
    }


def remove_versions(lakehouse: Lakehouse, kept: int) -> list[str]:
    """Remove versions that never served and are not among the newest `kept` of their model, with run and files.

    Returns `model version` of each. What served once stays, for predictions name it and a rollback may want it.
    """
    removed = []
    for model in (RegisteredModel(lakehouse.settings, kind) for kind in MODELS):
        with tracking_errors(model.settings, f"Removing old versions of {model.name}"):
            stays = {*model.versions()[:kept], *model.aliases().values()}
            stays |= {v for v in decisions(lakehouse, model.kind)["champion_after"] if v is not None}
            stays |= {getattr(model.settings.pinned_versions, model.kind)}
            for number in model.versions():
                found = None if number in stays else model.find(number)
                if found is None:
                    continue
                model.client.delete_model_version(model.name, number)
                if found.run_id:
                    uri = model.client.get_run(found.run_id).info.artifact_uri
                    model.client.delete_run(found.run_id)
                    if model.settings.has_local_mlflow and uri is not None:
                        files = Path(unquote(urlsplit(uri).path))
                        own = files.parent if files.parent.name == found.run_id else files
                        shutil.rmtree(own, ignore_errors=True)
                removed.append(f"{model.name} {number}")
    return removed
