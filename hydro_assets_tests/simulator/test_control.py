import numpy as np

from hydro_assets.simulator.control import Doser, Switch


def test_switch__stays_on_between_its_two_thresholds() -> None:
    switch = Switch(1)
    states = [bool(switch.update(np.array([v > 26]), np.array([v < 24]))[0]) for v in (25, 27, 25, 23, 25)]
    assert states == [False, True, True, False, False]


def test_doser__doses_in_pulses_and_waits_for_mixing() -> None:
    doser = Doser(1, 1.0)
    on = [bool(doser.update(np.array([True]), np.array([False]))[0]) for _ in range(41)]
    assert [i for i, state in enumerate(on) if state] == [0, 1, 20, 21, 40]


def test_doser__does_not_begin_another_pulse_once_the_target_is_reached() -> None:
    doser = Doser(1, 1.0)
    on = [bool(doser.update(np.array([i == 0]), np.array([i > 5]))[0]) for i in range(60)]
    assert sum(on) == 2
