"""Who asks, by bearer token, and how often they may."""

import time
from typing import Any

from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from ninja import Router
from ninja.security import HttpBearer
from ninja.throttling import BaseThrottle

from ircase import access
from ircase.addresses import address_of
from ircase.models import Case, CaseRole, Scope, User
from ircase.services.identity import people

REQUESTS_PER_MINUTE = 600
_WINDOW = 60


READING = frozenset({"GET", "HEAD"})


class ScopeMissing(PermissionDenied):
    """The token is somebody's, and not for this."""


class TokenAuth(HttpBearer):
    """`Authorization: Bearer …` with a token that is neither revoked nor expired, of a person who is active.

    Each area of the API has its own: what only reads needs the scope `read`, the rest what the area is about."""

    openapi_description = "A token from your profile page, or from `manage.py create_api_token USER`."

    def __init__(self, changes: Scope = Scope.WRITE, reads: Scope = Scope.READ) -> None:
        super().__init__()
        self.changes, self.reads = changes, reads

    def scope_for(self, method: str) -> Scope:
        """The scope that an operation of this area needs."""
        return self.reads if method.upper() in READING else self.changes

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        found = people.find_token(token, address_of(request))
        if found is None:
            return None
        needed = self.scope_for(request.method or "")
        if needed not in found.scopes:
            raise ScopeMissing(
                f"This token lacks the scope {needed.value}; it has {', '.join(found.scopes)}. Make one that has it."
            )
        request.user = found.user
        request.api_token = found.pk  # type: ignore[attr-defined]
        return found.user


def name_scopes(router: Router, auth: TokenAuth) -> None:
    """Write into the description of each operation which scope it needs, as `x-scope`."""
    for view in router.path_operations.values():
        for operation in view.operations:
            scope = auth.scope_for(operation.methods[0])
            operation.openapi_extra = {**(operation.openapi_extra or {}), "x-scope": scope.value}


class PerToken(BaseThrottle):
    """A fixed window of a minute per token. The cache may be per process; the limit is against loops, not attackers."""

    def allow_request(self, request: HttpRequest) -> bool:
        token = getattr(request, "api_token", None)
        if token is None:
            return True
        key = f"api:{token}:{int(time.time()) // _WINDOW}"
        cache.add(key, 0, _WINDOW * 2)
        try:
            return cache.incr(key) <= REQUESTS_PER_MINUTE
        except ValueError:
            return True

    def wait(self) -> float:
        return _WINDOW - time.time() % _WINDOW


def person(request: HttpRequest) -> User:
    """The person whose token it is."""
    user: Any = getattr(request, "auth", None)
    if not isinstance(user, User):
        raise PermissionDenied("Send a bearer token.")
    return user


def case_of(request: HttpRequest, reference: str, needs: CaseRole = access.VIEWER) -> Case:
    """The case behind the door: 404 for outsiders, 403 below `needs`."""
    return access.get_case(person(request), reference, needs)


def open_case_of(request: HttpRequest, reference: str, needs: CaseRole = access.ANALYST) -> Case:
    """The same for what is written: a closed case is opened again first."""
    case = case_of(request, reference, needs)
    if not case.is_open:
        raise PermissionDenied("The case is closed. A lead can open it again.")
    return case
