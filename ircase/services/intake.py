"""Incidents of the tenant: kept as they come, dismissed with a reason, or made into a case with all that they name."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ircase.models import Case, Connection, Evidence, IncomingIncident, Severity, User
from ircase.services import cases, evidence, log
from ircase.services.findings import clean, clean_json
from ircase.services.incident_facts import Import, moment
from msapi.evidence import DeviceEvidence, MailboxEvidence, UserEvidence
from msapi.incidents import Alert, Incident, read_incident

_NAMES_KEPT = 50


def require_inbox(user: User) -> None:
    """Incidents belong to those who open cases. Raises PermissionDenied."""
    if not user.opens_cases:
        raise PermissionDenied("Incidents of the tenant are for analysts, who open cases.")


@transaction.atomic
def keep_incident(*, connection: Connection, incident: Incident) -> IncomingIncident:
    """The newest version of an incident, in place of the one before. What a person decided about it stays.

    Raises RecursionError where it is nested deeper than anything of Graph's.
    """
    raw = clean_json(dict(incident.raw))
    incident = read_incident(raw)
    devices, accounts = _names(incident)
    row, _ = IncomingIncident.objects.update_or_create(
        connection=connection,
        incident_id=incident.id[:64],
        defaults={
            "title": incident.title[:500] or f"Incident {incident.id}"[:500],
            "severity": incident.severity[:32],
            "status": incident.status[:32],
            "redirect_id": incident.redirect_id[:64] if incident.redirect_id != incident.id else "",
            "url": _safe_url(incident.url),
            "alert_count": len(incident.alerts),
            "devices": devices,
            "accounts": accounts,
            "created_at": moment(incident.created),
            "updated_at": moment(incident.updated),
            "fetched_at": timezone.now(),
            "raw": raw,
        },
    )
    return row


def _names(incident: Incident) -> tuple[list[str], list[str]]:
    """Devices and accounts that the alerts name, for the list."""
    devices: dict[str, None] = {}
    accounts: dict[str, None] = {}
    for item in (e.detail for alert in incident.alerts for e in alert.evidence):
        match item:
            case DeviceEvidence():
                devices[(item.dns_name or item.host_name or item.device_id).lower()[:255]] = None
            case UserEvidence():
                accounts[(item.account.upn or item.account.name).lower()[:255]] = None
            case MailboxEvidence():
                accounts[item.address.lower()[:255]] = None
    return [n for n in devices if n][:_NAMES_KEPT], [n for n in accounts if n][:_NAMES_KEPT]


def _safe_url(url: str) -> str:
    """The link into the portal, if it is one: it is shown as a link, so nothing but https passes."""
    try:
        URLValidator(schemes=["https"])(url)
    except ValidationError:
        return ""
    return url if len(url) <= 500 else ""


def cases_of(user: User, incident: IncomingIncident) -> QuerySet[Case]:
    """The cases made from the incident that `user` may know of, newest first."""
    found = Case.objects.visible_to(user).filter(connection=incident.connection_id, incident_id=incident.incident_id)
    return found.order_by("-opened_at")


def cases_of_page(user: User, incidents: Iterable[IncomingIncident]) -> dict[int, Case]:
    """By the incidents' primary keys: the newest case of each that `user` may know of, in one query."""
    wanted = {(row.connection_id, row.incident_id): row.pk for row in incidents}
    found = Case.objects.visible_to(user).filter(
        connection__in={connection for connection, _ in wanted}, incident_id__in={number for _, number in wanted}
    )
    pairs = ((wanted.get((case.connection_id or 0, case.incident_id)), case) for case in found.order_by("opened_at"))
    return {pk: case for pk, case in pairs if pk is not None}


@transaction.atomic
def dismiss(*, incident: IncomingIncident, actor: User, reason: str) -> IncomingIncident:
    """Take it off the list of what waits. It stays, with the reason, and can be taken back."""
    require_inbox(actor)
    if not reason.strip():
        raise ValidationError("Say why no case is needed; colleagues will ask.")
    incident.dismissed_at, incident.dismissed_by = timezone.now(), actor
    incident.dismissed_reason = clean(reason)
    incident.save(update_fields=["dismissed_at", "dismissed_by", "dismissed_reason"])
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
    content = canonical(incident.raw)
    stored = evidence.put(iter([content]))
    with transaction.atomic():
        # Two clicks, one case: the second waits here and then finds the first one's.
        incident = IncomingIncident.objects.select_for_update().select_related("connection").get(pk=incident.pk)
        existing = cases_of(actor, incident).first()
        if existing is not None:
            return existing, False
        facts = read_incident(incident.raw)
        case = _open(incident, facts, actor, playbook=playbook, title=title, tlp=tlp, confidential=confidential)
        evidence.seal(
            case=case,
            stored=stored,
            kind=Evidence.Kind.INCIDENT,
            name=f"incident-{incident.incident_id}.json",
            media_type="application/json",
            description="The incident as Microsoft Graph gave it, with its alerts.",
            manifest=_manifest(incident),
            actor=actor,
        )
        outcome = Import(case=case, actor=actor, incident=facts).run()
        log.record("incident.imported", case=case, actor=actor, incident=incident.incident_id, **outcome)
    return Case.objects.visible_to(actor).select_related("connection").get(pk=case.pk), True


def canonical(raw: Mapping[str, Any]) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8. The same object gives the same bytes and so the same hash."""
    text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _manifest(incident: IncomingIncident) -> dict[str, Any]:
    return {
        "source": "Microsoft Graph security incidents, alerts expanded",
        "tenant": incident.connection.tenant_id,
        "connection": incident.connection.name,
        "identity": incident.connection.client_id,
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
        connection=incident.connection,
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
