"""Who may do what to what a team keeps together: its hunts, its packs, its collections. Who is signed in may read it.

Saving makes a draft, so that whoever writes cases may do it. What makes a thing the team's own (approving, retiring,
importing in bulk) is for those who answer for others' work: leads of a case, and administrators, whose libraries are.
"""

from django.core.exceptions import PermissionDenied

from ircase.models import CaseMember, CaseRole, User


def may_save(user: User) -> bool:
    """Analysts and administrators."""
    return user.is_active and (user.opens_cases or user.administers)


def may_review(user: User) -> bool:
    """Whoever leads a case, and administrators."""
    if not may_save(user):
        return False
    return user.administers or CaseMember.objects.filter(user=user, role=CaseRole.LEAD).exists()


def require_review(user: User) -> None:
    """Raises PermissionDenied."""
    if not may_review(user):
        raise PermissionDenied("This needs somebody who leads a case, or an administrator.")
