"""A case as a MISP event: attributes, objects by template, tags for TLP, PAP and ATT&CK, the timeline as a report.

It is unpublished and for the receiver's organisation alone: who takes it in decides what becomes of it there.
"""

import uuid
from collections import Counter
from datetime import datetime
from typing import Any, Final

from ircase.exchange.misp.attributes import TARGETS, parts_of, plain_type
from ircase.exchange.model import LeftOut, Product, SharedAsset, ShareData, SharedEvent, SharedIndicator, SharedUse
from ircase.exchange.stix import ids
from ircase.exchange.texts import plain, stamp, to_json
from ircase.models import Indicator, Severity

OWN_ORGANISATION: Final = "0"
INHERITED: Final = "5"
"""Levels of distribution of events and of what is in them."""
LONGEST_INFO: Final = 65_000
LONGEST_VALUE: Final = 65_000
_THREAT: Final = {
    Severity.CRITICAL: "1", Severity.HIGH: "1", Severity.MEDIUM: "2", Severity.LOW: "3", Severity.INFORMATIONAL: "4",
}  # fmt: skip
_DETECTS: Final = (Indicator.Verdict.MALICIOUS, Indicator.Verdict.SUSPICIOUS)
Thing = dict[str, Any]


def make(data: ShareData) -> Product:
    attributes: list[Thing] = []
    objects: list[Thing] = []
    left: list[LeftOut] = []
    for one in data.indicators:
        if one.kind in (Indicator.Kind.OTHER, Indicator.Kind.MAILBOX_RULE) and not one.value.strip():
            continue
        made = _object(one)
        if made is not None:
            objects.append(made)
        else:
            attributes.append(_attribute(one))
    for asset in data.assets:
        if asset.kind in TARGETS:
            attributes.append(_target(asset, data))
        else:
            left.append(LeftOut("asset", asset.name, "MISP has targets for devices, accounts and mailboxes only"))
    event = _event(data) | {"Attribute": attributes, "Object": objects, "EventReport": _reports(data)}
    counts = Counter({"attributes": len(attributes), "techniques": len(data.techniques), "events": len(data.events)})
    counts.update(f"{one['name']} objects" for one in objects)
    return Product(to_json({"Event": event}), ".json", tuple((k, n) for k, n in counts.items() if n), tuple(left))


def _event(data: ShareData) -> Thing:
    case = data.case
    author = uuid.UUID(ids.derived("identity", "organisation", data.sender).removeprefix("identity--"))
    organisation = {"name": plain(data.sender)[:250], "uuid": str(author)}
    return {
        "uuid": str(case.uuid),
        "info": plain(case.name)[:LONGEST_INFO],
        "date": stamp(case.opened_at)[:10],
        "threat_level_id": _THREAT[Severity(case.severity)],
        "analysis": "1" if case.is_open else "2",
        "distribution": OWN_ORGANISATION,
        "published": False,
        "timestamp": _seconds(max(case.changed_at, case.opened_at)),
        "Org": organisation,
        "Orgc": organisation,
        "Tag": [
            *_markings(data.highest_tlp),
            *([{"name": 'ircase:case="exercise"'}] if case.exercise else []),
            *({"name": _galaxy(use)} for use in data.techniques),
        ],
    }


def _galaxy(use: SharedUse) -> str:
    """The tag by which MISP ties its ATT&CK galaxy to an event. A quote in a tag would end it."""
    name = plain(use.name).replace('"', "'")
    return f'misp-galaxy:mitre-attack-pattern="{name} - {use.technique}"'


def _markings(tlp: str, pap: str = "") -> list[Thing]:
    """Tags of the taxonomies `tlp` and `PAP`."""
    return [{"name": f"tlp:{tlp}"}, *([{"name": f"PAP:{pap.upper()}"}] if pap else [])]


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _common(one: SharedIndicator) -> Thing:
    made: Thing = {"timestamp": _seconds(max(one.changed_at, one.added_at)), "distribution": INHERITED}
    first, last = one.first_seen, one.last_seen
    made |= {"first_seen": stamp(first)} if first else {}
    made |= {"last_seen": stamp(max(first, last) if first else last)} if last else {}
    return made


def _tags(one: SharedIndicator) -> list[Thing]:
    return [*_markings(one.tlp, one.pap), *({"name": f"ircase:{plain(tag)}"} for tag in one.tags)]


def _detects(one: SharedIndicator) -> bool:
    """A receiver's sensors may look for it: only where people judged it bad."""
    return one.verdict in _DETECTS


def _comment(one: SharedIndicator) -> str:
    verdict = Indicator.Verdict(one.verdict).label
    return plain(f"{verdict}. {one.words}" if one.words else f"{verdict}.")[:LONGEST_VALUE]


def _attribute(one: SharedIndicator) -> Thing:
    found = plain_type(one.kind, one.value) or ("text", "Other", False)
    kind, category, can = found
    return {
        "uuid": str(one.uuid),
        "type": kind,
        "category": category,
        "value": plain(one.value)[:LONGEST_VALUE],
        "to_ids": can and _detects(one),
        "comment": _comment(one),
        "Tag": _tags(one),
        **_common(one),
    }


def _object(one: SharedIndicator) -> Thing | None:
    found = parts_of(one.kind, one.value)
    if found is None:
        return None
    template = found.template
    return {
        "uuid": str(one.uuid),
        "name": template.name,
        "meta-category": template.category,
        "description": template.description,
        "template_uuid": template.uuid,
        "template_version": template.version,
        "comment": _comment(one),
        **_common(one),
        "Attribute": [
            {
                "uuid": str(uuid.uuid5(one.uuid, part.relation)),
                "object_relation": part.relation,
                "type": part.type,
                "category": part.category,
                "value": part.value[:LONGEST_VALUE],
                "to_ids": part.detects and _detects(one),
                "Tag": _tags(one),
                **_common(one),
            }
            for part in found.parts
        ],
    }


def _target(asset: SharedAsset, data: ShareData) -> Thing:
    return {
        "uuid": str(asset.uuid),
        "type": TARGETS[asset.kind],
        "category": "Targeting data",
        "value": plain(asset.name),
        "to_ids": False,
        "comment": plain(asset.words)[:LONGEST_VALUE],
        "Tag": _markings(data.case.tlp),
        "timestamp": _seconds(asset.added_at),
        "distribution": INHERITED,
    }


def _reports(data: ShareData) -> list[Thing]:
    """The summary and the timeline as markdown, where there is one."""
    case = data.case
    lines = [plain(case.summary)] if case.summary else []
    if data.events:
        lines += ["## Timeline", "", "| Time (UTC) | What | ATT&CK |", "|---|---|---|", *map(_row, data.events)]
    if not lines:
        return []
    return [
        {
            "uuid": str(uuid.uuid5(case.uuid, "event report")),
            "name": f"{plain(case.reference)}: summary and timeline",
            "content": "\n".join(lines),
            "distribution": INHERITED,
            "timestamp": _seconds(max(case.changed_at, case.opened_at)),
        }
    ]


def _row(event: SharedEvent) -> str:
    techniques = ", ".join(dict.fromkeys(technique for technique, _ in event.uses))
    return f"| {stamp(event.at)} | {_cell(event.title)} | {techniques} |"


def _cell(text: str) -> str:
    """Text in a table of markdown: nothing in it may end the cell or be read as markup."""
    flat = " ".join(plain(text).split())
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#|!&@" else letter for letter in flat)
