"""Who may do what. One door per object: nothing reaches a case but through `get_case`."""

import uuid
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest

from ircase.models import Case, CaseMember, CaseRole, User

VIEWER: Final = CaseRole.VIEWER
ANALYST: Final = CaseRole.ANALYST
LEAD: Final = CaseRole.LEAD


def get_case(user: User | AnonymousUser, reference: str, needs: CaseRole = VIEWER) -> Case:
    """The case, with `my_role` on it.

    Raises Http404 where the user may not know of it, by the same query as for a reference that does not exist, and
    PermissionDenied where they may read it but not do what needs `needs`.
    """
    case = Case.objects.visible_to(user).select_related("connection").filter(reference=reference).first()
    if case is None:
        raise Http404("No such case.")
    require(case, needs)
    return case


def get_case_of(user: User, case_id: int, needs: CaseRole = VIEWER) -> Case:
    """The same door by primary key, for workers that re-check a person's right before they act."""
    case = Case.objects.visible_to(user).select_related("connection").filter(pk=case_id).first()
    if case is None:
        raise Http404("No such case.")
    require(case, needs)
    return case


def require(case: Case, needs: CaseRole) -> None:
    """Raise PermissionDenied unless `case.my_role` includes `needs`."""
    if not CaseRole.at_least(case.my_role, needs):
        raise PermissionDenied(
            f"This needs the role {needs.label} on the case; yours is {CaseRole(case.my_role).label}."
        )


def may(case: Case, needs: CaseRole) -> bool:
    return CaseRole.at_least(case.my_role, needs)


def still_may(user: User, case: Case, needs: CaseRole) -> bool:
    """Whether `user` has `needs` on `case` at this moment: what a worker asks before it acts for them."""
    if not user.is_active:
        return False
    role = CaseMember.objects.filter(case=case, user=user).values_list("role", flat=True).first()
    if role is None:
        role = CaseRole.VIEWER if user.reads_ordinary_cases and not case.confidential else ""
    return CaseRole.at_least(role, needs)


def people_who_see(case: Case) -> QuerySet[User]:
    """Everybody with an account in use who may see `case`: for whom `Case.objects.visible_to` has it."""
    member = Exists(CaseMember.objects.filter(case=case, user=OuterRef("pk")))
    reads = Q(site_role__in=(User.SiteRole.ANALYST, User.SiteRole.MANAGER))
    return User.objects.filter(member if case.confidential else member | reads, is_active=True)


def current_user(request: HttpRequest) -> User:
    """The signed-in person behind a view that `login_required` guards."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return request.user


def require_administrator(user: User) -> None:
    if not (user.is_active and user.administers):
        raise PermissionDenied("This page is for administrators.")


def parse_uuid(text: str) -> uuid.UUID:
    """A UUID from outside; Http404 for anything else, as for one that does not exist."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404("No such object.") from None
