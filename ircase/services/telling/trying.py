"""A message that a person sends to themselves, to see whether a channel reaches them."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from ircase import jobs, secrets
from ircase.models import Channel, NoticeSettings, User
from ircase.outgoing import NotReached
from ircase.services.telling import choosing, outbox, payload, sending
from ircase.telling.words import Word, absolute

WAITS = "waits"
ARRIVED = "arrived"
PATIENCE = timedelta(minutes=2)


@transaction.atomic
def ask(*, person: User, channel: Channel) -> None:
    """Have a worker try. Raises ValidationError where there is no address to try."""
    row = NoticeSettings.objects.select_for_update().filter(person=person).first() or choosing.of(person)
    if not outbox.can_be_told(person, row, channel):
        problem = (
            choosing.mail_problem(person, row) if channel == Channel.MAIL else "Save the address of a workflow first."
        )
        raise ValidationError(problem)
    _note(row, channel, WAITS)
    jobs.enqueue("ircase.try_channel", person.pk, channel.value)


def send(person: User, channel: str) -> None:
    """What the worker does. How it ended stands on the person's page."""
    row = NoticeSettings.objects.filter(person=person).first()
    if row is None or row.tried.get(channel, {}).get("state") != WAITS:
        return
    word = Word("test", "Test", timezone.now(), "IRCase", "This is a test that you asked for",
                absolute(reverse("ircase:notifications")))  # fmt: skip
    try:
        if not outbox.can_be_told(person, row, channel):
            raise NotReached("There is no address any more.")
        if channel == Channel.MAIL:
            sending.send_mail(person.email, person.name, [word], f"test-{person.pk}-{timezone.now():%Y%m%d%H%M%S}")
        else:
            sending.post(secrets.decrypt(row.teams_encrypted), payload.card([word]), {})
    except NotReached as error:
        _note(row, channel, str(error))
    else:
        _note(row, channel, ARRIVED)


def is_waited_for(row: NoticeSettings) -> bool:
    """Whether a test may still end: a worker that died with one does not say so."""
    asked = [one["at"] for one in row.tried.values() if one.get("state") == WAITS]
    return any(timezone.now() - datetime.fromisoformat(at) < PATIENCE for at in asked)


def _note(row: NoticeSettings, channel: str, state: str) -> None:
    entry: dict[str, Any] = {"state": state, "at": timezone.now().isoformat()}
    row.tried = {**row.tried, channel: entry}
    if row.pk is None:
        row.save()
    else:
        row.save(update_fields=["tried"])
