"""Whose yes is waited for. Every list starts at the cases that the person may see."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone

from ircase import access
from ircase.models import Approval, Case, CaseMember, CaseRole, User


def _visible(user: User) -> QuerySet[Approval]:
    # Only the keys: the annotations of `visible_to` have no place in a subquery.
    cases = Case.objects.visible_to(user).values("pk")
    return Approval.objects.filter(case__in=cases).select_related("case", "requested_by", "decided_by")


def waiting_for(user: User) -> QuerySet[Approval]:
    """Asked by somebody else in a case that the person leads, open, and still in time; the most pressing first."""
    found = _visible(user).filter(state=Approval.State.REQUESTED, expires_at__gt=timezone.now())
    found = found.filter(case__members__user=user, case__members__role=CaseRole.LEAD).exclude(requested_by=user)
    return found.order_by("expires_at", "pk")


def mine(user: User) -> QuerySet[Approval]:
    """What the person asked for and nobody has decided yet, newest first."""
    return _visible(user).filter(requested_by=user, state=Approval.State.REQUESTED, expires_at__gt=timezone.now())


def decided(user: User) -> QuerySet[Approval]:
    """What was decided by the person, about their questions, or in cases that they lead; newest first. A question whose
    time is over is decided too, by nobody."""
    led = CaseMember.objects.filter(user=user, role=CaseRole.LEAD).values("case")
    over = ~Q(state=Approval.State.REQUESTED) | Q(expires_at__lte=timezone.now())
    ended = _visible(user).filter(over)
    return ended.filter(Q(decided_by=user) | Q(requested_by=user) | Q(case__in=led)).order_by("-decided_at", "-pk")


def find(user: User, uuid: UUID, needs: CaseRole) -> Approval:
    """The approval behind the door of its case; one of a case that they may not see is none, by the same query. Raises
    Http404 and PermissionDenied."""
    found = _visible(user).filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such approval.")
    found.case = access.get_case_of(user, found.case_id, needs)
    return found
