"""Who may do what on the cluster: a token for its audience, then a role on the database.

Roles are given on the cluster, not in Entra: https://learn.microsoft.com/kusto/access-control/role-based-access-control
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from simulator.http import ApiFault, Call
from simulator.kusto.errors import fault
from simulator.tokens import TokenError, verify

RESOURCE = "https://kusto.kusto.windows.net"
TELEMETRY, CASES = "Telemetry", "Cases"
DATABASES = (CASES, TELEMETRY)
_ADMIN, _VIEWER = "admin", "viewer"
_ROLES: dict[str, dict[str, str]] = {
    "ircase": {TELEMETRY: _VIEWER, CASES: _ADMIN},
    "ircase-readonly": {TELEMETRY: _VIEWER},
}


@dataclass(frozen=True)
class Principal:
    """Who asks, with a role by database."""

    name: str
    client_id: str
    roles: dict[str, str]

    def require(self, database: str, *, admin: bool = False) -> str:
        """The database's name in its own spelling; ApiFault 400 for none, 403 without the right."""
        found = next((name for name in DATABASES if name.lower() == database.lower()), None)
        if found is None:
            text = f"Entity ID '{database[:80]}' of kind 'Database' was not found."
            raise fault(400, "BadRequest_EntityNotFound", text)
        role = self.roles.get(found)
        if role is None or (admin and role != _ADMIN):
            what = "alter or ingest into" if admin else "read"
            text = f"Principal 'aadapp={self.client_id}' is not authorized to {what} database '{found}'."
            raise fault(403, "Forbidden", text, kind="UnauthorizedDatabaseAccessException")
        return found


def principal(call: Call) -> Principal:
    """The principal of the request's token; ApiFault 401, whose body is empty as a cluster's, without a good one."""
    scheme, _, token = call.request.headers.get("Authorization", "").partition(" ")
    try:
        grant = verify(call.simulator.tenant, token.strip(), datetime.now(UTC))
    except TokenError as error:
        raise _unauthorised() from error
    if scheme.lower() != "bearer" or grant.audience != RESOURCE:
        raise _unauthorised()
    return Principal(grant.app_name, grant.client_id, _ROLES.get(grant.app_name, {}))


def _unauthorised() -> ApiFault:
    return ApiFault(401, "Unauthorized", "", raw=("text/plain", ""), headers={"WWW-Authenticate": "Bearer"})
