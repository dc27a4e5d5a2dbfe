"""Who may do what to the collections that a team writes, as with every library of the team (ircase.libraries), and to
the script library of a tenant, which is for those who answer for others' work.
"""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from ircase.libraries import may_review, may_save, require_review
from ircase.models import Case, CaseMember, CaseRole, Connection, User

__all__ = [
    "get_connection",
    "may_keep_library",
    "may_review",
    "may_save",
    "require_keep_library",
    "require_review",
    "require_save",
]


def require_save(user: User) -> None:
    """Raises PermissionDenied."""
    if not may_save(user):
        raise PermissionDenied("Analysts and administrators write collections; you may read them.")


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
