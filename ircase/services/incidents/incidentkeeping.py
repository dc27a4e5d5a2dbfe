"""The newest version of each incident, kept in place of the one before; and what changed that somebody must know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from ircase.intake.entities import Key, entities_of
from ircase.models import (
    CaseIncident,
    Connection,
    IncidentEntity,
    IncidentSource,
    IncomingIncident,
    NoticeCode,
)
from ircase.models.intake import ENDED
from ircase.services import log, notices
from ircase.services.analysis.findings import clean_json
from ircase.services.incidents.incident_facts import moment
from ircase.wording import counted
from msapi.incidents import Incident, read_incident

_NAMES_KEPT = 50


@dataclass(frozen=True)
class News:
    """What an update means to people. `again`: who was done with it must look again."""

    what: str
    sentence: str
    again: bool


@transaction.atomic
def keep_incident(
    *, incident: Incident, connection: Connection | None = None, source: IncidentSource | None = None
) -> IncomingIncident:
    """The newest version of an incident of `connection`, or of `source`, in place of the one before.

    What a person decided about it stays, unless it was opened again or gained alerts since: then it waits again and
    says why. The leads of its cases are told. A version older than the one that is there changes nothing. Raises
    RecursionError where it is nested deeper than anything of Graph's.
    """
    raw = clean_json(dict(incident.raw))
    incident = read_incident(raw)
    number = incident.id[:64]
    known = IncomingIncident.objects.select_for_update(of=("self",)).filter(
        connection=connection, source=source, incident_id=number
    )
    row = known.first()
    updated = moment(incident.updated)
    if row is not None and row.updated_at and updated and updated < row.updated_at:
        return row
    if row is not None and row.raw == raw:
        IncomingIncident.objects.filter(pk=row.pk).update(fetched_at=timezone.now(), gone_at=None)
        return row
    found = entities_of(incident)
    values = _values(incident, raw, found, updated)
    if row is None:
        row = IncomingIncident.objects.create(connection=connection, source=source, incident_id=number, **values)
        _keep_entities(row, found)
        return row
    news = _news(row, values)
    for name, value in values.items():
        setattr(row, name, value)
    fields = list(values)
    if any(one.again for one in news) and row.dismissed_at is not None:
        _return(row, news)
        fields += ["returned", "dismissed_at", "dismissed_by", "dismissed_reason"]
    row.save(update_fields=fields)
    _keep_entities(row, found)
    tell(row, news)
    return row


def keep_state(row: IncomingIncident, raw: dict[str, Any]) -> datetime | None:
    """What Defender answered to a change of ours: nobody is told of it, and its alerts stay as they were read. Gives
    the time of its last update."""
    raw = clean_json(raw)
    incident = read_incident(raw)
    updated = moment(incident.updated) or row.updated_at
    IncomingIncident.objects.filter(pk=row.pk).update(
        raw=raw, status=incident.status[:32], severity=incident.severity[:32], updated_at=updated
    )
    return updated


@transaction.atomic
def keep_redirect(row: IncomingIncident, number: str) -> None:
    """Note that asking for the incident led to another one, where its own record did not say so."""
    changed = IncomingIncident.objects.filter(pk=row.pk, redirect_id="").update(
        redirect_id=number[:64], status="redirected", fetched_at=timezone.now()
    )
    if changed:
        tell(row, [News("redirected", f"Defender merged incident {row.incident_id} into {number}", again=False)])


def _values(incident: Incident, raw: dict[str, Any], found: Sequence[Key], updated: datetime | None) -> dict[str, Any]:
    names: dict[str, list[str]] = {"device": [], "account": [], "mailbox": []}
    for kind, value in found:
        names.setdefault(kind, []).append(value)
    accounts = dict.fromkeys([*names["account"], *names["mailbox"]])
    return {
        "title": incident.title[:500] or f"Incident {incident.id}"[:500],
        "severity": incident.severity[:32],
        "status": incident.status[:32],
        "redirect_id": incident.redirect_id[:64] if incident.redirect_id != incident.id else "",
        "url": safe_url(incident.url),
        "alert_count": len(incident.alerts),
        "entity_count": len(found),
        "devices": names["device"][:_NAMES_KEPT],
        "accounts": list(accounts)[:_NAMES_KEPT],
        "created_at": moment(incident.created),
        "updated_at": updated,
        "fetched_at": timezone.now(),
        "gone_at": None,
        "raw": raw,
    }


def _keep_entities(row: IncomingIncident, found: Sequence[Key]) -> None:
    wanted = set(found)
    there = set(IncidentEntity.objects.filter(incident=row).values_list("kind", "value"))
    for kind, value in there - wanted:
        IncidentEntity.objects.filter(incident=row, kind=kind, value=value).delete()
    IncidentEntity.objects.bulk_create(
        [IncidentEntity(incident=row, kind=kind, value=value) for kind, value in found if (kind, value) not in there]
    )


def _news(row: IncomingIncident, values: Mapping[str, Any]) -> list[News]:
    """What is new between the row and the version that takes its place."""
    found = []
    if values["redirect_id"] and not row.redirect_id:
        text = f"Defender merged incident {row.incident_id} into {values['redirect_id']}"
        found.append(News("redirected", text, again=False))
    elif row.status in ENDED and values["status"] not in ENDED:
        found.append(News("reopened", f"Incident {row.incident_id} was opened again", again=True))
    elif row.status not in ENDED and values["status"] == "resolved":
        found.append(News("resolved", f"Incident {row.incident_id} was resolved in Defender", again=False))
    more = values["alert_count"] - row.alert_count
    if more > 0 and not values["redirect_id"]:
        found.append(News("alerts", f"Incident {row.incident_id} has {counted(more, 'new alert')}", again=True))
    return found


def _return(row: IncomingIncident, news: Sequence[News]) -> None:
    why = "; ".join(one.sentence for one in news if one.again)
    log.record("incident.returned", incident=row.incident_id, why=why, dismissed_reason=row.dismissed_reason[:500])
    row.returned = f"{why}, after it had been dismissed."[:300]
    row.dismissed_at, row.dismissed_by, row.dismissed_reason = None, None, ""


def tell(row: IncomingIncident, news: Sequence[News]) -> None:
    """Tell the leads of every case that holds the incident. Each is told only of cases that they see."""
    if not news:
        return
    stamp = row.updated_at.isoformat() if row.updated_at else ""
    for link in CaseIncident.objects.held().filter(incoming=row).select_related("case"):
        path = reverse("ircase:case_incidents", args=[link.case.reference])
        people = notices.leads_of(link.case)
        for one in news:
            notices.tell(
                code=NoticeCode.INCIDENT,
                people=people,
                case=link.case,
                subject=notices.about(link.uuid, f"{one.what} {stamp}"),
                title=one.sentence,
                path=path,
                lines=[row.title],
            )


def safe_url(url: str) -> str:
    """The link into the portal, if it is one: it is shown as a link, so nothing but https passes."""
    try:
        URLValidator(schemes=["https"])(url)
    except ValidationError:
        return ""
    return url if len(url) <= 500 else ""
