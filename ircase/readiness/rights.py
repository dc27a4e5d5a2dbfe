"""Who reads the readiness of a connection, and who keeps it."""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from ircase.models import Connection, ReadinessPlan, User


def require_reader(user: User) -> None:
    """Raise PermissionDenied for guests: whom to call and what is lacking is for the team."""
    if not (user.is_active and (user.reads_ordinary_cases or user.administers)):
        raise PermissionDenied("This page is for the team: analysts, managers and administrators.")


def get_connection(user: User, pk: int) -> Connection:
    """A connection for a reader. Raises PermissionDenied, Http404."""
    require_reader(user)
    found = Connection.objects.filter(pk=pk).first()
    if found is None:
        raise Http404("No such connection.")
    return found


def may_keep(user: User, plan: ReadinessPlan | None) -> bool:
    """Administrators, and the plan's owner."""
    return user.is_active and (user.administers or (plan is not None and plan.owner_id == user.pk))


def require_keeper(user: User, connection: Connection) -> ReadinessPlan | None:
    """The connection's plan, if any. Raises PermissionDenied."""
    plan = ReadinessPlan.objects.filter(connection=connection).select_related("owner", "case").first()
    if not may_keep(user, plan):
        raise PermissionDenied("The owner of this connection's readiness does this, or an administrator.")
    return plan
