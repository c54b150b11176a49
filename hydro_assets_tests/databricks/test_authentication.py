"""How the launcher proves who it is, up to the header of a request: a workspace that issues tokens and echoes them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import dagster as dg
import pytest

from hydro_assets.databricks.step_launcher.launcher import VolumeStepLauncher
from hydro_assets.defs.resources.step_launcher_resource import StepLauncherResource
from hydro_assets.errors import SettingsError

VARIABLES = ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET")


class TokenWorkspace(BaseHTTPRequestHandler):
    """OAuth's discovery and token endpoints, and a user whose name is the Authorization header of who asks."""

    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}"
        endpoints = {"authorization_endpoint": f"{host}/oidc/v1/authorize", "token_endpoint": f"{host}/oidc/v1/token"}
        self._answer(endpoints if "well-known" in self.path else {"userName": self.headers["Authorization"]})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        client = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        token = f"{form['grant_type'][0]} for {client}"
        self._answer({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), TokenWorkspace) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def launcher(**fields: str) -> VolumeStepLauncher:
    made = StepLauncherResource(target="databricks", **fields).create_resource(dg.build_init_resource_context())  # type: ignore[arg-type]
    assert isinstance(made, VolumeStepLauncher)
    return made


def header_of(made: VolumeStepLauncher) -> str | None:
    return made._workspace.current_user.me().user_name


def test_token__is_sent(host: str) -> None:
    assert header_of(launcher(host=host, token="dapi-7")) == "Bearer dapi-7"


def test_service_principal__gets_a_token_from_the_workspace(host: str) -> None:
    made = launcher(host=host, oauth_client_id="farm", oauth_client_secret="s3cret")
    assert header_of(made) == "Bearer client_credentials for farm:s3cret"


def test_two_kinds_of_credentials__are_refused_without_showing_them(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-of-somebody")
    with pytest.raises(SettingsError, match="more than one authorization method.*unset the others") as caught:
        launcher(host=host, oauth_client_id="farm", oauth_client_secret="s3cret")
    assert "dapi-of-somebody" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_no_credentials__are_an_error_with_the_remedy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match="credentials.*Give one kind of them"):
        launcher(host=host)


def test_service_principal__may_stand_in_the_environment(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": host, "CLIENT_ID": "farm", "CLIENT_SECRET": "s3cret"}.items():
        monkeypatch.setenv(f"DATABRICKS_{name}", value)
    assert header_of(launcher()) == "Bearer client_credentials for farm:s3cret"


def test_azure_service_principal__is_taken_as_one() -> None:
    made = launcher(
        host="https://adb-1.2.azuredatabricks.net",
        azure_client_id="farm",
        azure_client_secret="s3cret",
        azure_tenant_id="growers",
    )
    config = made._workspace.config
    assert (config.auth_type, config.azure_client_id, config.azure_tenant_id) == (
        "azure-client-secret",
        "farm",
        "growers",
    )
