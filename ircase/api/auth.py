"""Who asks, by bearer token, and which case they may ask about."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from ninja.security import HttpBearer

from ircase import access
from ircase.addresses import address_of
from ircase.models import ApiToken, Case, CaseRole, Scope, User
from ircase.services.identity import people

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
        found = self._found(request, token)
        if found is None:
            return None
        _check_scope(found, self.scope_for(request.method or ""))
        request.user = found.user
        return found.user

    @staticmethod
    def _found(request: HttpRequest, text: str) -> ApiToken | None:
        """The token of that text, asked for once in a request."""
        if not hasattr(request, "api_token"):
            request.api_token = people.find_token(text, address_of(request))  # type: ignore[attr-defined]
        found: ApiToken | None = getattr(request, "api_token", None)
        return found


def _check_scope(token: ApiToken, needed: Scope) -> None:
    if needed not in token.scopes:
        raise ScopeMissing(
            f"This token lacks the scope {needed.value}; it has {', '.join(token.scopes)}. Make one that has it."
        )


def has_scope(request: HttpRequest, scope: Scope) -> bool:
    """Whether the token that asks has a scope beside the one that its operation names."""
    token: ApiToken | None = getattr(request, "api_token", None)
    return token is not None and scope in token.scopes


def require_scope(request: HttpRequest, needed: Scope) -> None:
    """For what reaches beyond the area of its operation. Raises ScopeMissing."""
    token: ApiToken | None = getattr(request, "api_token", None)
    if token is None:
        raise PermissionDenied("Send a bearer token.")
    _check_scope(token, needed)


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
