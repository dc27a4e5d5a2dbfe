"""What an administrator sees of the deliveries: that something was to go to somebody, not what it said."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from ircase import jobs
from ircase.models import Case, Delivery, User
from ircase.services import log
from ircase.services.telling import outbox


def listed(administrator: User, state: str = "") -> QuerySet[Delivery]:
    """Newest first. `seen` says of each whether the administrator may see its case; of the others neither the case nor
    the title may be shown."""
    seen = Exists(Case.objects.visible_to(administrator).filter(pk=OuterRef("case")))
    found = Delivery.objects.annotate(seen=seen).select_related("person", "hook", "case")
    return found.filter(state=state) if state in Delivery.State.values else found


@transaction.atomic
def again(*, delivery: Delivery, actor: User) -> None:
    """Try a dead letter from the beginning. Raises ValidationError where it is none."""
    dead = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.DEAD)
    if not dead.update(state=Delivery.State.WAITING, attempts=0, next_at=timezone.now(), ended_at=None, owner=""):
        raise ValidationError("It is not given up: it waits for its next try, has arrived, or was not to be sent.")
    log.record("delivery.again", actor=actor, delivery=str(delivery.uuid), channel=delivery.channel)
    jobs.enqueue(outbox.TASK)


def mail_words() -> str:
    """Where mail goes, for the page."""
    if not settings.EMAIL_HOST:
        return "No mail is sent: IRCASE_SMTP_HOST is not set."
    return f"Mail goes by {settings.EMAIL_HOST}:{settings.EMAIL_PORT}, from {settings.DEFAULT_FROM_EMAIL}."
