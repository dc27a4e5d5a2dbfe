"""A tenant in this process that people sign in to: its HTTP door for msal, and the browser's part by hand."""

import io
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from werkzeug.test import Client

from msapi.endpoint import Secret
from msapi.signin import SignInApp
from simulator.app import Application
from simulator.core import Simulator, build
from simulator.options import Options

HOST = "https://login.test"


class InProcess(BaseAdapter):
    """Requests of a session are answered by the simulator, without a socket."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client, self.asked = client, list[str]()

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        self.asked.append(urlsplit(request.url).path)
        answer = self.client.open(
            request.path_url, method=request.method, base_url=HOST, data=request.body, headers=dict(request.headers)
        )
        reply = requests.Response()
        reply.status_code = answer.status_code
        reply.headers.update(dict(answer.headers))
        reply.raw = urllib3.HTTPResponse(io.BytesIO(answer.data), preload_content=False, status=answer.status_code)
        reply.url, reply.request = request.url, request
        return reply

    def close(self) -> None:
        """Nothing is open."""


class Entra:
    """One simulated tenant, its app registration `ircase` and a browser that picks accounts on its login page."""

    def __init__(self, state: Path) -> None:
        self.simulator: Simulator = build(Options(state=state, devices=10, days=7, connections=5))
        self.client = Client(Application(self.simulator))
        self.door = InProcess(self.client)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("https://", self.door)
        self.session.merge_environment_settings = lambda *_, **__: {"stream": True}  # type: ignore[method-assign, assignment]

    @property
    def tid(self) -> str:
        return self.simulator.tenant.id

    def app(self, **more: Any) -> SignInApp:
        known = self.simulator.tenant.apps[0]
        values: dict[str, Any] = {
            "tenant": self.tid,
            "client_id": known.client_id,
            "tenants": frozenset({self.tid}),
            "secret": Secret(known.secret),
            "login_url": HOST,
        }
        return SignInApp(**values | more)

    def pick(self, auth_uri: str, account: str) -> dict[str, str]:
        """What Entra sends back when the person picks that account."""
        parts = urlsplit(auth_uri)
        form = dict(parse_qsl(parts.query)) | {"account": account}
        answer = self.client.post(parts.path, base_url=HOST, data=form)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def fault(self, **body: Any) -> None:
        assert self.client.post("/_sim/faults", json=body).status_code == 201

    def give(self, account: str, *roles: str) -> None:
        assert self.client.post("/_sim/roles", json={"username": account, "roles": list(roles)}).status_code == 200

    def rotate(self) -> None:
        assert self.client.post("/_sim/keys", json={}).status_code == 200
