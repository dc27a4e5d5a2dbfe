"""What a case and its Defender incident tell each other: agreed values, changes to send, conflicts, comments.

Nothing is sent from here: each change is a row, and `ircase.intake.sending` sends it from a worker.
"""

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from ircase import access, jobs
from ircase.intake import agreeing
from ircase.models import (
    Case,
    CaseIncident,
    CaseMember,
    CaseRole,
    CaseSync,
    Classification,
    Connection,
    IncidentComment,
    IncidentSync,
    JobState,
    NoticeCode,
    SyncChange,
    SyncConflict,
    SyncField,
    SyncState,
    User,
)
from ircase.services import cases, log, notices
from ircase.services.analysis.findings import clean
from ircase.services.casework import closing
from ircase.services.incidents.incident_facts import moment
from ircase.services.phases import servicelevels
from msapi.incidents import Comment, Incident, read_incident

LONGEST_COMMENT: Final = 900
"""Characters of a person's text: Graph takes 1,000, and the mark and the name come before it."""

_AFTER_FAILURE: Final = timedelta(hours=1)
_OPEN: Final = (JobState.QUEUED, JobState.RUNNING)


@transaction.atomic
def set_sync(
    *, connection: Connection, actor: User, enabled: bool, fields: Iterable[str], comments: bool
) -> IncidentSync:
    """What is kept the same on a connection. Off is the beginning; switching it on sends nothing before the tick."""
    wanted = [field for field in SyncField.values if field in set(fields)]
    row, _ = IncidentSync.objects.update_or_create(
        connection=connection, defaults={"enabled": enabled, "fields": wanted, "comments": comments}
    )
    log.record("incident.sync_set", actor=actor, connection=connection.name, enabled=enabled, fields=wanted,
               comments=comments)  # fmt: skip
    return row


@transaction.atomic
def allow(*, case: Case, actor: User, allowed: bool) -> CaseSync:
    """A lead's word on whether a confidential case may be told to Defender."""
    values = {"allowed": allowed, "decided_by": actor, "decided_at": timezone.now()}
    row, _ = CaseSync.objects.update_or_create(case=case, defaults=values)
    log.record("incident.sync_allowed", case=case, actor=actor, allowed=allowed)
    return row


def may_tell(case: Case) -> bool:
    """Whether anything of the case may leave. Asked when a change is queued, and again when it is sent."""
    return not case.confidential or CaseSync.objects.filter(case=case, allowed=True).exists()


def sync_of(link: CaseIncident) -> IncidentSync | None:
    """What is kept the same for this incident, if anything is: switched on, still held, and first in line.

    Where several cases hold one incident, the open one that had it first speaks for it: it has not ended while anybody
    works on it. Once all are closed, the last that was speaks.
    """
    incoming = link.incoming
    if incoming is None or incoming.connection_id is None or link.removed_at is not None or incoming.redirect_id:
        return None
    line = CaseIncident.objects.held().filter(incoming=incoming)
    line = line.order_by(F("case__closed_at").desc(nulls_first=True), "added_at", "pk")
    if line.values_list("pk", flat=True).first() != link.pk:
        return None
    connection = incoming.connection_id
    return IncidentSync.objects.filter(connection=connection, enabled=True, connection__enabled=True).first()


@transaction.atomic
def reconcile(link: CaseIncident) -> None:
    """Compare the two sides field by field, and write down what follows: agree, take, queue, or keep a conflict."""
    sync = sync_of(link)
    state = _state(link)
    if sync is None or link.incoming is None:
        state.looked_at = timezone.now()  # another case speaks for it: it need not be looked at with every tick
        state.save(update_fields=["looked_at"])
        return
    incident = read_incident(link.incoming.raw)
    tells = may_tell(link.case)
    for field in sync.fields:
        _compare(link, state, incident, field, tells=tells)
    if sync.comments:
        keep_comments(link, incident.comments)
    state.looked_at = timezone.now()
    state.save(update_fields=["agreed", "ours", "looked_at"])


def _state(link: CaseIncident) -> SyncState:
    SyncState.objects.get_or_create(link=link, defaults={"ours": _first_ours(link)})
    return SyncState.objects.select_for_update(of=("self",)).select_related("link__case").get(link=link)


def _first_ours(link: CaseIncident) -> dict[str, Any]:
    """Whom the incident is assigned to until somebody says otherwise: the case's first lead."""
    lead = CaseMember.objects.filter(case=link.case_id, role=CaseRole.LEAD).order_by("added_at", "pk").first()
    return {SyncField.ASSIGNED.value: lead.user.email.strip().lower() if lead else ""}


def _compare(link: CaseIncident, state: SyncState, incident: Incident, field: str, *, tells: bool) -> None:
    base = state.agreed.get(field)
    ours, theirs = agreeing.ours_of(link.case, state.ours, field), agreeing.theirs_of(incident, field)
    step = agreeing.decide(field, base, ours, theirs)
    fresh = base is None and agreeing.is_untouched(incident, field) and ours == agreeing.OPEN
    if step == agreeing.Step.AGREE and not fresh:
        state.agreed[field] = ours
        _settle(link, field)
    elif step == agreeing.Step.TAKE:
        _take(link, state, field, theirs)
    elif step == agreeing.Step.CONFLICT:
        _cancel(link, field)
        keep_conflict(link, field, base=base, ours=ours, theirs=theirs)
    elif tells:
        queue_change(link, field, base=theirs, value=ours)


def _settle(link: CaseIncident, field: str) -> None:
    _cancel(link, field)
    now = timezone.now()
    link.conflicts.filter(field=field, choice="").update(choice=SyncConflict.Choice.SAME, chosen_at=now)


def _cancel(link: CaseIncident, field: str) -> None:
    waiting = link.changes.filter(field=field, state=JobState.QUEUED)
    waiting.update(state=JobState.CANCELLED, finished_at=timezone.now(), reason="No longer wanted.")


def _take(link: CaseIncident, state: SyncState, field: str, theirs: Any) -> None:
    """Theirs becomes ours. IRCase does it, not a person: the log says so."""
    if field in agreeing.CASE_FIELDS:
        setattr(link.case, field, theirs)
        link.case.save(update_fields=[field, "updated_at"])
        if field == SyncField.SEVERITY and link.case.is_open:
            servicelevels.severity_changed(case=link.case, actor=None)
    else:
        state.ours[field] = theirs
    state.agreed[field] = theirs
    _settle(link, field)
    log.record("incident.sync_taken", case=link.case, incident=link.number, field=field, value=theirs)


def queue_change(link: CaseIncident, field: str, *, base: Any, value: Any) -> None:
    """A row for the worker; one that waits for the same field takes the newer value."""
    waiting = SyncChange.objects.filter(link=link, field=field)
    if waiting.filter(state=JobState.QUEUED).update(base=base, value=value) or waiting.filter(state__in=_OPEN).exists():
        return
    recent = waiting.filter(state=JobState.FAILED, finished_at__gt=timezone.now() - _AFTER_FAILURE)
    if any(change.value == value for change in recent):
        return
    made = SyncChange.objects.create(link=link, field=field, base=base, value=value)
    jobs.enqueue("ircase.send_incident_change", made.pk)


def keep_conflict(link: CaseIncident, field: str, *, base: Any, ours: Any, theirs: Any) -> SyncConflict:
    """One open conflict a field; it shows the newest of both sides. The leads are told of a new one."""
    values = {"base": base, "ours": ours, "theirs": theirs}
    row, new = SyncConflict.objects.update_or_create(link=link, field=field, choice="", defaults=values)
    if new:
        log.record(
            "incident.sync_conflict", case=link.case, incident=link.number, field=field, ours=ours, theirs=theirs
        )
        notices.tell(
            code=NoticeCode.INCIDENT,
            people=notices.leads_of(link.case),
            case=link.case,
            subject=row.uuid,
            title=f"Incident {link.number}: {row.get_field_display().lower()} changed here and in Defender",
            path=reverse("ircase:case_incidents", args=[link.case.reference]),
        )
    return row


@transaction.atomic
def choose(*, conflict: SyncConflict, actor: User, choice: str) -> SyncConflict:
    """End a conflict: ours is sent, or theirs is taken. The status is for leads, for theirs closes or opens the case.

    Raises ValidationError, also where the case cannot be closed yet; PermissionDenied.
    """
    conflict = SyncConflict.objects.select_for_update(of=("self",)).select_related("link__case").get(pk=conflict.pk)
    if conflict.choice:
        raise ValidationError("Somebody has chosen already.")
    link = conflict.link
    case = access.get_case_of(
        actor, link.case_id, access.LEAD if conflict.field == SyncField.STATUS else access.ANALYST
    )
    state = _state(link)
    if choice == SyncConflict.Choice.THEIRS:
        _adopt(case, state, conflict, actor)
    elif choice == SyncConflict.Choice.OURS:
        if not may_tell(case):
            raise ValidationError("The case is confidential. Its lead must allow telling Defender first.")
        queue_change(link, conflict.field, base=conflict.theirs, value=conflict.ours)
    else:
        raise ValidationError("Choose ours or theirs.")
    state.agreed[conflict.field] = conflict.theirs
    state.save(update_fields=["agreed", "ours"])
    conflict.choice, conflict.chosen_by, conflict.chosen_at = choice, actor, timezone.now()
    conflict.save(update_fields=["choice", "chosen_by", "chosen_at"])
    log.record(
        "incident.sync_chosen", case=case, actor=actor, incident=link.number, field=conflict.field, choice=choice
    )
    return conflict


def _adopt(case: Case, state: SyncState, conflict: SyncConflict, actor: User) -> None:
    field, theirs = conflict.field, conflict.theirs
    if field == SyncField.STATUS:
        if theirs == agreeing.RESOLVED:
            if case.classification != Classification.UNKNOWN and closing.needs_review(case):
                raise ValidationError(
                    "This case is closed by two people: close it on its own page. Then both sides say the same."
                )
            closing.close(case=case, actor=actor, reason="Resolved in Defender.")
        else:
            cases.reopen_case(case=case, actor=actor, reason="Opened again in Defender.")
    elif field in agreeing.CASE_FIELDS:
        if not agreeing.takes(field, theirs):
            raise ValidationError(
                f"A case cannot have the {conflict.get_field_display().lower()} {theirs}. Choose ours."
            )
        cases.edit_case(case=case, actor=actor, **{field: theirs})
    else:
        state.ours[field] = theirs


@transaction.atomic
def assign(*, link: CaseIncident, actor: User, to: str) -> None:
    """Whom the incident is assigned to, by sign-in name, as Defender knows people."""
    if sync_of(link) is None:
        raise ValidationError("Nothing of this incident is kept the same with Defender.")
    state = _state(link)
    state.ours[SyncField.ASSIGNED.value] = clean(to).strip().lower()[:255]
    state.save(update_fields=["ours"])
    log.record("incident.assigned", case=link.case, actor=actor, incident=link.number, to=to.strip()[:255])
    reconcile(link)


@transaction.atomic
def comment(*, link: CaseIncident, actor: User, text: str) -> IncidentComment:
    """Write a comment on the incident in Defender. Raises ValidationError where that is not allowed."""
    sync = sync_of(link)
    if sync is None or not sync.comments:
        raise ValidationError("Comments are not kept the same with Defender on this connection.")
    if not may_tell(link.case):
        raise ValidationError("The case is confidential. Its lead must allow telling Defender first.")
    text = clean(text).strip()
    if not text or len(text) > LONGEST_COMMENT:
        raise ValidationError(f"A comment has 1 to {LONGEST_COMMENT} characters.")
    uuid = uuid4()
    row = IncidentComment.objects.create(
        uuid=uuid, link=link, author=actor.name, written_by=actor, text=text, key=str(uuid)
    )
    log.record("incident.commented", case=link.case, actor=actor, incident=link.number, comment=text[:500])
    jobs.enqueue("ircase.send_incident_comment", row.pk)
    return row


def mark_of(row: IncidentComment) -> str:
    """What a comment of ours begins with in Defender. It names nothing but itself."""
    return f"[IRCase {str(row.uuid)[:13]}]"


def keep_comments(link: CaseIncident, found: Iterable[Comment]) -> None:
    """Defender's comments, each once; our own are known by their mark and end what is still to be sent."""
    ours = {mark_of(row): row for row in link.comments.filter(from_defender=False)}
    known = set(link.comments.filter(from_defender=True).values_list("key", flat=True))
    for one in found:
        own = next((row for mark, row in ours.items() if one.text.startswith(mark)), None)
        if own is not None:
            IncidentComment.objects.filter(pk=own.pk, state=JobState.QUEUED).update(
                state=JobState.DONE, finished_at=timezone.now(), reason=""
            )
            continue
        key = hashlib.sha256("\x1f".join((one.text, one.author, one.created)).encode("utf-8", "replace")).hexdigest()
        if key not in known:
            known.add(key)
            _came(link, one, key)


def _came(link: CaseIncident, one: Comment, key: str) -> None:
    from_there = moment(one.created) or timezone.now()
    row = IncidentComment.objects.create(
        link=link, from_defender=True, author=clean(one.author)[:200] or "Defender", text=clean(one.text),
        written_at=from_there, key=key, state=JobState.DONE,
    )  # fmt: skip
    notices.tell(
        code=NoticeCode.COMMENT,
        people=notices.leads_of(link.case),
        case=link.case,
        subject=row.uuid,
        title=f"{row.author} commented on incident {link.number} in Defender",
        path=reverse("ircase:case_incidents", args=[link.case.reference]),
        lines=[row.text[:300]],
    )
