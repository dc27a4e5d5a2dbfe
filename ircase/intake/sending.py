"""Telling Defender what changed here: what a worker does with a change or a comment, and the tick that finds them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from ircase import jobs
from ircase.intake import agreeing
from ircase.models import (
    CaseIncident,
    IncidentComment,
    IncidentSync,
    JobQuerySet,
    JobState,
    SyncChange,
    SyncState,
)
from ircase.services import connections, log
from ircase.services.incidents import incidentkeeping, incidentsync
from ircase.work import hold
from msapi.errors import Ambiguous, ApiError
from msapi.graph import GraphSecurity
from msapi.incidents import Incident
from msapi.tokens import TokenProvider
from msapi.transport import Transport

logger = logging.getLogger(__name__)
MOST_TRIES: Final = 12
_WAIT: Final = 30.0
_LONGEST_WAIT: Final = 3600.0
_LINKS_AT_ONCE: Final = 50
_KEPT: Final = timedelta(days=30)


class _NotNow(Exception):
    """The row ends here, cancelled, for the reason that the message tells."""


def send_change(change: SyncChange) -> None:
    """Set one value on the incident, if it is still ours to set and still wanted."""
    rows = SyncChange.objects.all()
    with hold(rows, change), _ended(rows, change):
        link = change.link
        _allowed(link, change.field)
        with graph_of(link) as graph:
            incident = _read(graph, link)
            theirs = agreeing.theirs_of(incident, change.field)
            same = theirs == change.value and not agreeing.is_untouched(incident, change.field)
            if not same and theirs != change.base:
                _changed_meanwhile(change, incident, theirs)
            if not same:
                incident = graph.update_incident(link.number, **agreeing.as_sent(change.field, change.value))
        _sent(rows, change, incident, told=not same)


def _changed_meanwhile(change: SyncChange, incident: Incident, theirs: Any) -> None:
    with transaction.atomic():
        ours = agreeing.ours_of(change.link.case, _ours(change.link), change.field)
        incidentsync.keep_conflict(change.link, change.field, base=change.base, ours=ours, theirs=theirs)
    raise _NotNow("Defender has changed it meanwhile; a person chooses.")


def _ours(link: CaseIncident) -> dict[str, Any]:
    state = SyncState.objects.filter(link=link).first()
    return state.ours if state else {}


@transaction.atomic
def _sent(rows: JobQuerySet[SyncChange], change: SyncChange, incident: Incident, *, told: bool) -> None:
    if not rows.end(change.pk, change.owner, JobState.DONE, reason=""):
        return
    link = change.link
    state = SyncState.objects.select_for_update().filter(link=link).first()
    if state is not None:
        state.agreed[change.field] = change.value
        state.save(update_fields=["agreed"])
    _remember(link, incident)
    if told:
        log.record("incident.sync_sent", case=link.case, incident=link.number, field=change.field, value=change.value)


def _remember(link: CaseIncident, incident: Incident) -> None:
    """What Defender answered is its newest state: else the next comparison would take the old one for news."""
    row = link.incoming
    if row is None or incident.id != link.number:
        return
    changed = {key: value for key, value in incident.raw.items() if key != "alerts" and not key.startswith("@odata")}
    raw = {**row.raw, **changed}
    updated = incidentkeeping.keep_state(row, raw)
    # What we did ourselves is no newer version that the case should take over.
    CaseIncident.objects.filter(pk=link.pk, taken_version=row.updated_at).update(taken_version=updated)


def send_comment(comment: IncidentComment) -> None:
    """Write one comment, unless it is there already: after a doubtful outcome it is looked for first."""
    rows = IncidentComment.objects.all()
    with hold(rows, comment), _ended(rows, comment):
        link = comment.link
        _allowed(link, "")
        mark = incidentsync.mark_of(comment)
        with graph_of(link) as graph:
            there = _read(graph, link).comments
            if not any(one.text.startswith(mark) for one in there):
                there = graph.add_comment(link.number, f"{mark} {comment.author}: {comment.text}"[:1000])
        with transaction.atomic():
            if rows.end(comment.pk, comment.owner, JobState.DONE, reason=""):
                log.record("incident.comment_sent", case=link.case, incident=link.number, comment=str(comment.uuid))


def _allowed(link: CaseIncident, field: str) -> None:
    """All of it again, at the moment of sending. Raises _NotNow."""
    link.case.refresh_from_db()
    sync = incidentsync.sync_of(link)
    if sync is None or not (field in sync.fields if field else sync.comments):
        raise _NotNow("It is no longer kept the same with Defender.")
    if not incidentsync.may_tell(link.case):
        raise _NotNow("The case is confidential, and its lead has not allowed telling Defender.")


def _read(graph: GraphSecurity, link: CaseIncident) -> Incident:
    found = graph.incident(link.number, expand_alerts=False)
    if found.id != link.number:
        raise _NotNow(f"Defender merged the incident into {found.id}.")
    return found


@contextmanager
def graph_of(link: CaseIncident) -> Iterator[GraphSecurity]:
    incoming = link.incoming
    if incoming is None or incoming.connection is None:
        raise _NotNow("The incident is not of a tenant.")
    endpoint = connections.endpoint(incoming.connection)
    transport = Transport(endpoint, TokenProvider(endpoint))
    try:
        yield GraphSecurity(transport)
    finally:
        transport.close()


@contextmanager
def _ended(rows: JobQuerySet[Any], job: SyncChange | IncidentComment) -> Iterator[None]:
    """Map how the work ended to the row: cancelled, to be tried again later, or failed for a reason in words."""
    try:
        yield
    except _NotNow as reason:
        rows.end(job.pk, job.owner, JobState.CANCELLED, reason=str(reason))
    except ApiError as error:
        logger.warning("intake.not_sent", extra={"row": job.pk, "kind": type(error).__name__})
        doubtful = isinstance(error, Ambiguous)
        if (error.permanent and not doubtful) or job.attempt >= MOST_TRIES:
            rows.end(job.pk, job.owner, JobState.FAILED, reason=str(error))
            return
        wait = min(_LONGEST_WAIT, error.retry_after or _WAIT * 2 ** min(job.attempt, 7))
        rows.hand_back(job.pk, job.owner, reason=str(error), wait=wait)


def tick() -> int:
    """Beat's tick: compare what changed on either side, and send what waits; how many links were compared."""
    found = list(_to_compare()[:_LINKS_AT_ONCE])
    for link in found:
        incidentsync.reconcile(link)
    _nudge_changes()
    _nudge_comments()
    return len(found)


def _to_compare() -> Any:
    """Held incidents of connections that keep something the same, where a side has moved since the last look."""
    on = IncidentSync.objects.filter(enabled=True, connection__enabled=True).values("connection")
    held = CaseIncident.objects.held().filter(incoming__connection__in=on, incoming__redirect_id="")
    never, moved = Q(sync=None) | Q(sync__looked_at=None), Q(case__updated_at__gt=F("sync__looked_at"))
    moved |= Q(incoming__fetched_at__gt=F("sync__looked_at"))
    # An open case is looked at again now and then, so that what failed to be sent is tried again.
    moved |= Q(sync__looked_at__lt=timezone.now() - timedelta(hours=1), case__closed_at=None)
    return held.filter(never | moved).select_related("case", "incoming").order_by("sync__looked_at", "pk")


def _nudge_changes() -> None:
    rows = SyncChange.objects.all()
    _revive(rows)
    for pk in rows.due().values_list("pk", flat=True)[:200]:
        jobs.send("ircase.send_incident_change", pk)
    rows.filter(finished_at__lt=timezone.now() - _KEPT).delete()


def _nudge_comments() -> None:
    rows = IncidentComment.objects.filter(from_defender=False)
    _revive(rows)
    for pk in rows.due().values_list("pk", flat=True)[:200]:
        jobs.send("ircase.send_incident_comment", pk)


def _revive(rows: JobQuerySet[Any]) -> None:
    for job in rows.silent():
        if job.attempt >= settings.MAX_ATTEMPTS + MOST_TRIES:
            rows.end(job.pk, job.owner, JobState.FAILED, reason=f"Given up: {job.attempt} workers died while at it.")
        else:
            rows.hand_back(job.pk, job.owner, reason="The worker stopped answering; queued again.")
