"""Who may call: the bearer token of each service, and the role each endpoint asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from werkzeug.wrappers import Request

from simulator.http import ApiFault, Route
from simulator.tenant import AUDIENCES, Service, Tenant
from simulator.tokens import Grant, TokenError, verify


def authorise(tenant: Tenant, route: Route, request: Request) -> Grant | None:
    """The grant of the request's token, checked for audience and role; None where the route needs none.

    Raises ApiFault 401 or 403 with the code of the route's service. Tokens live by the real clock.
    """
    if not route.roles:
        return None
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorised(route.service, "missing")
    try:
        grant = verify(tenant, token.strip(), datetime.now(UTC))
    except TokenError as error:
        raise _unauthorised(route.service, error.code) from error
    if AUDIENCES.get(grant.audience) is not route.service:
        raise _unauthorised(route.service, "audience")
    if not grant.roles & set(route.roles):
        raise _forbidden(route)
    return grant


def _unauthorised(service: Service, reason: str) -> ApiFault:
    texts = {
        "missing": "Access token is empty.",
        "expired": "Lifetime validation failed, the token is expired.",
        "signature": "The token's signature is not valid.",
        "malformed": "The token is not a JSON web token of this tenant.",
        "audience": "Access token validation failure. Invalid audience.",
    }
    if service is Service.GRAPH:
        return ApiFault(401, "InvalidAuthenticationToken", texts[reason])
    if service is Service.LOG_ANALYTICS:
        if reason == "missing":
            return ApiFault(
                401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        code = "InvalidAuthenticationTokenAudience" if reason == "audience" else "InvalidAuthenticationToken"
        return ApiFault(403, code, texts[reason])
    return ApiFault(401, "Unauthorized", texts[reason])


def _forbidden(route: Route) -> ApiFault:
    needed = ", ".join(route.roles)
    if route.service is Service.LOG_ANALYTICS:
        text = "The provided credentials have insufficient access to perform the requested operation"
        return ApiFault(403, "InsufficientAccessError", text)
    text = (
        f"The application does not have any of the required application permissions ({needed}) to access the resource."
    )
    return ApiFault(403, "Forbidden", text)
