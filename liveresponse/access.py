"""Who may do what to the collections that a team writes, and to the script library of a tenant.

The words are those of the hunts' library: whoever writes cases may save a draft; approving, retiring and the tenant's
library are for those who answer for others' work.
"""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from ircase.models import Case, CaseMember, CaseRole, Connection, User


def may_save(user: User) -> bool:
    """Analysts and administrators."""
    return user.is_active and (user.opens_cases or user.administers)


def may_review(user: User) -> bool:
    """Whoever leads a case, and administrators."""
    if not may_save(user):
        return False
    return user.administers or CaseMember.objects.filter(user=user, role=CaseRole.LEAD).exists()


def require_save(user: User) -> None:
    """Raises PermissionDenied."""
    if not may_save(user):
        raise PermissionDenied("Analysts and administrators write collections; you may read them.")


def require_review(user: User) -> None:
    """Raises PermissionDenied."""
    if not may_review(user):
        raise PermissionDenied("This needs somebody who leads a case, or an administrator.")


def get_connection(user: User, pk: int) -> Connection:
    """A connection whose script library the person may read: administrators, and whoever sees a case on it.

    Raises Http404, the same for one that does not exist.
    """
    found = Connection.objects.filter(pk=pk).first()
    if found is None or not (user.administers or Case.objects.visible_to(user).filter(connection=found).exists()):
        raise Http404("No such connection.")
    return found


def may_keep_library(user: User, connection: Connection) -> bool:
    """Whether the person may upload to the tenant's library and delete from it: administrators, and who leads an open
    case on the connection."""
    if not user.is_active:
        return False
    leads = CaseMember.objects.filter(user=user, role=CaseRole.LEAD, case__connection=connection, case__closed_at=None)
    return user.administers or leads.exists()


def require_keep_library(user: User, connection: Connection) -> None:
    """Raises PermissionDenied."""
    if not may_keep_library(user, connection):
        raise PermissionDenied("This needs an administrator, or somebody who leads an open case on this connection.")
