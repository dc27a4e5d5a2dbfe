"""Clients are shared within a process, and their calls logged without secrets."""

import json
import logging
from dataclasses import replace

import pytest

from msapi.clients import clients_for
from msapi.endpoint import Endpoint, Secret
from tests.msapi.support import SECRET, TENANT, Server, answer

WORKSPACE = "99999999-8888-7777-6666-555555555555"


def test_one_set_for_each_connection(endpoint: Endpoint) -> None:
    assert clients_for(endpoint) is clients_for(replace(endpoint))
    assert clients_for(endpoint) is not clients_for(replace(endpoint, secret=Secret("rotated")))


def test_a_token_is_shared_and_calls_are_logged(
    server: Server, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("GET", "/mde/api/machines", answer({"value": []}))
    server.on("GET", "/graph/v1.0/security/incidents/7", answer({"id": "7"}))
    table = {"name": "P", "columns": [{"name": "n", "type": "int"}], "rows": []}
    server.on("POST", f"/v1/workspaces/{WORKSPACE}/query", answer({"tables": [table]}))
    fresh = replace(endpoint, limits=replace(endpoint.limits, read_timeout=4.5))
    with caplog.at_level(logging.INFO, logger="msapi"):
        for _ in range(2):
            clients = clients_for(fresh)
            assert list(clients.defender.machines("x eq 'private'")) == []
            assert clients.graph.incident("7").id == "7"
            assert clients.logs.query(WORKSPACE, "T").row_count == 0
    assert len(server.seen(f"/{TENANT}/oauth2")) == 3
    calls = [record for record in caplog.records if record.message == "msapi.call"]
    assert [record.status for record in calls] == [200] * 6
    shown = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert SECRET not in shown and "eyJ" not in shown and "private" not in shown
