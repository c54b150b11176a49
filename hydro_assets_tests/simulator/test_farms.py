from dataclasses import replace

import numpy as np
import pytest

from hydro_assets.simulator.farms import FARMS, FarmKind
from hydro_assets.simulator.faults import Faults

KINDS = {kind.name: replace(kind, days=2) for kind in FARMS}


@pytest.mark.parametrize("name", ["several_systems", "jumps"])
def test_farm__is_equal_for_equal_seeds(name: str) -> None:
    assert KINDS[name].readings(1).equals(KINDS[name].readings(1))
    assert not KINDS[name].readings(1).equals(KINDS[name].readings(2))


def test_farms__are_eight_of_their_own_cadence() -> None:
    assert len(KINDS) == 8
    for kind in (KINDS["daily_cycle"], KINDS["quiet"]):
        (frame,) = kind.readings(1).partition_by("system_id")
        assert frame.sort("timestamp_key")["timestamp_key"].diff().median() == kind.cadence
    assert KINDS["several_systems"].readings(1)["system_id"].n_unique() == 3


def largest_step(kind: FarmKind) -> float:
    return float(np.abs(kind.readings(3).sort("timestamp_key")["ph_level"].diff().drop_nulls()).max())


def test_farm__has_the_character_that_its_name_says() -> None:
    coarse = KINDS["coarse"].readings(1)
    assert (coarse["ph_level"] * 10 - (coarse["ph_level"] * 10).round()).abs().max() < 1e-6
    jumps = replace(KINDS["jumps"], jumps_per_day=10, faults=Faults.none())
    assert largest_step(jumps) > 2 * largest_step(replace(jumps, jumps_per_day=0.0))
    noisy, quiet = (KINDS[n].readings(1)["ph_level"].diff().std() for n in ("noisy_probe", "quiet"))
    assert noisy > 3 * quiet
