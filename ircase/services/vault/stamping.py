"""Having statements stamped by a time-stamping authority: by the worker, tried again, and given up aloud.

What is not verified is not kept: a statement without a stamp is worth what it was, one with a wrong stamp would be
worth less. The address is the settings', so it may lie on the house's own network.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.utils import timezone

from ircase import jobs, outgoing
from ircase.models import StatedHead, Statement, StatementStamp, User
from ircase.services import log
from ircase.services.vault import stamps

logger = logging.getLogger(__name__)

TASK: Final = "ircase.stamp_statements"
_LEASE: Final = timedelta(minutes=5)
_FIRST_WAIT: Final = 60
_MOST_ATTEMPTS: Final = 12  # the waits double: the last try is two and a half days after the first
_HEADERS: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


def begin(statement: Statement) -> None:
    """The statement is to be stamped, where the settings name an authority. In the transaction that makes it."""
    if settings.TSA_URL:
        StatementStamp.objects.create(statement=statement)
        jobs.enqueue(TASK)


def stamp_due() -> int:
    """Have stamped what waits; how many have their stamp now."""
    return sum(_stamp(row) for row in _due()[:20])


def remind() -> None:
    """Beat's tick: have a worker ask for what is due."""
    if _due().exists():
        jobs.send("ircase.stamp_statements")


def again(*, stamp: StatementStamp, actor: User) -> None:
    """Ask once more for one that was given up. Raises ValidationError where it was not."""
    changed = StatementStamp.objects.filter(pk=stamp.pk).exclude(given_up_at=None)
    if not changed.update(given_up_at=None, attempts=0, next_at=timezone.now()):
        raise ValidationError("It is not given up: it waits for its next try, or is stamped.")
    log.record("statement.stamp_asked_again", actor=actor, number=stamp.statement.number)
    jobs.enqueue(TASK)


def _due() -> QuerySet[StatementStamp]:
    if not settings.TSA_URL:
        return StatementStamp.objects.none()
    waiting = StatementStamp.objects.filter(at=None, given_up_at=None, next_at__lte=timezone.now())
    return waiting.select_related("statement").order_by("next_at", "pk")


def _stamp(row: StatementStamp) -> bool:
    now = timezone.now()
    mine = StatementStamp.objects.filter(pk=row.pk, attempts=row.attempts, at=None)
    # Of two workers one wins; one that dies leaves it due again after the lease.
    if not mine.update(attempts=F("attempts") + 1, next_at=now + _LEASE):
        return False
    try:
        answer, stamp = _asked(row.statement)
    except (outgoing.NotReached, stamps.BadStamp, stamps.BadAuthorities) as error:
        _postpone(row, error)
        return False
    facts = {"at": stamp.at, "authority": stamp.authority, "serial": stamp.serial, "policy": stamp.policy}
    kept = StatementStamp.objects.filter(pk=row.pk, at=None)
    kept.update(answer=answer, url=settings.TSA_URL[:500], problem="", **facts)
    logger.info("statement.stamped", extra={"number": row.statement.number, "authority": stamp.authority})
    return True


def _asked(statement: Statement) -> tuple[bytes, stamps.Stamp]:
    """The authority's answer and what it says. Raises NotReached, BadStamp, BadAuthorities."""
    authorities = stamps.authorities_of(settings.TSA_CA_FILE)
    digest = stamps.digest_of(statement.body)
    asked = stamps.question(digest, policy=settings.TSA_POLICY, now=timezone.now())
    answer = outgoing.ask(settings.TSA_URL, asked.query, _rules())
    return answer, stamps.checked(answer, asked, authorities, timezone.now())


def _rules() -> outgoing.Rules:
    host = (urlsplit(settings.TSA_URL).hostname or "").lower()
    pem = stamps.pem_of(settings.TSA_CA_FILE)
    return outgoing.Rules(frozenset({host}), settings.TSA_SECONDS, _HEADERS, plain_http=True, ca_pem=pem)


def _postpone(row: StatementStamp, error: Exception) -> None:
    now, attempts = timezone.now(), row.attempts + 1
    wait = timedelta(seconds=max(_FIRST_WAIT * 2 ** min(attempts, 16), getattr(error, "wait", 0.0)))
    over = now if attempts >= _MOST_ATTEMPTS else None
    changes = {"problem": str(error)[:300], "next_at": now + wait, "given_up_at": over}
    StatementStamp.objects.filter(pk=row.pk).update(**changes)
    facts = {"number": row.statement.number, "attempts": attempts, "given_up": bool(over), "problem": str(error)[:300]}
    logger.warning("statement.not_stamped", extra=facts)


# --- reading ---------------------------------------------------------------------------------------------------------
def stamped() -> QuerySet[StatementStamp]:
    """Stamps that were given, the newest statement's first."""
    return StatementStamp.objects.exclude(at=None).select_related("statement").order_by("-statement__number")


def of(statement: Statement) -> StatementStamp | None:
    """The stamp that a statement has, where it has one."""
    row = getattr(statement, "stamp", None)
    return row if row is not None and row.is_stamped else None


def as_json(statement: Statement) -> dict[str, Any] | None:
    """The stamp of a statement for those who read its file; None where it has none."""
    row = of(statement)
    if row is None or row.at is None:
        return None
    return {
        "at": row.at.isoformat(timespec="seconds"),
        "authority": row.authority,
        "serial": row.serial,
        "policy": row.policy,
        "answer": bytes(row.answer or b"").hex(),
    }


@dataclass(frozen=True)
class Reach:
    """Up to which entry of a chain a time-stamping authority vouches for it."""

    stamp: StatementStamp
    sequence: int


def reach_of(chain: str) -> Reach | None:
    """The oldest stamp that covers the most of a chain; None where none covers any of it."""
    newest = stamped().values_list("statement__number", flat=True).first()
    heads = StatedHead.objects.filter(chain=chain, statement__number__lte=newest or 0)
    head = heads.order_by("-statement__number").values_list("sequence", "statement__number").first()
    if head is None:
        return None
    # A statement holds what those before it held: the first stamp after it says the earliest time.
    row = stamped().filter(statement__number__gte=head[1]).order_by("statement__number").defer("answer").first()
    return Reach(row, head[0]) if row else None
