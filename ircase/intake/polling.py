"""Reading a tenant's incidents into the inbox: what the worker does, by itself every few minutes or when asked."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db import DataError
from django.db.models import Q
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection, IncidentFeed, IncomingIncident
from ircase.models.intake import ENDED
from ircase.services import connections
from ircase.services.incidents import incidentkeeping
from ircase.services.incidents.incident_facts import moment
from msapi.errors import ApiError, InvalidParameter, NotFound
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
PAGE = 50
MOST_LOST = 20


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
        with _graph(feed.connection) as graph:
            listing = graph.incidents(top=PAGE, since=_stamp(_since(feed, began)), expand_alerts=True)
            for incident in islice(listing, MOST_AT_ONCE):
                problem = _keep(feed, incident) or problem
                read += 1
                feed.watermark = _later(feed.watermark, incident.updated)
                if read % PAGE == 0 and not _still_ours(feed):
                    return read
            if read < MOST_AT_ONCE:
                problem = _look_for_lost(feed, graph, began) or problem
    except ApiError as error:
        logger.warning("intake.sync_failed", extra={"connection": feed.connection_id, "kind": type(error).__name__})
        problem = str(error)
    # A reading that was cut goes on with the next tick, exactly where it stopped.
    feed.synced_at = None if read == MOST_AT_ONCE else timezone.now()
    _give_back(feed, problem)
    return read


def _still_ours(feed: IncidentFeed) -> bool:
    """Renew the claim, and keep how far the reading came: a worker that is killed loses a page at most."""
    now = timezone.now()
    mine = IncidentFeed.objects.filter(pk=feed.pk, claimed_at=feed.claimed_at)
    if mine.update(claimed_at=now, watermark=feed.watermark, reconciled_at=feed.reconciled_at) != 1:
        logger.warning("intake.claim_lost", extra={"connection": feed.connection_id})
        return False
    feed.claimed_at = now
    return True


def _give_back(feed: IncidentFeed, problem: str) -> None:
    """What was found, unless another worker has taken the feed over: then it is that one's to say."""
    mine = IncidentFeed.objects.filter(pk=feed.pk, claimed_at=feed.claimed_at)
    mine.update(
        claimed_at=None,
        watermark=feed.watermark,
        synced_at=feed.synced_at,
        reconciled_at=feed.reconciled_at,
        problem=problem,
    )


def _look_for_lost(feed: IncidentFeed, graph: GraphSecurity, now: datetime) -> str:
    """Ask for incidents that are of use here and that no listing has shown for a day, one by one.

    A listing shows what changed; what fell behind it (written late, merged without a change, deleted) it never shows.
    """
    lost = IncomingIncident.objects.filter(connection=feed.connection, gone_at=None, dismissed_at=None)
    lost = lost.exclude(status__in=ENDED).filter(fetched_at__lt=now - RECONCILE_EVERY).without_raw()
    problem = ""
    for row in lost.order_by("fetched_at")[:MOST_LOST]:
        try:
            found = graph.incident(row.incident_id)
        except NotFound:
            IncomingIncident.objects.filter(pk=row.pk).update(gone_at=now, fetched_at=now)
            continue
        except InvalidParameter:
            IncomingIncident.objects.filter(pk=row.pk).update(fetched_at=now)
            continue
        problem = _keep(feed, found) or problem
        if found.id != row.incident_id:
            incidentkeeping.keep_redirect(row, found.id)
    return problem


def _keep(feed: IncidentFeed, incident: Incident) -> str:
    """Keep one; what is wrong with it, in a sentence, so that one broken incident does not hide the others."""
    try:
        incidentkeeping.keep_incident(connection=feed.connection, incident=incident)
    except (RecursionError, ValueError, DataError) as error:
        logger.warning("intake.incident_unreadable", extra={"incident": incident.id, "kind": type(error).__name__})
        return f"Incident {incident.id[:64]} could not be read and is missing here; open it in the Defender portal."
    return ""


@contextmanager
def _graph(connection: Connection) -> Iterator[GraphSecurity]:
    endpoint = connections.endpoint(connection)
    transport = Transport(endpoint, TokenProvider(endpoint))
    try:
        yield GraphSecurity(transport)
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
