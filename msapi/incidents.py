"""Graph's incidents and alerts as values: what is known typed, the whole object kept beside it.

https://learn.microsoft.com/graph/api/resources/security-incident
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msapi.evidence import AlertEvidence, read_evidence
from msapi.reading import objects, read_enum, text, texts


class Severity(StrEnum):
    """How bad the service finds it."""

    UNKNOWN = "unknown"
    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class IncidentStatus(StrEnum):
    """Where an incident stands; one that is redirected was merged into another."""

    ACTIVE = "active"
    IN_PROGRESS = "inProgress"
    RESOLVED = "resolved"
    REDIRECTED = "redirected"
    AWAITING_ACTION = "awaitingAction"


class AlertStatus(StrEnum):
    """Where an alert stands."""

    UNKNOWN = "unknown"
    NEW = "new"
    IN_PROGRESS = "inProgress"
    RESOLVED = "resolved"


class Classification(StrEnum):
    """Whether it was what it seemed."""

    UNKNOWN = "unknown"
    FALSE_POSITIVE = "falsePositive"
    TRUE_POSITIVE = "truePositive"
    INFORMATIONAL = "informationalExpectedActivity"


class Determination(StrEnum):
    """What it was. Microsoft's pages disagree on some names; all are listed."""

    UNKNOWN = "unknown"
    APT = "apt"
    MALWARE = "malware"
    SECURITY_PERSONNEL = "securityPersonnel"
    SECURITY_TESTING = "securityTesting"
    UNWANTED_SOFTWARE = "unwantedSoftware"
    OTHER = "other"
    MULTI_STAGED_ATTACK = "multiStagedAttack"
    COMPROMISED_USER = "compromisedUser"
    COMPROMISED_ACCOUNT = "compromisedAccount"
    PHISHING = "phishing"
    MALICIOUS_USER_ACTIVITY = "maliciousUserActivity"
    CLEAN = "clean"
    NOT_MALICIOUS = "notMalicious"
    INSUFFICIENT_DATA = "insufficientData"
    NOT_ENOUGH_DATA = "notEnoughDataToValidate"
    CONFIRMED_USER_ACTIVITY = "confirmedUserActivity"
    CONFIRMED_ACTIVITY = "confirmedActivity"
    LINE_OF_BUSINESS = "lineOfBusinessApplication"


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark on an incident or alert."""

    text: str
    author: str
    created: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Times are UTC text as sent. A value of an enumeration that is unknown here stays as sent."""

    id: str
    provider_id: str
    incident_id: str
    title: str
    description: str
    status: str
    severity: str
    classification: str
    determination: str
    category: str
    service: str
    detection: str
    techniques: tuple[str, ...]
    threat: str
    recommended_actions: str
    assigned_to: str
    url: str
    created: str
    updated: str
    resolved: str
    first_activity: str
    last_activity: str
    comments: tuple[Comment, ...]
    evidence: tuple[AlertEvidence, ...]
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; `alerts` is filled where they were asked for. `redirected_from` lists the ids that led here."""

    id: str
    tenant_id: str
    title: str
    description: str
    status: str
    severity: str
    classification: str
    determination: str
    assigned_to: str
    custom_tags: tuple[str, ...]
    system_tags: tuple[str, ...]
    url: str
    created: str
    updated: str
    redirect_id: str
    comments: tuple[Comment, ...]
    alerts: tuple[Alert, ...]
    raw: Mapping[str, Any]
    redirected_from: tuple[str, ...] = ()


def read_comments(raw: Mapping[str, Any], key: str = "comments") -> tuple[Comment, ...]:
    """The comments under `key`, in either of the two spellings that Graph has used."""
    return tuple(
        Comment(text(item, "comment"), text(item, "createdByDisplayName", "createdBy"),
                text(item, "createdDateTime", "createdTime"))
        for item in objects(raw, key)
    )  # fmt: skip


def read_alert(raw: Mapping[str, Any]) -> Alert:
    """An alert of alerts_v2, alone or within an incident. Never raises."""
    return Alert(
        id=text(raw, "id"),
        provider_id=text(raw, "providerAlertId"),
        incident_id=text(raw, "incidentId"),
        title=text(raw, "title"),
        description=text(raw, "description"),
        status=read_enum(AlertStatus, text(raw, "status")),
        severity=read_enum(Severity, text(raw, "severity")),
        classification=read_enum(Classification, text(raw, "classification")),
        determination=read_enum(Determination, text(raw, "determination")),
        category=text(raw, "category"),
        service=text(raw, "serviceSource"),
        detection=text(raw, "detectionSource"),
        techniques=texts(raw, "mitreTechniques"),
        threat=text(raw, "threatDisplayName", "threatFamilyName"),
        recommended_actions=text(raw, "recommendedActions"),
        assigned_to=text(raw, "assignedTo"),
        url=text(raw, "alertWebUrl"),
        created=text(raw, "createdDateTime"),
        updated=text(raw, "lastUpdateDateTime"),
        resolved=text(raw, "resolvedDateTime"),
        first_activity=text(raw, "firstActivityDateTime"),
        last_activity=text(raw, "lastActivityDateTime"),
        comments=read_comments(raw),
        evidence=tuple(read_evidence(item) for item in objects(raw, "evidence")),
        raw=raw,
    )


def read_incident(raw: Mapping[str, Any], redirected_from: tuple[str, ...] = ()) -> Incident:
    """An incident, with its alerts where the answer holds them. Never raises."""
    return Incident(
        id=text(raw, "id"),
        tenant_id=text(raw, "tenantId"),
        title=text(raw, "displayName"),
        description=text(raw, "description"),
        status=read_enum(IncidentStatus, text(raw, "status")),
        severity=read_enum(Severity, text(raw, "severity")),
        classification=read_enum(Classification, text(raw, "classification")),
        determination=read_enum(Determination, text(raw, "determination")),
        assigned_to=text(raw, "assignedTo"),
        custom_tags=texts(raw, "customTags"),
        system_tags=texts(raw, "systemTags"),
        url=text(raw, "incidentWebUrl"),
        created=text(raw, "createdDateTime"),
        updated=text(raw, "lastUpdateDateTime"),
        redirect_id=text(raw, "redirectIncidentId"),
        comments=read_comments(raw),
        alerts=tuple(read_alert(item) for item in objects(raw, "alerts")),
        raw=raw,
        redirected_from=redirected_from,
    )
