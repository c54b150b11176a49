import numpy as np

from hydro_assets.forecasting.scaling import CLIP, InputScaler, TargetScaler

SYSTEMS = np.array(["a"] * 150 + ["b"] * 150)
VALUES = np.concatenate([np.random.default_rng(0).normal(6, 0.1, 150), np.random.default_rng(1).normal(900, 50, 150)])


def test_scaler__scales_each_system_by_its_own_spread() -> None:
    scaled = InputScaler.fit(["x"], VALUES[:, None], SYSTEMS).transform(VALUES[:, None], SYSTEMS)
    for system in "ab":
        assert abs(scaled[system == SYSTEMS].std() - 1) < 0.02


def test_scaler__uses_the_pooled_scale_for_an_unseen_system() -> None:
    scaler = InputScaler.fit(["x"], VALUES[:, None], SYSTEMS)
    expected = (300 - np.median(VALUES)) / VALUES.std()
    np.testing.assert_allclose(scaler.transform(np.array([[300.0]]), np.array(["new"])), [[expected]], rtol=1e-6)


def test_scaler__keeps_a_constant_finite_null_null_and_a_wild_value_clipped() -> None:
    scaler = InputScaler.fit(["x"], np.full((200, 1), 20.0), np.array(["a"] * 200))
    scaled = scaler.transform(np.array([[20.0], [np.nan], [1e9]]), np.array(["a"] * 3))
    np.testing.assert_array_equal(scaled[:, 0], np.array([0, np.nan, CLIP], np.float32))


def test_scaler__survives_json() -> None:
    scaler = InputScaler.fit(["x"], VALUES[:, None], SYSTEMS)
    again = InputScaler.from_json(scaler.to_json())
    np.testing.assert_array_equal(again.transform(VALUES[:, None], SYSTEMS), scaler.transform(VALUES[:, None], SYSTEMS))


def test_target_scaler__is_the_mean_size_of_a_change_in_each_system_and_horizon() -> None:
    changes = np.where(SYSTEMS == "a", 0.5, -20.0)[:, None] * [[1, 2]]
    scaler = TargetScaler.fit(changes, SYSTEMS)
    np.testing.assert_allclose(scaler.of(np.array(["b", "a"])), [[20, 40], [0.5, 1]])
    np.testing.assert_allclose(scaler.of(np.array(["new"])), [[10.25, 20.5]])
    np.testing.assert_array_equal(TargetScaler.from_json(scaler.to_json()).of(SYSTEMS), scaler.of(SYSTEMS))


def test_target_scaler__of_a_series_that_never_changes_is_one() -> None:
    np.testing.assert_array_equal(TargetScaler.fit(np.zeros((200, 1)), np.array(["a"] * 200)).of(SYSTEMS[:1]), [[1]])
