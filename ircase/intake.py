"""Reading a tenant's incidents into the inbox: what the worker does, by itself every few minutes or when asked."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db import DataError
from django.db.models import Q
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection, IncidentFeed
from ircase.services import connections, intake
from ircase.services.incident_facts import moment
from msapi.errors import ApiError
from msapi.graph import GraphSecurity
from msapi.incidents import Incident
from msapi.tokens import TokenProvider
from msapi.transport import Transport

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=3)
CLAIM_LASTS = timedelta(minutes=10)
LOOK_BACK = timedelta(days=30)
# Read again what changed shortly before the last reading, and everything once a day: an incident that is reopened, or
# written late, must not stay behind the cursor for ever.
OVERLAP = timedelta(minutes=10)
RECONCILE_EVERY = timedelta(days=1)
MOST_AT_ONCE = 500


def nudge() -> int:
    """Beat's tick: start a reading for every connection that is due; how many."""
    due = Connection.objects.filter(enabled=True).exclude(incident_feed__synced_at__gt=timezone.now() - EVERY)
    due = due.exclude(incident_feed__claimed_at__gt=timezone.now() - CLAIM_LASTS)
    ids = list(due.values_list("pk", flat=True))
    for pk in ids:
        jobs.send("ircase.sync_incidents", pk)
    return len(ids)


def claim(connection_id: int) -> IncidentFeed | None:
    """The feed, if nobody else reads it at the moment and the connection is still enabled."""
    if not Connection.objects.filter(pk=connection_id, enabled=True).exists():
        return None
    feed, _ = IncidentFeed.objects.get_or_create(connection_id=connection_id)
    now = timezone.now()
    free = IncidentFeed.objects.filter(pk=feed.pk).filter(Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LASTS))
    if free.update(claimed_at=now) != 1:
        return None
    return IncidentFeed.objects.select_related("connection").get(pk=feed.pk)


def sync(feed: IncidentFeed) -> int:
    """Read what changed since the watermark; the number of incidents read. A failure is kept on the feed, in words."""
    began = timezone.now()
    if feed.reconciled_at is None or began - feed.reconciled_at > RECONCILE_EVERY:
        feed.watermark, feed.reconciled_at = "", began
    read, problem = 0, ""
    try:
        for incident in islice(_incidents(feed.connection, _since(feed, began)), MOST_AT_ONCE):
            problem = _keep(feed, incident) or problem
            read += 1
            feed.watermark = _later(feed.watermark, incident.updated)
    except ApiError as error:
        logger.warning("intake.sync_failed", extra={"connection": feed.connection_id, "kind": type(error).__name__})
        problem = str(error)
    # A reading that was cut goes on with the next tick, exactly where it stopped.
    feed.synced_at = None if read == MOST_AT_ONCE else timezone.now()
    feed.claimed_at, feed.problem = None, problem
    feed.save(update_fields=["watermark", "claimed_at", "synced_at", "reconciled_at", "problem"])
    return read


def _keep(feed: IncidentFeed, incident: Incident) -> str:
    """Keep one; what is wrong with it, in a sentence, so that one broken incident does not hide the others."""
    try:
        intake.keep_incident(connection=feed.connection, incident=incident)
    except (RecursionError, ValueError, DataError) as error:
        logger.warning("intake.incident_unreadable", extra={"incident": incident.id, "kind": type(error).__name__})
        return f"Incident {incident.id[:64]} could not be read and is missing here; open it in the Defender portal."
    return ""


def _incidents(connection: Connection, since: datetime) -> Iterator[Incident]:
    endpoint = connections.endpoint(connection)
    transport = Transport(endpoint, TokenProvider(endpoint))
    try:
        yield from GraphSecurity(transport).incidents(top=50, since=_stamp(since), expand_alerts=True)
    finally:
        transport.close()


def _since(feed: IncidentFeed, now: datetime) -> datetime:
    last = moment(feed.watermark)
    if last is None:
        return now - LOOK_BACK
    return max(last - OVERLAP if feed.synced_at else last, now - LOOK_BACK)


def _later(watermark: str, updated: str) -> str:
    """The later of two of Graph's times, as it wrote them."""
    known, new = moment(watermark), moment(updated)
    return updated if new is not None and (known is None or new > known) else watermark


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
