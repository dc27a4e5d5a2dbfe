"""Sending statements outside: by https only, to the addresses of the settings, tried again, and given up aloud.

A host is resolved once and the connection goes to an address that was looked at. Addresses that are not of the public
internet are refused unless IRCASE_STATEMENT_PRIVATE_HOSTS names the host.
"""

import logging
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.utils import timezone

from ircase import jobs, outgoing
from ircase.models import StatementPost, User
from ircase.services import log
from ircase.services.vault import signing, statements

logger = logging.getLogger(__name__)
_SECONDS: Final = 15.0
_LEASE: Final = timedelta(minutes=5)
_FIRST_WAIT: Final = 60
_MOST_ATTEMPTS: Final = 12  # the waits double: the last try is two and a half days after the first


def send_due() -> int:
    """Send what waits; how many arrived."""
    return sum(_send(post) for post in _due()[:50])


def remind() -> None:
    """Beat's tick: have a worker send what is due."""
    if _due().exists():
        jobs.send("ircase.post_statements")


def again(*, post: StatementPost, actor: User) -> None:
    """Try a dead letter once more. Raises ValidationError where it is none."""
    changed = StatementPost.objects.filter(pk=post.pk).exclude(given_up_at=None)
    if not changed.update(given_up_at=None, attempts=0, next_at=timezone.now()):
        raise ValidationError("It is not given up: it waits for its next try, or has arrived.")
    log.record("statement.sent_again", actor=actor, number=post.statement.number, url=post.url)
    jobs.enqueue(statements.TASK)


def _due() -> QuerySet[StatementPost]:
    waiting = StatementPost.objects.filter(sent_at=None, given_up_at=None, next_at__lte=timezone.now())
    return waiting.select_related("statement__key").order_by("next_at", "pk")


def _send(post: StatementPost) -> bool:
    now = timezone.now()
    mine = StatementPost.objects.filter(pk=post.pk, attempts=post.attempts, sent_at=None)
    # Of two workers one wins; one that dies leaves it due again after the lease.
    if not mine.update(attempts=F("attempts") + 1, next_at=now + _LEASE):
        return False
    row = StatementPost.objects.filter(pk=post.pk)
    try:
        post_to(post.url, signing.canonical(statements.as_json(post.statement)))
    except outgoing.NotReached as error:
        attempts = post.attempts + 1
        wait = timedelta(seconds=_FIRST_WAIT * 2 ** min(attempts, 16))
        over = now if attempts >= _MOST_ATTEMPTS else None
        row.update(problem=str(error)[:300], next_at=now + wait, given_up_at=over)
        logger.warning("statement.not_sent", extra={"post": post.pk, "attempts": attempts, "given_up": bool(over)})
        return False
    row.update(sent_at=timezone.now(), problem="")
    return True


def post_to(url: str, body: bytes) -> None:
    """One POST of JSON. Raises NotReached for anything but a 2xx answer; redirects are not followed."""
    outgoing.post(url, body, outgoing.Rules(frozenset(settings.STATEMENT_PRIVATE_HOSTS), _SECONDS))
