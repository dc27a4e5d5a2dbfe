"""SAS-like download links: they expire, are signed, and are used without a bearer token.

https://learn.microsoft.com/rest/api/storageservices/create-service-sas
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, timedelta
from urllib.parse import quote

from simulator.clock import parse_iso
from simulator.http import ApiFault, Call

LIFE_SECONDS = 1800.0


def _signature(secret: str, path: str, expires: str, advanced: str) -> str:
    return hmac.new(secret.encode(), f"{path}\n{expires}\n{advanced}".encode(), hashlib.sha256).hexdigest()


def make(call: Call, path: str) -> str:
    """A link to a blob that lives 30 simulated minutes; `ses` carries how far the clock had been pushed."""
    clock = call.simulator.clock
    expires_at = clock.wall() + timedelta(seconds=clock.real_seconds(LIFE_SECONDS) + 1)
    expires = expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    advanced = repr(clock.advanced)
    signature = _signature(call.simulator.tenant.link_secret, path, expires, advanced)
    base = call.simulator.base_url(call.request)
    return f"{base}{path}?se={quote(expires)}&sp=r&sv=2019-07-07&sr=b&ses={quote(advanced)}&sig={signature}"


def check(call: Call) -> None:
    """ApiFault 403 unless the request carries a valid, living link and no bearer token."""
    request, simulator = call.request, call.simulator
    if "Authorization" in request.headers:
        raise ApiFault(
            403, "InvalidAuthenticationInfo", "Authentication information is not given in the correct format."
        )
    expires, advanced = request.args.get("se", ""), request.args.get("ses", "")
    signature = _signature(simulator.tenant.link_secret, request.path, expires, advanced)
    if not hmac.compare_digest(signature.encode(), request.args.get("sig", "").encode("utf-8", "replace")):
        raise ApiFault(
            403, "AuthenticationFailed", "Server failed to authenticate the request. Signature did not match."
        )
    pushed = (simulator.clock.advanced - float(advanced)) / simulator.clock.speed
    if "expired_link" in call.faults or simulator.clock.wall() + timedelta(seconds=pushed) > parse_iso(expires):
        raise ApiFault(
            403, "AuthenticationFailed", "Server failed to authenticate the request. Signed expiry time is over."
        )
