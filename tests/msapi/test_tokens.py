"""Sign-in through msal over real sockets, with the connection's own authority."""

import threading
from dataclasses import replace

import certifi
import pytest

from msapi import errors
from msapi.endpoint import Audience, Endpoint
from msapi.tokens import TokenProvider, roles_in
from tests.msapi.support import CLIENT, SECRET, TENANT, Answer, Server, answer, jwt, sign_in

TOKEN = f"/{TENANT}/oauth2/v2.0/token"


def refusal(code: int, name: str = "invalid_client") -> dict[str, object]:
    return {
        "error": name,
        "error_description": f"AADSTS{code}: refused. The secret was {SECRET}. Trace ID: 1",
        "error_codes": [code],
        "trace_id": "trace-1",
    }


@pytest.fixture
def misleading_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certifi.where())


def test_token_and_roles(server: Server, endpoint: Endpoint) -> None:
    sign_in(server, {"graph.microsoft.com": ["ThreatHunting.Read.All"]})
    provider = TokenProvider(endpoint, clock=lambda: 1000.0)
    token = provider.token(Audience.GRAPH)
    assert token.roles == {"ThreatHunting.Read.All"}
    assert token.expires_at == 1000.0 + 3599
    assert token.value.reveal() not in repr(token)
    form = server.seen(TOKEN)[0].form
    assert (form["client_id"], form["client_secret"], form["grant_type"]) == (CLIENT, SECRET, "client_credentials")
    assert form["scope"] == "https://graph.microsoft.com/.default"


def test_own_authority_works_where_the_environment_names_another(
    misleading_environment: None, server: Server, endpoint: Endpoint
) -> None:
    assert TokenProvider(endpoint).token(Audience.DEFENDER).value


def test_without_the_authority_the_host_is_not_trusted(server: Server, endpoint: Endpoint) -> None:
    with pytest.raises(errors.NetworkError, match="certificate is not trusted") as caught:
        TokenProvider(replace(endpoint, ca_pem=None)).token(Audience.GRAPH)
    assert caught.value.permanent
    assert server.requests == []


def test_nothing_is_sent_before_the_first_token(server: Server, endpoint: Endpoint) -> None:
    TokenProvider(endpoint)
    assert server.requests == []


def test_tokens_are_kept_per_audience_and_shared_by_threads(server: Server, endpoint: Endpoint) -> None:
    provider = TokenProvider(endpoint)
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda kind=kind: found.append(provider.token(kind).value))
        for kind in [Audience.GRAPH, Audience.DEFENDER] * 5
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10 and len(set(found)) == 2
    assert len(server.seen(TOKEN)) == 2


def test_refresh_renews_once_for_all_who_hold_the_stale_token(server: Server, endpoint: Endpoint) -> None:
    provider = TokenProvider(endpoint)
    stale = provider.token(Audience.GRAPH)
    first = provider.refresh(Audience.GRAPH, stale)
    second = provider.refresh(Audience.GRAPH, stale)
    assert first.value != stale.value and second.value == first.value
    assert len(server.seen(TOKEN)) == 2
    assert provider.refresh(Audience.GRAPH).value != first.value


def test_a_token_that_ends_soon_is_not_kept(server: Server, endpoint: Endpoint) -> None:
    sign_in(server, expires_in=200)
    provider = TokenProvider(endpoint)
    assert provider.token(Audience.GRAPH).value != provider.token(Audience.GRAPH).value


@pytest.mark.parametrize(
    ("status", "code", "part"),
    [
        (401, 7000215, "secret is wrong"),
        (401, 7000222, "secret has expired"),
        (400, 700016, "does not know this client id"),
        (400, 65001, "not consented"),
        (400, 70011, "scope is not valid"),
    ],
)
def test_refusals_say_what_to_do(server: Server, endpoint: Endpoint, status: int, code: int, part: str) -> None:
    server.on("POST", TOKEN, answer(refusal(code), status))
    with pytest.raises(errors.SignInFailed, match=part) as caught:
        TokenProvider(endpoint).token(Audience.GRAPH)
    assert caught.value.code == f"AADSTS{code}"
    assert caught.value.permanent and caught.value.request_id == "trace-1"


def test_an_unknown_refusal_is_shown_without_the_secret(server: Server, endpoint: Endpoint) -> None:
    server.on("POST", TOKEN, answer(refusal(999999), 401))
    with pytest.raises(errors.SignInFailed, match="AADSTS999999") as caught:
        TokenProvider(endpoint).token(Audience.GRAPH)
    assert SECRET not in str(caught.value)


def test_a_400_is_not_asked_again_within_a_minute(server: Server, endpoint: Endpoint) -> None:
    server.on("POST", TOKEN, answer(refusal(700016), 400))
    provider = TokenProvider(endpoint)
    for _ in range(3):
        with pytest.raises(errors.SignInFailed):
            provider.token(Audience.GRAPH)
    assert len(server.seen(TOKEN)) == 1


def test_throttled_sign_in_waits_as_told(server: Server, endpoint: Endpoint) -> None:
    server.on("POST", TOKEN, answer({"error": "temporarily_unavailable"}, 429, Retry_After="40"))
    provider = TokenProvider(endpoint)
    for _ in range(2):
        with pytest.raises(errors.Throttled) as caught:
            provider.token(Audience.GRAPH)
        assert 35 < (caught.value.retry_after or 0) <= 40
    assert len(server.seen(TOKEN)) == 1


def test_an_ill_sign_in_service_is_no_refusal(server: Server, endpoint: Endpoint) -> None:
    server.on("POST", TOKEN, answer({}, 503))
    with pytest.raises(errors.Unavailable) as caught:
        TokenProvider(endpoint).token(Audience.GRAPH)
    assert not caught.value.permanent and caught.value.retry_after


def test_a_refusal_after_an_outage_is_a_refusal(server: Server, endpoint: Endpoint) -> None:
    server.on("POST", TOKEN, answer({}, 503), answer(refusal(7000215), 401))
    provider = TokenProvider(endpoint)
    with pytest.raises(errors.Unavailable):
        provider.token(Audience.GRAPH)
    # msal stays away for 5 s, but only for the same scope.
    with pytest.raises(errors.SignInFailed):
        provider.token(Audience.DEFENDER)


def test_an_unknown_tenant(server: Server, endpoint: Endpoint) -> None:
    path = f"/{TENANT}/v2.0/.well-known/openid-configuration"
    server.on("GET", path, answer(refusal(90002, "invalid_tenant"), 400))
    with pytest.raises(errors.SignInFailed, match="tenant is unknown"):
        TokenProvider(endpoint).token(Audience.GRAPH)


@pytest.mark.parametrize("target", ["https://evil.example/token", "https://localhost:1/token"])
def test_the_secret_goes_to_no_other_host(server: Server, endpoint: Endpoint, target: str) -> None:
    path = f"/{TENANT}/v2.0/.well-known/openid-configuration"
    document = {
        "issuer": f"{server.url}/{TENANT}/v2.0",
        "authorization_endpoint": f"{server.url}/a",
        "token_endpoint": target,
    }
    server.on("GET", path, answer(document))
    with pytest.raises(errors.SignInFailed, match="another host"):
        TokenProvider(endpoint).token(Audience.GRAPH)


@pytest.mark.parametrize(
    "reply",
    [
        Answer(200, b"<html>proxy</html>"),
        Answer(200, b"[]"),
        answer({"access_token": 5}),
        answer({"access_token": "a\r\nInjected: 1"}),
        answer({"access_token": ""}),
        Answer(200, b"x" * (3 * 1024**2)),
        Answer(302, b"", {"Location": "https://evil.example/"}),
    ],
)
def test_replies_that_are_no_tokens(server: Server, endpoint: Endpoint, reply: Answer) -> None:
    server.on("POST", TOKEN, reply)
    with pytest.raises(errors.ApiError):
        TokenProvider(endpoint).token(Audience.GRAPH)


def test_a_broken_connection_is_no_refusal(server: Server, endpoint: Endpoint) -> None:
    server.on("POST", TOKEN, Answer(drop=True))
    with pytest.raises(errors.NetworkError, match="could not be reached"):
        TokenProvider(endpoint).token(Audience.GRAPH)


@pytest.mark.parametrize("token", ["", "a.b", "a.!!.c", "a.e30.c", "opaque", jwt([]), "a." + "A" * 50 + ".c"])
def test_roles_of_anything(token: str) -> None:
    assert roles_in(token) == frozenset()


def test_bad_settings_are_refused_before_anything_is_sent(server: Server, endpoint: Endpoint) -> None:
    with pytest.raises(errors.InvalidParameter, match="client id"):
        TokenProvider(replace(endpoint, client_id="x")).token(Audience.GRAPH)
    assert server.requests == []
