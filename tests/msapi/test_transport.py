"""The one way out: retries, caps, tokens, hosts, records."""

import gzip
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from msapi import errors
from msapi.endpoint import Audience
from msapi.sessions import is_untrusted
from msapi.transport import Call, Transport
from tests.msapi.conftest import Tenant
from tests.msapi.support import TENANT, Answer, answer, endpoint_for, error

GET = Call(Audience.DEFENDER, "GET", "/api/thing")
POST = Call(Audience.DEFENDER, "POST", "/api/act", body={"Comment": "ü"}, idempotent=False, needs=("Machine.Isolate",))
THING, ACT = "/mde/api/thing", "/mde/api/act"


def test_a_plain_call(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, answer({"value": 1}, request_id="r-7"))
    call = replace(GET, params={"$filter": "name eq 'a b'", "$top": 3})
    assert tenant.transport.json(call) == {"value": 1}
    request = tenant.server.seen(THING)[0]
    assert request.query == {"$filter": ["name eq 'a b'"], "$top": ["3"]}
    assert request.headers["Authorization"].startswith("Bearer eyJ")
    record = tenant.calls[0]
    assert (record.method, record.path, record.status, record.request_id) == ("GET", THING, 200, "r-7")
    assert (record.attempt, record.failure, record.service) == (1, "", "Defender for Endpoint")
    assert record.received == len(b'{"value": 1}')


def test_bodies_are_json_in_utf8(tenant: Tenant) -> None:
    tenant.server.on("POST", ACT, answer({}))
    tenant.transport.json(POST)
    request = tenant.server.seen(ACT)[0]
    assert request.json == {"Comment": "ü"}
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"


def test_half_characters_become_whole_ones(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, Answer(200, b'{"title": "a\\ud800b", "smile": "\\ud83d\\ude00"}'))
    assert tenant.transport.json(GET) == {"title": "a?b", "smile": "😀"}


def test_an_empty_answer_is_none(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, Answer(204))
    assert tenant.transport.json(GET) is None


def test_a_429_is_waited_out(tenant: Tenant) -> None:
    tenant.server.on("POST", ACT, error(429, "TooManyRequests", Retry_After="7"), answer({"id": 1}, 201))
    assert tenant.transport.json(POST) == {"id": 1}
    assert tenant.naps == [7.0]
    assert [record.status for record in tenant.calls] == [429, 201]


def test_a_long_429_is_handed_to_the_caller(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, error(429, "TooManyRequests", Retry_After="61"))
    with pytest.raises(errors.Throttled) as caught:
        tenant.transport.json(GET)
    assert caught.value.retry_after == 61.0 and not caught.value.permanent
    assert tenant.naps == [] and len(tenant.calls) == 1


def test_an_ill_service_is_asked_three_times(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, error(503, "x"))
    with pytest.raises(errors.Unavailable):
        tenant.transport.json(GET)
    assert len(tenant.calls) == 3


@pytest.mark.parametrize(
    "end", [error(500, "InternalServerError"), error(503, "x", Retry_After="1"), Answer(drop=True)]
)
def test_what_changes_things_is_not_repeated_into_the_dark(tenant: Tenant, end: Answer) -> None:
    tenant.server.on("POST", ACT, end)
    with pytest.raises(errors.Ambiguous, match="Look at the device's actions"):
        tenant.transport.json(POST)
    assert len(tenant.server.seen(ACT)) == 1


def test_a_cut_answer_to_a_change_is_ambiguous_too(tenant: Tenant) -> None:
    tenant.server.on("POST", ACT, Answer(200, b'{"id": "1234567890"}', cut=5))
    with pytest.raises(errors.Ambiguous):
        tenant.transport.json(POST)
    assert len(tenant.server.seen(ACT)) == 1


def test_a_change_is_repeated_where_nothing_was_sent(tenant: Tenant) -> None:
    nowhere = replace(tenant.endpoint, defender_url="https://localhost:1")
    transport = Transport(nowhere, tenant.tokens, sleep=tenant.naps.append, on_call=tenant.calls.append)
    with pytest.raises(errors.NetworkError, match="could not be reached"):
        transport.json(POST)
    assert len(tenant.calls) == 3


def test_a_dropped_read_is_repeated(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, Answer(drop=True), answer({"ok": True}))
    assert tenant.transport.json(GET) == {"ok": True}


def test_silence_ends_with_the_read_timeout(tenant: Tenant) -> None:
    gate = threading.Event()

    def silent(request: object) -> Answer:
        gate.wait(5)
        return Answer(drop=True)

    tenant.server.on("POST", ACT, silent)
    with pytest.raises(errors.Ambiguous):
        tenant.transport.json(replace(POST, read_timeout=0.2))
    gate.set()


def test_a_refused_token_is_renewed_once(tenant: Tenant) -> None:
    tenant.server.on("POST", ACT, error(401, "Unauthorized"), answer({"id": 1}))
    assert tenant.transport.json(POST) == {"id": 1}
    first, second = (request.headers["Authorization"] for request in tenant.server.seen(ACT))
    assert first != second


def test_a_token_refused_twice_is_the_end(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, error(401, "Unauthorized"))
    with pytest.raises(errors.Unauthorized):
        tenant.transport.json(GET)
    assert len(tenant.server.seen(THING)) == 2
    assert len(tenant.server.seen(f"/{TENANT}/oauth2")) == 2


def test_a_missing_role_is_named(tenant: Tenant) -> None:
    tenant.server.on("POST", ACT, error(403, "Forbidden", "no"))
    with pytest.raises(errors.Forbidden, match=r"Machine\.Isolate") as caught:
        tenant.transport.json(POST)
    assert caught.value.needed == ("Machine.Isolate",)


def test_answers_are_capped(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, answer({"x": "y" * 5000}))
    with pytest.raises(errors.ResultTooLarge):
        tenant.transport.json(replace(GET, cap=4096))
    assert len(tenant.calls) == 1


def test_the_cap_counts_what_is_unpacked(tenant: Tenant) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    tenant.server.on("GET", THING, Answer(200, bomb, {"Content-Encoding": "gzip"}))
    with pytest.raises(errors.ResultTooLarge):
        tenant.transport.json(replace(GET, cap=1_000_000))


def test_gzip_and_chunks_are_undone(tenant: Tenant) -> None:
    document = {"x": list(range(20_000))}
    packed = gzip.compress(json.dumps(document).encode())
    tenant.server.on("GET", THING, Answer(200, packed, {"Content-Encoding": "gzip"}, chunked=True))
    assert tenant.transport.json(GET) == document


@pytest.mark.parametrize("chunked", [True, False])
def test_a_cut_answer_is_noticed_and_asked_again(tenant: Tenant, chunked: bool) -> None:
    whole = answer({"x": "y" * 50_000})
    tenant.server.on("GET", THING, Answer(200, whole.body, cut=20_000, chunked=chunked), whole)
    assert tenant.transport.json(GET) == {"x": "y" * 50_000}
    assert [record.failure for record in tenant.calls] == ["NetworkError", ""]


def test_damaged_gzip_is_no_answer(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, Answer(200, b"\x1f\x8b" + b"x" * 100, {"Content-Encoding": "gzip"}))
    with pytest.raises(errors.NetworkError, match="broke off"):
        tenant.transport.json(GET)


@pytest.mark.parametrize(
    "body", [b"<html>sign in to the proxy</html>", b'{"a":', b"[" * 100_000, b"\xff\xfe{}", b"9" * 9999]
)
def test_what_is_not_json_is_said(tenant: Tenant, body: bytes) -> None:
    tenant.server.on("GET", THING, Answer(200, body))
    with pytest.raises(errors.BadReply, match="not JSON"):
        tenant.transport.json(GET)


def test_redirects_are_not_followed(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, Answer(302, b"", {"Location": f"{tenant.server.url}/elsewhere"}))
    with pytest.raises(errors.BadReply, match="302"):
        tenant.transport.json(GET)
    assert tenant.server.seen("/elsewhere") == []


def test_links_of_the_service_are_followed_and_others_not(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, answer({"page": 2}))
    assert tenant.transport.json(replace(GET, path=f"{tenant.server.url}{THING}?$skip=2")) == {"page": 2}
    for link in ("https://evil.example/api", "//evil.example/api", f"http://localhost:1{THING}", "https://[x"):
        with pytest.raises(errors.ApiError):
            tenant.transport.json(replace(GET, path=link))
    assert len(tenant.server.seen(THING)) == 1


def test_a_netrc_entry_changes_nothing(tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    tenant.server.on("GET", THING, answer({}))
    tenant.transport.json(GET)
    assert tenant.server.seen(THING)[0].headers["Authorization"].startswith("Bearer ")


def test_proxies_come_from_the_environment(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.server.on("GET", THING, answer({"ok": True}))
    tenant.tokens.token(Audience.DEFENDER)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(errors.NetworkError, match="ProxyError"):
        tenant.transport.json(GET)
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert tenant.transport.json(GET) == {"ok": True}


def test_other_tls_trouble_is_no_distrust() -> None:
    broken = requests.exceptions.SSLError("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")
    assert not is_untrusted(broken)
    assert is_untrusted(requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"))


def test_records_hold_neither_query_nor_token(tenant: Tenant) -> None:
    tenant.server.on("GET", THING, answer({}))
    tenant.transport.json(replace(GET, params={"$filter": "secret eq 1"}))
    assert "secret" not in repr(tenant.calls) and "eyJ" not in repr(tenant.calls)


def test_an_untrusted_certificate_says_so(tenant: Tenant) -> None:
    bare = endpoint_for(tenant.server, None)
    transport = Transport(bare, tenant.tokens, sleep=tenant.naps.append)
    with pytest.raises(errors.NetworkError, match="not trusted") as caught:
        transport.json(GET)
    assert caught.value.permanent and tenant.naps == []
