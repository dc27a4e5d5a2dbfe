"""Requests that may come twice and are done once: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from ircase import secrets
from ircase.models import ApiToken, KeptReply

KEPT: Final = timedelta(hours=24)
# After this long a request that was never answered is taken to have died; nobody knows how far it came.
DEAD: Final = timedelta(minutes=10)
MOST_CHARACTERS: Final = 4 * 2**20


def begin(*, token: ApiToken, key: str, fingerprint: str) -> tuple[KeptReply, bool]:
    """The row of that key, and whether it was made just now: then the request is the caller's to do.

    Of two at once, one makes it: the unique index decides. A key that is older than a day is a new one."""
    now = timezone.now()
    KeptReply.objects.filter(token=token, key=key, created_at__lt=now - KEPT).delete()
    while True:
        try:
            with transaction.atomic():
                return KeptReply.objects.create(token=token, key=key, fingerprint=fingerprint, created_at=now), True
        except IntegrityError:
            if found := KeptReply.objects.filter(token=token, key=key).first():
                return found, False
        # The other one failed in between and gave the key back.


def keep(*, reply: KeptReply, status: int, headers: dict[str, str], body: str) -> None:
    """The request was done, and this was the answer. One that is too long is remembered without its body."""
    whole = len(body) <= MOST_CHARACTERS
    reply.status, reply.headers = status, headers if whole else {**headers, "cut": "1"}
    reply.body = secrets.encrypt(body) if whole else ""
    reply.save(update_fields=["status", "headers", "body"])


def body_of(reply: KeptReply) -> str:
    return secrets.decrypt(reply.body)


def forget(*, reply: KeptReply) -> None:
    """The request was not done; whoever sends it again, corrected or not, may use the key."""
    reply.delete()


def seems_dead(reply: KeptReply) -> bool:
    return reply.status is None and timezone.now() - reply.created_at > DEAD


def tidy() -> int:
    """Beat's tick: what is older than a day goes. How many went."""
    return KeptReply.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
