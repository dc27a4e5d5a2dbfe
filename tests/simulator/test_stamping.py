"""The simulated time-stamping authority: over https, right, and wrong on demand."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ircase import outgoing
from ircase.services.vault import stamps
from simulator.faults import STAMPS
from simulator.stamping import Authority, publish
from tests.simulator.conftest import Running, Tenant


def ask(tenant: Tenant) -> tuple[bytes, stamps.Question]:
    asked = stamps.question(hashlib.sha256(b"x").digest(), policy="", now=datetime.now(UTC))
    reply = tenant.client.post("/tsa", data=asked.query, content_type="application/timestamp-query")
    assert (reply.status_code, reply.content_type) == (200, "application/timestamp-reply")
    return reply.get_data(), asked


def test_a_process_stamps_over_https(running: Running) -> None:
    """By the door that the worker goes through: the authority's own file makes the server trusted too."""
    asked = stamps.question(hashlib.sha256(b"x").digest(), policy="", now=datetime.now(UTC))
    pem = stamps.pem_of(running.ready["tsa_ca"])
    host = urlsplit(running.url).hostname or ""
    answer = outgoing.ask(f"{running.url}/tsa", asked.query, outgoing.Rules(frozenset({host}), ca_pem=pem))
    authorities = stamps.authorities_of(running.ready["tsa_ca"])
    assert stamps.checked(answer, asked, authorities, datetime.now(UTC)).authority == "CN=IRCase simulator time stamps"


@pytest.mark.parametrize("fault", sorted(STAMPS))
def test_each_fault_spoils_one_answer(tenant: Tenant, fault: str) -> None:
    root = Authority(tenant.simulator.options.state).root
    tenant.client.post("/_sim/faults", json={"match": "/tsa", "fault": fault})
    answer, asked = ask(tenant)
    with pytest.raises(stamps.BadStamp):
        stamps.checked(answer, asked, [root], datetime.now(UTC))
    answer, asked = ask(tenant)
    assert stamps.checked(answer, asked, [root], datetime.now(UTC)).policy


def test_the_root_stays_over_a_restart(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"")
    publish(tmp_path)
    before = (tmp_path / "time-stamps.pem").read_bytes()
    publish(tmp_path)
    assert (tmp_path / "time-stamps.pem").read_bytes() == before
