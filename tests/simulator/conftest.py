"""Two simulators: one as a real process over https, one in this process for breadth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.test import Client

from simulator.app import Application
from simulator.core import Simulator, build
from simulator.options import Options

ROOT = Path(__file__).resolve().parents[2]
GRAPH = "https://graph.microsoft.com/.default"
DEFENDER = "https://api.securitycenter.microsoft.com/.default"
ANALYTICS = "https://api.loganalytics.io/.default"
# A Friday, 16:30 UTC: the company's local time is one hour ahead.
NOW = datetime(2026, 5, 15, 16, 30, tzinfo=UTC)


@dataclass
class Running:
    """A simulator process and how to reach it."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    state: Path
    line: str

    @property
    def url(self) -> str:
        return str(self.ready["base_url"])

    @property
    def authority(self) -> str:
        return f"{self.url}/{self.ready['tenant_id']}"

    def session(self) -> requests.Session:
        """A session that trusts the simulator's CA whatever the environment says of certificates."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ready["ca"]
        return session

    def bearer(self, session: requests.Session, scope: str, app: str = "ircase") -> dict[str, str]:
        credentials = self.ready["apps"][app]
        form = {"grant_type": "client_credentials", "scope": scope, **credentials}
        answer = session.post(f"{self.authority}/oauth2/v2.0/token", data=form, timeout=20)
        answer.raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def start(state: Path, *arguments: str) -> Running:
    """Start a simulator on a free port and wait for its line."""
    command = [sys.executable, "-m", "simulator", "--state", str(state), "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the simulator ended with status {process.wait()}"
    ready = json.loads((state / "ready.json").read_text(encoding="utf-8"))
    return Running(process, ready, state, line)


def stop(running: Running) -> int:
    """End it as a supervisor would."""
    running.process.send_signal(signal.SIGTERM)
    return running.process.wait(timeout=30)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A small tenant over https, a hundred times as fast as a real one."""
    state = tmp_path_factory.mktemp("simulator-process")
    process = start(state, "--devices", "10", "--days", "2", "--connections", "40", "--speed", "100")
    yield process
    stop(process)


@dataclass
class Tenant:
    """The simulator in this process, with tokens at hand."""

    simulator: Simulator
    client: Client

    def token(self, scope: str, app: str = "ircase") -> dict[str, str]:
        known = next(entry for entry in self.simulator.tenant.apps if entry.name == app)
        form = {
            "grant_type": "client_credentials", "client_id": known.client_id, "client_secret": known.secret,
            "scope": scope,
        }  # fmt: skip
        answer = self.client.post(f"/{self.simulator.tenant.id}/oauth2/v2.0/token", data=form)
        assert answer.json is not None
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    def graph(self, method: str, path: str, app: str = "ircase", **more: Any) -> Any:
        headers = {**self.token(GRAPH, app), **more.pop("headers", {})}
        return self.client.open(f"/v1.0/security{path}", method=method, headers=headers, **more)

    def defender(self, method: str, path: str, app: str = "ircase", **more: Any) -> Any:
        headers = {**self.token(DEFENDER, app), **more.pop("headers", {})}
        return self.client.open(f"/api{path}", method=method, headers=headers, **more)

    def hunt(self, query: str, timespan: str | None = None) -> dict[str, Any]:
        body = {"Query": query} | ({"Timespan": timespan} if timespan else {})
        answer = self.graph("POST", "/runHuntingQuery", json=body)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.data)

    def rows(self, query: str, timespan: str | None = None) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if "@odata" not in key}
            for row in self.hunt(query, timespan)["results"]
        ]

    def workspace(self, query: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
        path = f"/v1/workspaces/{self.simulator.tenant.workspace}/query"
        return self.client.post(
            path, json={"query": query, **body}, headers={**self.token(ANALYTICS), **(headers or {})}
        )

    def fault(self, **body: Any) -> None:
        assert self.client.post("/_sim/faults", json=body).status_code == 201

    def advance(self, seconds: float) -> None:
        assert self.client.post("/_sim/clock", json={"advance": seconds}).status_code == 200

    def machine(self, host: str) -> str:
        device = self.simulator.device(host)
        assert device is not None
        return device.id

    def live_response(self, host: str, *commands: tuple[str, str, str], comment: str = "IRCase test") -> Any:
        body = {
            "Commands": [{"type": kind, "params": [{"key": key, "value": value}]} for kind, key, value in commands],
            "Comment": comment,
        }
        return self.defender("POST", f"/machines/{self.machine(host)}/runliveresponse", json=body)

    def action(self, key: str) -> dict[str, Any]:
        answer = self.defender("GET", f"/machineactions/{key}")
        assert answer.status_code == 200
        return dict(answer.json)

    def download(self, key: str, index: int = 0) -> bytes:
        answer = self.defender("GET", f"/machineactions/{key}/GetLiveResponseResultDownloadLink(index={index})")
        assert answer.status_code == 200, answer.text
        blob = self.client.get(local_part(answer.json["value"]))
        assert blob.status_code == 200, blob.text
        return bytes(blob.data)


def local_part(link: str) -> str:
    """Path and query of a link to this host."""
    return "/" + link.split("//", 1)[1].split("/", 1)[1]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One story for all in-process tests."""
    state = tmp_path_factory.mktemp("simulator-in-process")
    simulator = build(Options(state=state, devices=12, days=7, connections=40, now=NOW))
    yield simulator
    simulator.state.close()


@pytest.fixture
def tenant(built: Simulator) -> Iterator[Tenant]:
    """The tenant with no fault on, no call counted, every action long ended and the story's rows alone."""
    telemetry = built.telemetry
    yield Tenant(built, Client(Application(built)))
    built.telemetry = telemetry
    built.faults.clear()
    built.quotas.on = True
    built.requests.clear()
    built.advance(4 * 86_400)
    built.quotas.reset()


@pytest.fixture
def until() -> Any:
    """Wait for a condition, up to twenty seconds."""

    def wait(condition: Any) -> Any:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError("it did not happen within twenty seconds")

    return wait
