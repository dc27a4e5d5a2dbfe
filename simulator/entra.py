"""Entra ID: discovery, keys, the login page, and the token endpoint for client credentials and for people's codes."""

from __future__ import annotations

import hmac
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Response

from simulator import people
from simulator.http import Call, Route, json_response
from simulator.tenant import RESOURCES, App, Service, Tenant
from simulator.tokens import LIFETIME_SECONDS, jwks, sign

# AADSTS numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_DEFAULT_SCOPE = "/.default"


def _error(status: int, error: str, number: int, text: str) -> Response:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    description = f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
    body = {
        "error": error, "error_description": description, "error_codes": [number], "timestamp": now,
        "trace_id": trace, "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }  # fmt: skip
    return json_response(body, status)


def _unknown_tenant(name: str) -> Response:
    return _error(400, "invalid_request", 90002, f"Tenant '{name[:64]}' not found.")


def _knows(call: Call) -> bool:
    return call.params["tenant"] in {call.simulator.tenant.id, "common", "organizations"}


def discovery(call: Call) -> Response:
    """The OpenID configuration."""
    if not _knows(call):
        return _unknown_tenant(call.params["tenant"])
    base, tenant = call.simulator.base_url(call.request), call.simulator.tenant.id
    root = f"{base}/{tenant}"
    return json_response(
        {
            "issuer": f"{root}/v2.0",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "scopes_supported": ["openid"],
            "tenant_region_scope": "EU",
        }
    )


def keys(call: Call) -> Response:
    """The signing keys."""
    return json_response(jwks(call.simulator.tenant)) if _knows(call) else _unknown_tenant(call.params["tenant"])


def instance(call: Call) -> Response:
    """Instance discovery, as msal asks for it when it does not know the host."""
    base, tenant = call.simulator.base_url(call.request), call.simulator.tenant.id
    return json_response(
        {
            "tenant_discovery_endpoint": f"{base}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [],
        }
    )


def token(call: Call) -> Response:
    """The token endpoint."""
    form = call.request.form
    if not _knows(call):
        return _unknown_tenant(call.params["tenant"])
    if form.get("grant_type") not in ("client_credentials", "authorization_code"):
        text = "The app requested an unsupported grant type; the simulator knows client_credentials and codes."
        return _error(400, "unsupported_grant_type", 70003, text)
    app = call.simulator.tenant.app(form.get("client_id", ""))
    refusal = _refuse_app(app, form.get("client_secret", ""))
    if refusal is not None or app is None:
        return refusal or _error(400, "unauthorized_client", 700016, "Application not found.")
    if form.get("grant_type") == "authorization_code":
        found = people.redeem(call, app.client_id)
        return json_response(found) if isinstance(found, dict) else _error(400, "invalid_grant", *found)
    return _grant(call, app, form.get("scope", ""))


def _refuse_app(app: App | None, secret: str) -> Response | None:
    if app is None:
        text = "Application with that identifier was not found in the directory of this tenant."
        return _error(400, "unauthorized_client", 700016, text)
    if not hmac.compare_digest(app.secret.encode(), secret.encode()):
        text = f"Invalid client secret provided for app '{app.client_id}'."
        return _error(401, "invalid_client", 7000215, text)
    if app.secret_expired:
        return _error(
            401, "invalid_client", 7000222, f"The provided client secret keys for app '{app.client_id}' are expired."
        )
    return None


def _grant(call: Call, app: App, scope: str) -> Response:
    scopes = scope.split()
    resource = scopes[0].removesuffix(_DEFAULT_SCOPE) if len(scopes) == 1 else ""
    known = RESOURCES.get(resource.rstrip("/")) if scope.endswith(_DEFAULT_SCOPE) else None
    if known is None:
        text = f"The provided value for the input parameter 'scope' is not valid. The scope {scope[:200]} is not valid."
        return _error(400, "invalid_scope", 70011, text)
    if not app.consented:
        text = f"The administrator has not consented to use the application with ID '{app.client_id}'."
        return _error(400, "invalid_grant", 65001, text)
    audience, service = known
    life = int(call.faults.get("token_life", {}).get("seconds", LIFETIME_SECONDS))
    tenant = call.simulator.tenant
    issuer = f"{call.simulator.base_url(call.request)}/{tenant.id}/v2.0"
    body = {
        "token_type": "Bearer",
        "expires_in": life,
        "ext_expires_in": life,
        "access_token": sign(tenant, _claims(tenant, app, audience, issuer, app.roles.get(service, ()), life)),
    }
    return json_response(body, headers={"Cache-Control": "no-store"})


def _claims(tenant: Tenant, app: App, audience: str, issuer: str, roles: tuple[str, ...], life: int) -> dict[str, Any]:
    now = int(time.time())
    return {
        "aud": audience, "iss": issuer, "iat": now, "nbf": now, "exp": now + life, "appid": app.client_id,
        "azp": app.client_id, "app_displayname": app.name, "idtyp": "app", "oid": str(uuid.UUID(app.client_id)),
        "sub": app.client_id, "tid": tenant.id, "ver": "2.0", "roles": list(roles), "uti": uuid.uuid4().hex[:22],
    }  # fmt: skip


ROUTES = (
    Route("GET", "/<tenant>/v2.0/.well-known/openid-configuration", discovery, Service.ENTRA),
    Route("GET", "/<tenant>/.well-known/openid-configuration", discovery, Service.ENTRA),
    Route("GET", "/<tenant>/discovery/v2.0/keys", keys, Service.ENTRA),
    Route("GET", "/common/discovery/instance", instance, Service.ENTRA),
    Route("POST", "/<tenant>/oauth2/v2.0/token", token, Service.ENTRA),
    Route("GET", "/<tenant>/oauth2/v2.0/authorize", people.authorize, Service.ENTRA),
    Route("POST", "/<tenant>/oauth2/v2.0/authorize", people.authorize, Service.ENTRA),
    Route("GET", "/<tenant>/oauth2/v2.0/logout", people.logout, Service.ENTRA),
)
