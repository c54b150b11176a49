"""hydro_assets: from Gold sensor readings to forecasts a farm can trust, as Dagster assets."""

import os

__version__ = "0.1.0"

# torch and LightGBM threads otherwise spin while they wait: beside other busy processes on the same cores one training
# step then takes up to forty times as long. It must be set before either library is loaded; a setting of the user wins.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
