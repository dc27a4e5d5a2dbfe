"""Who looked at a case: noted at most once for a person, a case and an hour, in a chain of its own."""

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from ircase.models import Case, CaseLook, User
from ircase.services import log

CHAIN = "looks"
_HOUR = 3600


def note(*, reference: str, user: User) -> bool:
    """Note a look that has just been allowed; whether it is the first of the hour. The memory of this process spares
    the database what is known already; the constraint decides between processes."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    if not cache.add(f"look:{user.pk}:{reference}:{hour.isoformat()}", 1, _HOUR):
        return False
    seen = CaseLook.objects.filter(case=OuterRef("pk"), actor=user, hour=hour)
    case = Case.objects.filter(~Exists(seen), reference=reference).only("pk", "reference").first()
    if case is None:
        return False
    try:
        with transaction.atomic():
            entry = CaseLook(case=case, actor=user, hour=hour)
            log.link(entry, CHAIN, "case.viewed", user, {"case": case.reference})
    except IntegrityError:
        return False
    return True
