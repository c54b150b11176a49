"""`hydro serve` answers a reading with the row that the batch would write, also while the models are swapped."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from starlette.testclient import TestClient

from hydro_assets.cli import http_app as service
from hydro_assets.cli.http_app import http_app
from hydro_assets.errors import TrackingError
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.pipeline.live_farm import LiveFarm
from hydro_assets.pipeline.newest import forecast_readings
from hydro_assets.scoring.members import ServingModels
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.served_farm import NOW, QUICK, readings, served

GOLD = readings().filter(system_id="system_1").sort("timestamp_key", "reading_id")
SETTINGS = Settings(**QUICK)
SPEC = FeatureSpec.for_farm(SETTINGS, readings().columns)
CUT = GOLD.height - 12
COMPUTED = {"date", "source_file", "is_ph_optimal", "is_tds_optimal", "is_temp_optimal", "is_humidity_optimal"}


@pytest.fixture
def farm() -> LiveFarm:
    return LiveFarm(GOLD[:CUT], SPEC, served(), SETTINGS, NOW)


@pytest.fixture
def client(farm: LiveFarm) -> TestClient:
    return TestClient(http_app(farm))


def body(row: int) -> dict[str, object]:
    (given,) = GOLD[row : row + 1].drop(COMPUTED).to_dicts()
    return json.loads(json.dumps(given, default=lambda moment: moment.isoformat()))


def wanted(rows: pl.DataFrame) -> pl.DataFrame:
    return forecast_readings(rows, SPEC, served(), SETTINGS, NOW).drop("inference_timestamp", "date")


def test_reading__is_answered_with_what_the_batch_would_write(client: TestClient) -> None:
    order = [*range(CUT, GOLD.height - 4), GOLD.height - 1, GOLD.height - 3, GOLD.height - 2]  # two come late
    for sent, row in enumerate(order, start=1):
        answer = client.post("/readings", json=body(row))
        assert answer.status_code == 200, answer.text
        expected = wanted(pl.concat([GOLD[:CUT], GOLD[order[:sent]]]))
        found = pl.DataFrame(answer.json(), schema_overrides=dict.fromkeys(("timestamp", "prediction_for"), pl.String))
        times = [pl.col(n).str.to_datetime(time_zone="UTC", time_unit="us") for n in ("timestamp", "prediction_for")]
        found = found.drop("inference_timestamp").with_columns(times).cast(dict(expected.schema))  # type: ignore[arg-type]
        assert_frame_equal(found, expected, check_exact=False, rel_tol=0.0, abs_tol=1e-9)


def test_models__are_swapped_without_a_failed_request(farm: LiveFarm, client: TestClient) -> None:
    newer = ServingModels(served().packages, {"gru": "4", "lightgbm": "1"})
    with ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(client.post, "/readings", json=body(row)) for row in range(CUT, GOLD.height)]
        farm.swap(newer, NOW)
        found = [answer.result() for answer in answers]
    assert {answer.status_code for answer in found} == {200}
    assert {answer.json()[0]["gru_version"] for answer in found} <= {"3", "4"}
    last = client.get("/forecasts").json()
    assert {row["gru_version"] for row in last} == {"4"}
    expected = wanted(GOLD)
    assert [row["ensemble_avg"] for row in last] == pytest.approx(expected["ensemble_avg"].to_list(), abs=1e-9)


def test_promotion__is_followed_and_a_silent_registry_is_told_and_changes_nothing(
    farm: LiveFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TestClient(http_app(farm))
    promotions = client.app.state.promotions  # type: ignore[attr-defined]
    monkeypatch.setattr(service, "serving_versions", lambda settings: ServingModels({}, {"gru": "9", "lightgbm": "1"}))
    monkeypatch.setattr(
        service, "serving_models", lambda settings: ServingModels(served().packages, {"gru": "9", "lightgbm": "1"})
    )
    promotions.follow()
    assert client.get("/health").json()["models"] == {"gru": "9", "lightgbm": "1"}

    def silent(settings: Settings) -> dict[str, str]:
        raise TrackingError("MLflow does not answer", "Start it")

    monkeypatch.setattr(service, "serving_versions", silent)
    promotions.follow()
    health = client.get("/health").json()
    assert (health["models"]["gru"], health["problem"]) == ("9", "MLflow does not answer. Start it.")
    assert client.post("/readings", json=body(CUT)).status_code == 200


def test_outlook_and_health__say_how_the_farm_stands(client: TestClient) -> None:
    outlook = client.get("/outlook").json()
    assert [row["target"] for row in outlook] == ["air_temperature", "ph_level"]
    assert outlook[1]["prediction_15min"] is not None
    assert list(client.get("/health").json()["newest"]) == ["system_1"]
    assert {"/readings", "/forecasts", "/outlook", "/health"} <= client.get("/openapi.json").json()["paths"].keys()


def test_first_reading_of_a_system__says_why_it_has_no_forecast(client: TestClient) -> None:
    answer = client.post("/readings", json={"system_id": "new", "timestamp_key": "2024-03-12T11:00:00", "ph_level": 6})
    rows = [row for row in answer.json() if row["target"] == "ph_level"]
    assert {row["prediction_quality"] for row in rows} == {"fallback"}


@pytest.mark.parametrize(
    "sent", [{"ph_level": 6.0}, {"timestamp_key": "noon"}, {"timestamp_key": "2024-03-12", "pH": 6.0}]
)
def test_reading__that_is_none_is_refused(client: TestClient, sent: dict[str, object]) -> None:
    assert client.post("/readings", json=sent).status_code == 422


def test_stamp_with_an_offset__is_the_same_instant(client: TestClient) -> None:
    naive = body(CUT)
    (moment,) = GOLD[CUT : CUT + 1]["timestamp_key"]
    shifted = {**naive, "timestamp_key": f"{(moment + timedelta(hours=2)).isoformat()}+02:00"}
    first, second = (client.post("/readings", json=given).json() for given in (naive, shifted))
    assert [row["ensemble_avg"] for row in first] == [row["ensemble_avg"] for row in second]
