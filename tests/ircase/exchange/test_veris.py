"""VERIS: the keys that its schema requires, and no word that its lists do not have.

The package index has no validator of it (its `veris` is another thing), so what a file needs is written here, from
https://github.com/vz-risk/veris (verisc.json, verisc-enum.json), and held by jsonschema.
"""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase.exchange import veris
from ircase.exchange.model import SharedUse
from ircase.exchange.veris.words import ACTS
from tests.ircase.exchange import data as made

HACKING = [
    "Abuse of functionality", "Brute force", "Disable controls", "DoS", "Evade Defenses", "Exploit misconfig",
    "Exploit vuln", "MitM", "Offline cracking", "Pass-the-hash", "Profile host", "Scan network", "Session replay",
    "Use of stolen creds", "User breakout", "Other", "Unknown",
]  # fmt: skip
MALWARE = [
    "Backdoor", "C2", "Capture app data", "Capture stored data", "Cryptocurrency mining", "Destroy data", "In-memory",
    "Modify data", "Disable controls", "Downloader", "Evade Defenses", "Export data", "Packet sniffer",
    "Password dumper", "Profile host", "Ransomware", "RAT", "Rootkit", "Spyware/Keylogger", "Worm", "Other", "Unknown",
]  # fmt: skip
VECTORS = {
    "hacking": ["Backdoor", "Command shell", "Desktop sharing software", "Partner", "VPN", "Web application",
                "Unknown"],
    "malware": ["C2", "Direct install", "Download by malware", "Email attachment", "Removable media", "Software update",
                "Web application - drive-by", "Unknown"],
    "social": ["Email", "Phone", "SMS", "Web application", "Unknown"],
    "misuse": ["LAN access", "Remote access", "Unknown"],
}  # fmt: skip
VARIETIES = {
    "hacking": HACKING, "malware": MALWARE, "social": ["Phishing", "Pretexting", "Other", "Unknown"],
    "misuse": ["Privilege abuse", "Unapproved software", "Other", "Unknown"],
}  # fmt: skip
INTEGRITY = ["Alter behavior", "Created account", "Defacement", "Log tampering", "Modify configuration", "Modify data",
             "Modify privileges", "Repurpose", "Software installation", "Other", "Unknown"]  # fmt: skip
AVAILABILITY = ["Degradation", "Destruction", "Interruption", "Loss", "Obscuration", "Other", "Unknown"]
UNITS = ["Seconds", "Minutes", "Hours", "Days", "Weeks", "Months", "Years", "Never", "NA", "Unknown"]


def some(words: list[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": words}}


def thing(required: list[str], **keys: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": keys}


TEXT, NOTHING = {"type": "string", "minLength": 1}, {"type": "object", "maxProperties": 0}
SPAN = thing(["unit"], unit={"enum": UNITS}, value={"type": "number"})
UNSAID = some(["Unknown"])


def action(kind: str) -> dict[str, Any]:
    more = {"target": UNSAID} if kind == "social" else {}
    return thing(["variety", "vector", *more], variety=some(VARIETIES[kind]), vector=some(VECTORS[kind]), **more)


SCHEMA = thing(
    ["actor", "action", "discovery_method", "schema_version", "asset", "timeline", "attribute", "incident_id",
     "security_incident"],
    schema_version={"enum": ["1.3.7"]}, incident_id=TEXT, source_id=TEXT, reference=TEXT, summary=TEXT, plus={},
    security_incident={"enum": ["Confirmed", "Suspected", "Near miss", "False positive"]},
    victim=thing(["country", "employee_count", "industry"], country=UNSAID, employee_count={"enum": ["Unknown"]},
                 industry={"type": "string", "minLength": 2, "maxLength": 6, "pattern": r"^\d{2}-?\d{0,4}$"}),
    actor={"type": "object", "minProperties": 1, **thing(
        [], external=thing(["country", "variety", "motive"], country=UNSAID, variety=UNSAID, motive=UNSAID),
        internal=thing(["variety", "motive"], variety=UNSAID, motive=UNSAID), unknown=NOTHING)},
    action={**thing([], unknown=NOTHING, **{kind: action(kind) for kind in VARIETIES}), "minProperties": 1},
    asset=thing(["assets"], assets={"type": "array", "minItems": 1, "uniqueItems": True, "items": thing(
        ["variety"], amount={"type": "integer"},
        variety={"enum": ["P - Unknown", "S - Mail", "S - Other", "Other", "Unknown"]})}),
    attribute=thing([], confidentiality=thing(
        ["data_disclosure"], data_disclosure={"enum": ["Yes", "Potentially", "No", "Unknown"]},
        data={"type": "array", "minItems": 1, "items": thing(["variety"], variety={"enum": ["Unknown"]})}),
        integrity=thing(["variety"], variety=some(INTEGRITY)),
        availability=thing(["variety"], variety=some(AVAILABILITY))),
    timeline=thing(["incident"], incident=thing(["year"], **{
        name: {"type": "integer"} for name in ("year", "month", "day")}, time=TEXT),
        compromise=SPAN, exfiltration=SPAN, discovery=SPAN, containment=SPAN),
    discovery_method=thing([], internal=thing(["variety"], variety=some(["Security alarm"])), unknown=NOTHING),
    targeted={"enum": ["Unknown"]}, impact=thing(["overall_rating"], overall_rating={"enum": ["Unknown"]}),
    ioc={"type": "array", "minItems": 1, "items": thing(["indicator"], indicator=TEXT, comment=TEXT)},
)  # fmt: skip


def of(data: Any) -> Any:
    found = json.loads(veris.make(data).data)
    jsonschema.validate(found, SCHEMA)
    return found


def uses(*techniques: str) -> tuple[SharedUse, ...]:
    return tuple(SharedUse(one, "Its name") for one in techniques)


def case(**more: Any) -> Any:
    return dataclasses.replace(made.data().case, **more)


def test_a_rich_case() -> None:
    product = veris.make(made.rich())
    found = of(made.rich())
    assert found["security_incident"] == "Confirmed"
    assert found["action"] == {
        "malware": {"variety": ["Backdoor"], "vector": ["Unknown"]},
        "hacking": {"variety": ["Abuse of functionality"], "vector": ["Command shell"]},
    }
    assert found["attribute"] == {
        "confidentiality": {"data_disclosure": "Unknown"}, "integrity": {"variety": ["Modify configuration"]},
    }  # fmt: skip
    # The device, the account and the application were compromised; of the mailbox nobody knows.
    assert found["asset"]["assets"] == [
        {"variety": "P - Unknown", "amount": 1}, {"variety": "S - Other", "amount": 1},
        {"variety": "Unknown", "amount": 1},
    ]  # fmt: skip
    assert [(one.what, one.name) for one in product.left_out] == [("asset", "hr@corp.example")]
    assert dict(product.counts) == {"actions": 2, "assets": 3, "indicators": 22}
    assert len(found["ioc"]) == 22 and found["plus"]["attack_techniques"] == ["T1059.001", "T1547.001"]


def test_nothing_known_is_said_to_be_unknown() -> None:
    found = of(made.data(case=case(determination="unknown", classification="unknown", title="", summary="")))
    assert found["actor"] == found["action"] == found["discovery_method"] == {"unknown": {}}
    assert found["attribute"] == {"confidentiality": {"data_disclosure": "Unknown"}}
    assert found["asset"] == {"assets": [{"variety": "Unknown"}]}
    assert found["security_incident"] == "Suspected" and "summary" not in found and "ioc" not in found


def test_who_how_and_what_came_of_it() -> None:
    phished = made.data(techniques=uses("T1566.001", "T1078", "T1021.001", "T1567.002", "T1486", "T1070.001", "T9999"))
    found = of(phished)
    assert list(found["actor"]) == ["external"]
    assert found["action"]["social"] == {"variety": ["Phishing"], "vector": ["Email"], "target": ["Unknown"]}
    assert found["action"]["hacking"] == {
        "variety": ["Evade Defenses", "Use of stolen creds"], "vector": ["Desktop sharing software"],
    }  # fmt: skip
    assert found["action"]["malware"]["variety"] == ["Export data", "Ransomware"]
    assert found["attribute"]["confidentiality"]["data_disclosure"] == "Potentially"
    assert found["attribute"]["availability"]["variety"] == ["Obscuration"]
    assert found["attribute"]["integrity"]["variety"] == ["Log tampering"]
    assert [one.name for one in veris.make(phished).left_out] == ["T9999 Its name"]
    insider = of(made.data(case=case(determination="maliciousUserActivity")))
    assert list(insider["actor"]) == ["internal"] and list(insider["action"]) == ["misuse"]


def span(unit: str, value: int) -> dict[str, Any]:
    return {"unit": unit, "value": value}


@pytest.mark.parametrize(
    ("spans", "discovery", "containment"),
    [
        ((timedelta(days=3, hours=5), timedelta(minutes=90)), span("Days", 3), span("Hours", 1)),
        ((timedelta(seconds=59), timedelta(seconds=60)), span("Seconds", 59), span("Minutes", 1)),
        ((timedelta(hours=-1), timedelta(0)), {"unit": "Unknown"}, span("Seconds", 0)),
    ],
)  # fmt: skip
def test_spans_between_milestones(spans: Any, discovery: Any, containment: Any) -> None:
    occurred = made.DAY
    detected = occurred + spans[0]
    known = (("occurred", occurred), ("detected", detected), ("contained", detected + spans[1]))
    found = of(made.data(case=case(milestones=known, alarmed=True)))
    assert found["timeline"]["discovery"] == discovery and found["timeline"]["containment"] == containment
    assert found["timeline"]["incident"] == {"year": 2026, "month": 11, "day": 20, "time": "16:30:00"}
    assert found["discovery_method"] == {"internal": {"variety": ["Security alarm"]}}


def test_every_technique_of_the_table_gives_words_of_the_lists() -> None:
    for technique in ACTS:
        of(made.data(techniques=uses(technique)))


@given(made.hostile, made.hostile)
@settings(max_examples=40, deadline=None)
def test_hostile_texts(title: str, value: str) -> None:
    found = of(made.data(case=case(title=title), indicators=(made.indicator(value=value),), sender=value))
    assert found["incident_id"] == str(made.data().case.uuid)


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_techniques_together(techniques: list[str]) -> None:
    of(made.data(techniques=uses(*techniques)))
