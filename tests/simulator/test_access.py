"""Tokens, audiences, roles: each service refuses in its own words."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.app import ROUTES
from simulator.tenant import Service
from simulator.tokens import TokenError, sign, verify
from tests.simulator.conftest import ANALYTICS, DEFENDER, GRAPH, NOW, Tenant

PROTECTED = [route for route in ROUTES if route.roles]


def test_only_sign_in_links_control_the_cluster_and_time_stamps_need_no_role() -> None:
    assert {route.service for route in ROUTES if not route.roles} == {
        Service.ENTRA, Service.BLOB, Service.CONTROL, Service.KUSTO, Service.STAMPS,
    }  # fmt: skip


def test_discovery_and_keys(tenant: Tenant) -> None:
    root = f"/{tenant.simulator.tenant.id}"
    document = tenant.client.get(f"{root}/v2.0/.well-known/openid-configuration").json
    assert document["token_endpoint"] == f"https://localhost{root}/oauth2/v2.0/token"
    assert document["issuer"] == f"https://localhost{root}/v2.0"
    keys = tenant.client.get(f"{root}/discovery/v2.0/keys").json["keys"]
    assert [(key["kty"], key["alg"], key["e"]) for key in keys] == [("RSA", "RS256", "AQAB")]
    found = tenant.client.get("/common/discovery/instance").json["tenant_discovery_endpoint"]
    assert found == f"https://localhost{root}/v2.0/.well-known/openid-configuration"
    unknown = tenant.client.get("/nobody/v2.0/.well-known/openid-configuration")
    assert unknown.status_code == 400 and unknown.json["error_codes"] == [90002]


def ask(tenant: Tenant, **form: str) -> Any:
    app = tenant.simulator.tenant.apps[0]
    known = {
        "grant_type": "client_credentials",
        "client_id": app.client_id,
        "client_secret": app.secret,
        "scope": GRAPH,
    }
    return tenant.client.post(f"/{tenant.simulator.tenant.id}/oauth2/v2.0/token", data={**known, **form})


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"scope": "https://graph.microsoft.com/User.Read"}, 400, "invalid_scope", 70011),
        ({"scope": f"{GRAPH} {DEFENDER}"}, 400, "invalid_scope", 70011),
        ({"scope": ""}, 400, "invalid_scope", 70011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_the_token_endpoint_says_why(tenant: Tenant, form: dict[str, str], status: int, error: str, code: int) -> None:
    answer = ask(tenant, **form)
    assert answer.status_code == status
    body = answer.json
    assert (body["error"], body["error_codes"]) == (error, [code])
    assert set(body) == {
        "error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri",
    }  # fmt: skip


def test_secrets_are_not_recorded(tenant: Tenant) -> None:
    ask(tenant)
    tenant.defender("GET", "/machines?$top=1&sig=abc&x=1")
    recorded = tenant.client.get("/_sim/requests").json["requests"]
    assert [entry["service"] for entry in recorded][:1] == ["entra"]
    text = json.dumps(recorded)
    assert tenant.simulator.tenant.apps[0].secret not in text and "eyJ" not in text and "sig=abc" not in text
    assert recorded[-1]["query"] == "$top=1&sig=***&x=1"


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: f"{route.method} {route.path}")
def test_every_endpoint_refuses_no_token_and_a_token_without_its_role(tenant: Tenant, route: Any) -> None:
    tenant.simulator.quotas.on = False
    path = (
        route.path.replace("<workspace>", tenant.simulator.tenant.workspace).replace("<machine>", "jump01")
        .replace("<action>", "a").replace("<key>", "1").replace("<name>", "x").replace("<function>", "f")
    )  # fmt: skip
    assert tenant.client.open(path, method=route.method).status_code == 401
    scope = {Service.GRAPH: GRAPH, Service.DEFENDER: DEFENDER, Service.LOG_ANALYTICS: ANALYTICS}[route.service]
    app = tenant.simulator.tenant.apps[0]
    audience = scope.removesuffix("/.default")
    claims = {
        "aud": audience, "exp": time.time() + 60, "appid": app.client_id, "app_displayname": app.name,
        "roles": ["Other.Role"],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {sign(tenant.simulator.tenant, claims)}"}
    assert tenant.client.open(path, method=route.method, headers=headers).status_code == 403


def test_the_readonly_app_hunts_but_does_not_touch(tenant: Tenant) -> None:
    assert tenant.graph("GET", "/incidents", app="ircase-readonly").status_code == 200
    answer = tenant.graph("PATCH", "/incidents/48211", app="ircase-readonly", json={"status": "resolved"})
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "Forbidden")
    answer = tenant.defender("GET", "/machines", app="ircase-readonly")
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "Forbidden")


def test_a_token_for_another_service_is_refused(tenant: Tenant) -> None:
    headers = tenant.token(GRAPH)
    answer = tenant.client.get("/api/machines", headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "Unauthorized")
    path = f"/v1/workspaces/{tenant.simulator.tenant.workspace}/query"
    answer = tenant.client.post(path, json={"query": "print 1"}, headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "InvalidAuthenticationTokenAudience")
    answer = tenant.client.get("/v1.0/security/incidents", headers=tenant.token(DEFENDER))
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_an_expired_token_is_refused(tenant: Tenant) -> None:
    tenant.fault(match="token", fault="token_life", seconds=0)
    headers = tenant.token(DEFENDER)
    answer = tenant.client.get("/api/machines", headers=headers)
    assert answer.status_code == 401 and "expired" in answer.json["error"]["message"]


def test_a_changed_token_is_refused(tenant: Tenant) -> None:
    token = tenant.token(GRAPH)["Authorization"].removeprefix("Bearer ")
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["roles"].append("Everything")
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenError) as caught:
        verify(tenant.simulator.tenant, f"{head}.{forged}.{signature}", NOW)
    assert caught.value.code == "signature"
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    with pytest.raises(TokenError):
        verify(tenant.simulator.tenant, f"{none}.{payload}.", NOW)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_any_text_as_a_token_is_refused(tenant: Tenant, text: str) -> None:
    with pytest.raises(TokenError):
        verify(tenant.simulator.tenant, text, NOW)


def test_unknown_paths_have_the_shape_of_their_service(tenant: Tenant) -> None:
    assert tenant.client.get("/v1.0/nothing").json["error"]["code"] == "NotFound"
    assert tenant.client.get("/api/nothing").json["error"]["target"]
    assert tenant.client.get("/v1/nothing").json["error"]["code"] == "PathNotFoundError"
    assert tenant.client.get("/blob/nothing").text.lstrip("\ufeff").startswith("<?xml")
    assert tenant.client.post("/v1.0/security/incidents").status_code == 405
