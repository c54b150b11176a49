"""What Dagster knows: assets, checks, sensors, jobs, resources; thin adapters over the functions of `pipeline/`."""
