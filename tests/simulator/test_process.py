"""The running process, as clients meet it: msal, requests and azure-monitor-query over https."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsQueryClient, LogsQueryStatus

from tests.simulator.conftest import ANALYTICS, DEFENDER, GRAPH, Running, start, stop


def msal_app(running: Running, app: str = "ircase", secret: str | None = None) -> msal.ConfidentialClientApplication:
    known = running.ready["apps"][app]
    return msal.ConfidentialClientApplication(
        known["client_id"], client_credential=secret or known["client_secret"], authority=running.authority,
        instance_discovery=False, http_client=running.session(),
    )  # fmt: skip


def test_it_says_when_it_is_ready(running: Running) -> None:
    assert running.line.startswith(f"The simulator is ready: {running.url}")
    assert running.ready["tenant_id"] in running.line
    assert (running.state / "ready.json").stat().st_mode & 0o077 == 0


def test_the_certificate_names_this_machine(running: Running) -> None:
    context = ssl.create_default_context(cafile=running.ready["ca"])
    port = int(running.url.rsplit(":", 1)[1])
    for name in ("localhost", "127.0.0.1"):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=name) as wrapped,
        ):
            assert wrapped.version() in {"TLSv1.2", "TLSv1.3"}


def test_a_silent_connection_holds_up_nobody(running: Running) -> None:
    port = int(running.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        assert running.session().get(f"{running.url}/_sim/state", timeout=10).status_code == 200


def test_msal_gets_a_token_with_roles_and_audience(running: Running) -> None:
    result = msal_app(running).acquire_token_for_client([DEFENDER])
    assert result["expires_in"] == 3599
    claims = msal.oauth2cli.oidc.decode_part(result["access_token"].split(".")[1])
    claims = json.loads(claims) if isinstance(claims, str) else claims
    assert claims["aud"] == "https://api.securitycenter.microsoft.com"
    assert "Machine.LiveResponse" in claims["roles"]
    assert claims["tid"] == running.ready["tenant_id"]


@pytest.mark.parametrize(
    ("app", "secret", "code"),
    [("ircase", "wrong", 7000215), ("ircase-expired", None, 7000222), ("ircase-no-consent", None, 65001)],
)
def test_msal_is_told_why_it_may_not(running: Running, app: str, secret: str | None, code: int) -> None:
    result = msal_app(running, app, secret).acquire_token_for_client([GRAPH])
    assert result["error_codes"] == [code]
    assert result["error_description"].startswith(f"AADSTS{code}: ")


def test_a_hunt_runs_over_https(running: Running) -> None:
    session = running.session()
    headers = running.bearer(session, GRAPH)
    query = {"Query": "DeviceEvents | where ActionType == 'AmsiScriptDetection' | project DeviceName, ActionType"}
    answer = session.post(f"{running.url}/v1.0/security/runHuntingQuery", json=query, headers=headers, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["results"] == [
        {"ActionType": "AmsiScriptDetection", "DeviceName": running.ready["patient_zero"]}
    ]


class Credential:
    """What azure-core asks for."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        assert scopes == (ANALYTICS,)
        headers = self._running.bearer(self._running.session(), ANALYTICS)
        return AccessToken(headers["Authorization"].removeprefix("Bearer "), 2**31)


def logs_client(running: Running) -> LogsQueryClient:
    return LogsQueryClient(
        Credential(running), endpoint=running.url, audience="https://api.loganalytics.io",
        connection_verify=running.ready["ca"],
    )  # fmt: skip


def test_azure_monitor_query_reads_the_workspace(running: Running) -> None:
    query = "SigninLogs | where ResultType == '0' | summarize Signins = count() by UserPrincipalName | top 3 by Signins"
    result = logs_client(running).query_workspace(
        running.ready["workspace_id"], query, timespan=timedelta(days=3), include_statistics=True
    )
    assert result.status == LogsQueryStatus.SUCCESS
    assert result.tables[0].columns == ["UserPrincipalName", "Signins"]
    assert len(result.tables[0].rows) == 3
    assert result.statistics["query"]["executionTime"] >= 0


def test_azure_monitor_query_gets_the_nested_error(running: Running) -> None:
    with pytest.raises(HttpResponseError) as caught:
        logs_client(running).query_workspace(running.ready["workspace_id"], "SigninLogs | wher x", timespan=None)
    assert caught.value.status_code == 400
    assert caught.value.error.code == "BadArgumentError"


def test_live_response_from_script_to_file(running: Running, until: Any) -> None:
    session = running.session()
    headers = running.bearer(session, DEFENDER)
    api = f"{running.url}/api"

    def run(kind: str, key: str, value: str) -> str:
        commands = [{"type": kind, "params": [{"key": key, "value": value}]}]
        body = {"Commands": commands, "Comment": "IRCase over sockets"}
        answer = session.post(f"{api}/machines/jump01/runliveresponse", json=body, headers=headers, timeout=20)
        assert answer.status_code == 201
        action = answer.json()["id"]
        address = f"{api}/machineactions/{action}"
        until(lambda: session.get(address, headers=headers, timeout=20).json()["status"] == "Succeeded")
        link = session.get(
            f"{api}/machineactions/{action}/GetLiveResponseResultDownloadLink(index=0)", headers=headers, timeout=20
        )
        return str(link.json()["value"])

    transcript = session.get(run("RunScript", "ScriptName", "dfir-script.ps1"), timeout=20).content
    output = json.loads(transcript.decode("utf-8-sig"), strict=False)["script_output"]
    found = re.search(r"Write results to (.+\.zip)\.\.\.", output)
    assert found is not None
    blob = session.get(run("GetFile", "Path", found.group(1)), timeout=60)
    assert gzip.decompress(blob.content)[:2] == b"PK"
    assert session.get(run("GetFile", "Path", found.group(1)), headers=headers, timeout=60).status_code == 403


def test_faults_that_cut_the_connection(running: Running) -> None:
    session = running.session()
    for kind in ("reset", "reset_after"):
        session.post(f"{running.url}/_sim/faults", json={"match": "openid", "fault": kind}, timeout=20)
        with pytest.raises(requests.ConnectionError):
            session.get(f"{running.authority}/v2.0/.well-known/openid-configuration", timeout=20)
        assert session.get(f"{running.authority}/v2.0/.well-known/openid-configuration", timeout=20).status_code == 200
    session.post(f"{running.url}/_sim/faults", json={"match": "openid", "fault": "truncated_reply"}, timeout=20)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        session.get(f"{running.authority}/v2.0/.well-known/openid-configuration", timeout=20)


def test_it_stops_on_sigterm_and_remembers(tmp_path: Path) -> None:
    small = ("--devices", "10", "--days", "1", "--connections", "4")
    first = start(tmp_path, *small)
    session = first.session()
    body = {"Commands": [{"type": "GetFile", "params": [{"key": "Path", "value": "C:\\a.txt"}]}], "Comment": "stays"}
    made = session.post(
        f"{first.url}/api/machines/jump01/runliveresponse",
        json=body,
        headers=first.bearer(session, DEFENDER),
        timeout=20,
    ).json()
    ca = Path(first.ready["ca"]).read_bytes()
    assert stop(first) == 0
    assert not (tmp_path / "ready.json").exists()

    second = start(tmp_path, *small)
    try:
        assert second.ready["tenant_id"] == first.ready["tenant_id"]
        assert second.ready["apps"] == first.ready["apps"]
        assert Path(second.ready["ca"]).read_bytes() == ca
        session = second.session()
        headers = second.bearer(session, DEFENDER)
        again = session.get(f"{second.url}/api/machineactions/{made['id']}", headers=headers, timeout=20).json()
        assert again["requestorComment"] == "stays"
        assert again["creationDateTimeUtc"] == made["creationDateTimeUtc"]
    finally:
        assert stop(second) == 0


def test_a_port_in_use_is_said(tmp_path: Path, running: Running) -> None:
    port = running.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "simulator", "--state", str(tmp_path), "--port", port, "--devices", "10"]
    done = subprocess.run([*command, "--days", "1", "--connections", "4"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert not (tmp_path / "ready.json").exists()
