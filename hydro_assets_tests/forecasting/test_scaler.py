import numpy as np

from hydro_assets.forecasting.change_scale import ChangeScale
from hydro_assets.forecasting.scaler import CLIP, SystemScaler

SYSTEMS = np.array(["a"] * 150 + ["b"] * 150)
VALUES = np.concatenate([np.random.default_rng(0).normal(6, 0.1, 150), np.random.default_rng(1).normal(900, 50, 150)])


def test_scaler__scales_each_system_by_its_own_spread() -> None:
    scaled = SystemScaler.fit(["x"], VALUES[:, None], SYSTEMS).transform(VALUES[:, None], SYSTEMS)
    for system in "ab":
        assert abs(scaled[system == SYSTEMS].std() - 1) < 0.02


def test_scaler__uses_the_pooled_scale_for_an_unseen_system() -> None:
    scaler = SystemScaler.fit(["x"], VALUES[:, None], SYSTEMS)
    expected = (300 - np.median(VALUES)) / VALUES.std()
    np.testing.assert_allclose(scaler.transform(np.array([[300.0]]), np.array(["new"])), [[expected]], rtol=1e-6)


def test_scaler__keeps_a_constant_finite_null_null_and_a_wild_value_clipped() -> None:
    scaler = SystemScaler.fit(["x"], np.full((200, 1), 20.0), np.array(["a"] * 200))
    scaled = scaler.transform(np.array([[20.0], [np.nan], [1e9]]), np.array(["a"] * 3))
    np.testing.assert_array_equal(scaled[:, 0], np.array([0, np.nan, CLIP], np.float32))


def test_scaler__survives_json() -> None:
    scaler = SystemScaler.fit(["x"], VALUES[:, None], SYSTEMS)
    again = SystemScaler.from_json(scaler.to_json())
    np.testing.assert_array_equal(again.transform(VALUES[:, None], SYSTEMS), scaler.transform(VALUES[:, None], SYSTEMS))


def test_change_scale__unscales_what_it_scaled() -> None:
    scale = ChangeScale.fit(VALUES[:, None], SYSTEMS, centred=True)
    again = scale.unscaled(scale.scaled(VALUES[:, None], SYSTEMS).astype(float), SYSTEMS)
    np.testing.assert_allclose(again[:, 0], VALUES, rtol=1e-6)
