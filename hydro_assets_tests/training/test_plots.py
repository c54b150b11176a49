import warnings

import numpy as np
import pytest

from hydro_assets.training import plots


@pytest.mark.parametrize("horizons", [1, 60])
def test_learning_curve__of_many_horizons_stays_readable(horizons: int) -> None:
    rounds = [
        {"name": "ph_level", "horizon": float(h), "round": float(i)} for h in range(horizons) for i in range(1, 9)
    ]
    history = [r | {"train_loss": 1 / r["round"], "validation_loss": 1 / r["round"]} for r in rounds]
    history += [r | {"name": "is_env_optimal", "train_log_loss": 0.7} for r in rounds]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns when a legend leaves no room
        assert plots.learning_curve(history, "ph_level").startswith(b"\x89PNG")


def test_reliability__of_one_class_is_drawn_too() -> None:
    label, probability = np.array([0.0, 0, np.nan, 0]), np.array([0.1, 0.2, 0.3, 0.1])
    assert plots.reliability(label, probability).startswith(b"\x89PNG")
