"""Who may do what to the library of hunts and packs: as with every library of the team (ircase.libraries)."""

from django.core.exceptions import PermissionDenied

from ircase.libraries import may_review, may_save, require_review
from ircase.models import User

__all__ = ["may_review", "may_save", "require_review", "require_save"]


def require_save(user: User) -> None:
    """Raises PermissionDenied."""
    if not may_save(user):
        raise PermissionDenied("Analysts and administrators write the library; you may read it.")
