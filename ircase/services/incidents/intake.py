"""Incidents of the tenant: kept as they come, dismissed with a reason, or made into a case with all that they name."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from ircase.intake import touched
from ircase.models import Case, CaseIncident, Evidence, IncomingIncident, Severity, User
from ircase.services import cases, evidence, log
from ircase.services.analysis.findings import clean
from ircase.services.incidents.incident_facts import Import, moment
from msapi.incidents import Alert, Incident, read_incident


def require_inbox(user: User) -> None:
    """Incidents belong to those who open cases. Raises PermissionDenied."""
    if not user.opens_cases:
        raise PermissionDenied("Incidents of the tenant are for analysts, who open cases.")


def links_of(incidents: Iterable[IncomingIncident]) -> QuerySet[CaseIncident]:
    """What links these incidents with cases: their own, and those of incidents that Defender merged into them."""
    own, merged = Q(), Q()
    for row in incidents:
        own |= Q(incoming=row.pk)
        if row.connection_id:
            merged |= Q(incoming__connection=row.connection_id, incoming__redirect_id=row.incident_id)
    return CaseIncident.objects.held().filter(own | merged) if own else CaseIncident.objects.none()


def cases_of(user: User, incident: IncomingIncident) -> QuerySet[Case]:
    """The cases that hold the incident and that `user` may know of, newest first."""
    found = Case.objects.visible_to(user).filter(pk__in=links_of([incident]).values("case"))
    return found.order_by("-opened_at")


def cases_of_page(user: User, incidents: Iterable[IncomingIncident]) -> dict[int, Case]:
    """By the incidents' primary keys: the newest case of each that `user` may know of, in one query."""
    rows = list(incidents)
    numbers = {(row.connection_id, row.incident_id): row.pk for row in rows}
    visible = Case.objects.visible_to(user).values("pk")
    links = links_of(rows).filter(case__in=visible).select_related("case", "incoming").defer("incoming__raw", "brought")
    found: dict[int, Case] = {}
    for link in links.order_by("case__opened_at"):
        incoming = link.incoming
        assert incoming is not None
        for pk in (incoming.pk, numbers.get((incoming.connection_id, incoming.redirect_id))):
            if pk is not None:
                found[pk] = link.case
    return found


@transaction.atomic
def dismiss(*, incident: IncomingIncident, actor: User, reason: str) -> IncomingIncident:
    """Take it off the list of what waits. It stays, with the reason, and can be taken back."""
    require_inbox(actor)
    if not reason.strip():
        raise ValidationError("Say why no case is needed; colleagues will ask.")
    incident.dismissed_at, incident.dismissed_by = timezone.now(), actor
    incident.dismissed_reason, incident.returned = clean(reason), ""
    incident.save(update_fields=["dismissed_at", "dismissed_by", "dismissed_reason", "returned"])
    log.record("incident.dismissed", actor=actor, incident=incident.incident_id, reason=reason[:500])
    return incident


@transaction.atomic
def take_back(*, incident: IncomingIncident, actor: User) -> IncomingIncident:
    """Undo a dismissal."""
    require_inbox(actor)
    incident.dismissed_at, incident.dismissed_by, incident.dismissed_reason = None, None, ""
    incident.save(update_fields=["dismissed_at", "dismissed_by", "dismissed_reason"])
    log.record("incident.taken_back", actor=actor, incident=incident.incident_id)
    return incident


@transaction.atomic
def dismiss_many(*, incidents: Iterable[IncomingIncident], actor: User, reason: str) -> int:
    """Dismiss those of them that still wait; how many. Each is logged."""
    require_inbox(actor)
    waiting = [row for row in incidents if row.dismissed_at is None]
    for row in waiting:
        dismiss(incident=row, actor=actor, reason=reason)
    return len(waiting)


def suggest_playbook(incident: IncomingIncident) -> str:
    """The playbook that fits what most of the alerts are about; in doubt the device's, which covers the most."""
    if "ransom" in incident.title.lower():
        return "ransomware"
    votes = Counter(_about(alert) for alert in read_incident(incident.raw).alerts)
    return max(("device-compromise", "account-compromise", "phishing"), key=lambda name: votes[name])


def _about(alert: Alert) -> str:
    kinds = {item.kind.lower() for item in alert.evidence}
    if kinds & {"deviceevidence", "processevidence", "fileevidence"}:
        return "device-compromise"
    if kinds & {"analyzedmessageevidence", "mailclusterevidence"}:
        return "phishing"
    return "account-compromise" if kinds & {"userevidence", "mailboxevidence"} else "device-compromise"


def accept(
    *,
    incident: IncomingIncident,
    actor: User,
    playbook: str = "",
    title: str = "",
    tlp: str = "amber",
    confidential: bool = False,
) -> tuple[Case, bool]:
    """The case of the incident, and whether it is new.

    Where `actor` can see a case of it, that is the one. Otherwise one is opened with the incident's times, everything
    its alerts name, and the incident itself sealed as evidence. Raises PermissionDenied, ValidationError, StoreError.
    """
    require_inbox(actor)
    if incident.redirect_id:
        raise ValidationError(f"Defender merged this incident into {incident.redirect_id}; open that one.")
    stored = evidence.put(iter([canonical(incident.raw)]))
    with transaction.atomic():
        # Two clicks, one case: the second waits here and then finds the first one's.
        incident = lock(incident)
        existing = cases_of(actor, incident).first()
        if existing is not None:
            return existing, False
        facts = read_incident(incident.raw)
        case = _open(incident, facts, actor, playbook=playbook, title=title, tlp=tlp, confidential=confidential)
        take_over(case=case, incident=incident, actor=actor, via=CaseIncident.Via.OPENED, stored=stored)
    return Case.objects.visible_to(actor).select_related("connection").get(pk=case.pk), True


def lock(incident: IncomingIncident) -> IncomingIncident:
    """The row as it is now, held until the transaction ends."""
    found = IncomingIncident.objects.select_for_update(of=("self",)).select_related("connection", "source__connection")
    return found.get(pk=incident.pk)


def take_over(
    *, case: Case, incident: IncomingIncident, actor: User, via: str, stored: evidence.Stored
) -> CaseIncident:
    """The incident in the case: sealed, linked, everything that its alerts name added. Inside a transaction.

    Where the case holds it already, what is new in this version comes.
    """
    link = CaseIncident.objects.held().filter(case=case, incoming=incident).first()
    if link is None:
        link = CaseIncident(
            case=case,
            incoming=incident,
            number=incident.incident_id,
            title=incident.title,
            url=incident.url,
            origin=incident.origin,
            via=via,
            added_by=actor,
        )
    else:
        _mark_touched(link)
    link.taken_version = incident.updated_at
    link.evidence = evidence.seal(
        case=case,
        stored=stored,
        kind=Evidence.Kind.INCIDENT,
        name=f"incident-{incident.incident_id}.json",
        media_type="application/json",
        description="The incident as it came, with its alerts.",
        manifest=_manifest(incident),
        actor=actor,
    )
    link.save()
    run = Import(case=case, actor=actor, incident=read_incident(incident.raw), link=link)
    outcome = run.run()
    new = touched.marks(touched.rows_of(run.brought, link), run.brought)
    link.brought, link.named = {**link.brought, **new}, sorted({*link.named, *run.named})
    link.taken_at = timezone.now()
    link.save(update_fields=["brought", "named", "taken_at"])
    action = "incident.merged" if via == CaseIncident.Via.MERGED else "incident.imported"
    log.record(action, case=case, actor=actor, incident=incident.incident_id, origin=link.origin, **outcome)
    return link


def _mark_touched(link: CaseIncident) -> None:
    """What somebody made their own since the last time stays theirs, whatever the log says from now on."""
    _, staying = touched.weigh(link)
    for one in staying:
        mark = link.brought[str(one.row.uuid)]
        link.brought[str(one.row.uuid)] = ":" + mark.partition(":")[2]


def canonical(raw: Mapping[str, Any]) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8. The same object gives the same bytes and so the same hash."""
    text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _manifest(incident: IncomingIncident) -> dict[str, Any]:
    tenant, source = incident.tenant, incident.source
    told = (
        f"{source.get_kind_display()}: {source.name}"
        if source
        else "Microsoft Graph security incidents, alerts expanded"
    )
    return {
        "source": told,
        "tenant": tenant.tenant_id if tenant else None,
        "connection": tenant.name if tenant else None,
        "identity": tenant.client_id if tenant and not source else None,
        "incident": incident.incident_id,
        "fetched_at": incident.fetched_at.isoformat(),
        "last_update": incident.updated_at.isoformat() if incident.updated_at else None,
        "alerts": incident.alert_count,
        "form": "canonical JSON: keys sorted, no spaces, UTF-8; NUL shown as U+2400, half surrogates as ?",
    }


def _open(incident: IncomingIncident, facts: Incident, actor: User, *, title: str, **chosen: Any) -> Case:
    occurred, detected = first_times(facts)
    return cases.open_case(
        actor=actor,
        title=(title.strip() or incident.title)[:200],
        severity=incident.severity if incident.severity in Severity.values else Severity.MEDIUM,
        description=facts.description[:20_000],
        connection=incident.tenant,
        incident_id=incident.incident_id,
        incident_url=incident.url,
        occurred=occurred,
        detected=detected,
        **chosen,
    )


def first_times(incident: Incident) -> tuple[datetime | None, datetime | None]:
    """When it began and when it was noticed, by the alerts: their first activity, and their making.

    A time in the future or an activity after its detection is a clock that was wrong, and is left out.
    """
    limit = timezone.now() + timedelta(minutes=1)
    made = [moment(alert.created) for alert in incident.alerts] or [moment(incident.created)]
    seen = [moment(alert.first_activity) for alert in incident.alerts]
    detected = min((at for at in made if at is not None and at <= limit), default=None)
    occurred = min((at for at in seen if at is not None and at <= (detected or limit)), default=None)
    return occurred, detected
