"""What `dagster` and `dg` load: the definitions of the farm that the environment and hydro.toml describe."""

from hydro_assets.defs.wiring import build_definitions
from hydro_assets.settings_sources import load_settings

defs = build_definitions(load_settings())
