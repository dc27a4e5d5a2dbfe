"""Whether two sides that agreed once still do: values brought to one spelling, and what follows from a difference."""

from enum import StrEnum
from typing import Any, Final

from ircase.models import Case, Classification, Determination, Severity, SyncField
from msapi.incidents import Incident

OPEN: Final = "open"
RESOLVED: Final = "resolved"
# Graph's older and newer names of the same: https://learn.microsoft.com/graph/api/resources/security-alert
_SAME: Final = {
    "compromisedUser": "compromisedAccount", "clean": "notMalicious", "insufficientData": "notEnoughDataToValidate",
    "confirmedUserActivity": "confirmedActivity",
}  # fmt: skip
# What a side says that has not said anything yet.
_UNSET: Final[dict[str, Any]] = {
    SyncField.STATUS: None, SyncField.ASSIGNED: "", SyncField.CLASSIFICATION: "unknown",
    SyncField.DETERMINATION: "unknown", SyncField.SEVERITY: "unknown", SyncField.TAGS: [],
}  # fmt: skip
CASE_FIELDS: Final = {
    SyncField.CLASSIFICATION: Classification, SyncField.DETERMINATION: Determination, SyncField.SEVERITY: Severity,
}  # fmt: skip


class Step(StrEnum):
    """What to do about one field."""

    AGREE = "agree"
    SEND = "send"
    TAKE = "take"
    CONFLICT = "conflict"


def decide(field: str, base: Any, ours: Any, theirs: Any) -> Step:
    """By what both last agreed on (None: never) and what each has now.

    Who alone changed something prevails. A case is closed and opened by people, with checks that Defender does not
    know: a status that differs is therefore never taken over by itself.
    """
    if ours == theirs:
        return Step.AGREE
    if base is None:
        if theirs == _UNSET[field]:
            return Step.SEND
        return Step.TAKE if ours == _UNSET[field] and takes(field, theirs) else Step.CONFLICT
    if theirs == base:
        return Step.SEND
    if ours == base and takes(field, theirs):
        return Step.TAKE
    return Step.CONFLICT


def takes(field: str, theirs: Any) -> bool:
    """Whether the case can have this value without a person."""
    if field == SyncField.STATUS:
        return False
    choices = CASE_FIELDS.get(SyncField(field))
    return choices is None or theirs in choices.values


def theirs_of(incident: Incident, field: str) -> Any:
    """What Defender has."""
    if field == SyncField.STATUS:
        # "Active" is what an incident is before anybody has taken it on.
        return RESOLVED if incident.status == "resolved" else OPEN
    if field == SyncField.ASSIGNED:
        return incident.assigned_to.strip().lower()
    if field == SyncField.CLASSIFICATION:
        return incident.classification or "unknown"
    if field == SyncField.DETERMINATION:
        return _SAME.get(incident.determination, incident.determination or "unknown")
    if field == SyncField.SEVERITY:
        return incident.severity or "unknown"
    return sorted(incident.custom_tags)


def is_untouched(incident: Incident, field: str) -> bool:
    """An incident that nobody has taken on yet, although a case is open."""
    return field == SyncField.STATUS and incident.status == "active"


def ours_of(case: Case, kept: dict[str, Any], field: str) -> Any:
    """What the case has. `kept` is what it has no place for, with its incident."""
    if field == SyncField.STATUS:
        return OPEN if case.is_open else RESOLVED
    if field == SyncField.ASSIGNED:
        return str(kept.get(field, ""))
    if field == SyncField.TAGS:
        return sorted(kept.get(field, []))
    value = str(getattr(case, field))
    # Defender has no "critical".
    return "high" if field == SyncField.SEVERITY and value == Severity.CRITICAL else value


def as_sent(field: str, value: Any) -> dict[str, Any]:
    """The arguments of `GraphSecurity.update_incident` that set the value."""
    if field == SyncField.STATUS:
        return {"status": "resolved" if value == RESOLVED else "inProgress"}
    if field == SyncField.TAGS:
        return {"custom_tags": tuple(value)}
    return {str(field): value}
