"""The models that serve now, from the registry: pinned by configuration, else champion, else latest."""

from __future__ import annotations

from hydro_assets.columns import MODELS
from hydro_assets.inference.members import ServingModels
from hydro_assets.registry.serving import load_package, serving_version
from hydro_assets.settings import Settings


def serving_models(settings: Settings) -> ServingModels:
    """Load one version per kind; a kind without a registered version is left out, and each row will say so.

    Raises ModelUnavailableError when a version that should serve is missing, damaged, or of another target or grid:
    nothing is scored then, and the predictions that were written stay.
    """
    found = {kind: serving_version(settings, kind) for kind in MODELS}
    versions = {kind: version for kind, version in found.items() if version is not None}
    packages = {kind: load_package(settings, kind, version) for kind, version in versions.items()}
    return ServingModels(packages, versions)
