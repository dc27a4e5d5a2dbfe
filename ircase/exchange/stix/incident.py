"""The case itself: an incident with OASIS's core extension, and who reports it.

STIX 2.1 leaves `incident` a stub on purpose (section 4.7). Its Incident Core Extension gives it the facts that every
case has; only what versions 1.1 and 2.0 of that extension share is written, so that readers of either accept it.
https://github.com/oasis-open/cti-stix-common-objects/tree/main/extension-definition-specifications/incident-core
"""

from typing import Any, Final

from ircase.exchange.model import SharedAsset, ShareData
from ircase.exchange.stix import ids
from ircase.exchange.stix.markings import refs
from ircase.exchange.texts import plain, stamp
from ircase.models import Asset, Classification, Determination, Severity

EXTENSION: Final = "extension-definition--ef765651-680c-498d-9894-99799f2fa126"
CRITICALITY: Final = {
    Severity.INFORMATIONAL: 10, Severity.LOW: 25, Severity.MEDIUM: 50, Severity.HIGH: 75, Severity.CRITICAL: 95,
}  # fmt: skip
"""Of 100; inside the ranges that STIX's appendix on confidence scales gives the same words."""
_TOUCHED: Final = (Asset.Compromise.SUSPECTED, Asset.Compromise.CONFIRMED, Asset.Compromise.RECOVERED)


def sender(data: ShareData) -> dict[str, Any]:
    """The organisation in whose name the bundle leaves. It is the same object for every case of that name."""
    started = "2020-01-01T00:00:00.000Z"
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": ids.derived("identity", "organisation", data.sender),
        "created": started,
        "modified": started,
        "name": plain(data.sender),
        "identity_class": "organization",
    }


def extension_definition() -> dict[str, Any]:
    """The published object, so that a reader finds what the extension is."""
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": EXTENSION,
        "created_by_ref": "identity--8ce3f695-d5a4-4dc8-9e93-a65af453a31a",
        "created": "2020-10-19T20:51:00.000Z",
        "modified": "2022-10-27T15:09:00.000Z",
        "name": "Incident Core Extension",
        "description": "Core details of an incident. By OASIS; see the schema.",
        "schema": "https://github.com/oasis-open/cti-stix-common-objects/tree/main/extension-definition-specifications/"
        "incident-core",
        "version": "1.1.0",
        "extension_types": ["property-extension"],
    }


def incident(data: ShareData, author: str) -> dict[str, Any]:
    case = data.case
    made = {
        "type": "incident",
        "spec_version": "2.1",
        "id": ids.of("incident", case.uuid),
        "created_by_ref": author,
        "created": stamp(case.opened_at),
        "modified": stamp(max(case.changed_at, case.opened_at)),
        "name": plain(case.name),
        "object_marking_refs": refs(case.tlp if case.title else data.highest_tlp),
        "external_references": [{"source_name": "IRCase", "external_id": plain(case.reference)}],
        "extensions": {
            EXTENSION: {
                "extension_type": "property-extension",
                "determination": _determination(data),
                "investigation_status": "open" if case.is_open else "closed",
                "criticality": CRITICALITY[Severity(case.severity)],
            }
        },
    }
    known = [case.determination] if case.determination != Determination.UNKNOWN else []
    if labels := [*known, *(["exercise"] if case.exercise else [])]:
        made["labels"] = labels
    if words := plain(case.summary):
        made["description"] = words
    return made


def _determination(data: ShareData) -> str:
    """Of the words that both versions have. A true positive says that it was real, not that it came through: that is
    left as suspected."""
    known = {Classification.FALSE_POSITIVE.value: "false-positive"}
    return known.get(data.case.classification, "suspected")


def asset(one: SharedAsset, data: ShareData, author: str) -> dict[str, Any]:
    """A device, mailbox or application as a system, an account as its holder."""
    person = one.kind == Asset.Kind.ACCOUNT
    made = {
        "type": "identity",
        "spec_version": "2.1",
        "id": ids.of("identity", one.uuid),
        "created_by_ref": author,
        "created": stamp(one.added_at),
        "modified": stamp(one.added_at),
        "name": plain(one.name) or "unnamed",
        "identity_class": "individual" if person else "system",
        "labels": [str(one.kind)],
        "object_marking_refs": refs(data.case.tlp),
    }
    return made | ({"description": plain(one.words)} if one.words else {})


def is_touched(one: SharedAsset) -> bool:
    return one.compromise in _TOUCHED
