"""A case as a STIX 2.1 bundle. The same case makes the same bundle, byte for byte.

A *grouping* holds it together, not a *report*: section 4.4 means it for what belongs together in an investigation,
while a report is published intelligence. The incident itself is an object beside it.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from ircase.exchange.model import LeftOut, Product, ShareData, SharedEvent, SharedIndicator, SharedSighting, SharedUse
from ircase.exchange.stix import ids, incident
from ircase.exchange.stix.markings import definition, refs
from ircase.exchange.stix.observables import observables
from ircase.exchange.stix.patterns import pattern_of
from ircase.exchange.texts import plain, stamp, to_json
from ircase.models import Indicator

MOST_COUNT: Final = 999_999_999
"""Of `number_observed` and `count` (sections 4.14 and 5.2)."""
_TYPES: Final = {
    Indicator.Verdict.MALICIOUS: "malicious-activity",
    Indicator.Verdict.SUSPICIOUS: "anomalous-activity",
    Indicator.Verdict.BENIGN: "benign",
    Indicator.Verdict.UNKNOWN: "unknown",
}
Thing = dict[str, Any]


def make(data: ShareData) -> Product:
    made = _Bundle(data)
    made.fill()
    counts = Counter(one["type"] for one in made.objects.values())
    return Product(to_json(made.bundle()), ".json", tuple(sorted(counts.items())), tuple(made.left_out))


class _Bundle:
    """Objects by id, in the order they came."""

    def __init__(self, data: ShareData) -> None:
        self.data = data
        self.objects: dict[str, Thing] = {}
        self.left_out: list[LeftOut] = []
        self.by_uuid = {one.uuid: one for one in data.indicators}
        self.author = ""

    def add(self, thing: Thing) -> str:
        identifier: str = thing["id"]
        self.objects.setdefault(identifier, thing)
        return identifier

    def fill(self) -> None:
        self.author = self.add(incident.sender(self.data))
        self.add(incident.extension_definition())
        case = self.add(incident.incident(self.data, self.author))
        techniques = {use.technique: self.add(self._technique(use)) for use in self.data.techniques}
        for indicator in self.data.indicators:
            self._indicator(indicator, techniques)
        for event in self.data.events:
            self._event(event)
        for asset in self.data.assets:
            found = self.add(incident.asset(asset, self.data, self.author))
            if incident.is_touched(asset):
                self._tie(case, "impacts", found, self.data.case.tlp, asset.added_at)
        self._group()
        self._mark()

    def bundle(self) -> Thing:
        # The bundle's id follows what is in it.
        inside = to_json(list(self.objects.values())).decode()
        return {"type": "bundle", "id": ids.derived("bundle", inside), "objects": list(self.objects.values())}

    def _base(self, kind: str, identifier: str, created: datetime, tlp: str, pap: str = "") -> Thing:
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": identifier,
            "created_by_ref": self.author,
            "created": stamp(created),
            "modified": stamp(created),
            "object_marking_refs": refs(tlp, pap),
        }

    def _technique(self, use: SharedUse) -> Thing:
        """ATT&CK's own objects are MITRE's to make: ours carries the id by which readers find theirs."""
        case = self.data.case
        identifier = ids.derived("attack-pattern", case.uuid, use.technique)
        made = self._base("attack-pattern", identifier, case.opened_at, case.tlp)
        made["name"] = plain(use.name or use.technique)
        made["external_references"] = [
            {
                "source_name": "mitre-attack",
                "external_id": use.technique,
                "url": f"https://attack.mitre.org/techniques/{use.technique.replace('.', '/')}/",
            }
        ]
        if use.tactics:
            made["kill_chain_phases"] = [
                {"kill_chain_name": "mitre-attack", "phase_name": tactic.lower().replace(" ", "-")}
                for tactic in use.tactics
            ]
        return made

    def _indicator(self, one: SharedIndicator, techniques: dict[str, str]) -> None:
        pattern = pattern_of(one.kind, one.value)
        if not pattern:
            label = Indicator.Kind(one.kind).label.lower()
            self.left_out.append(LeftOut("indicator", one.value, f"STIX has no object for a value of the kind {label}"))
            return
        start = one.first_seen or one.added_at
        made = self._base("indicator", ids.of("indicator", one.uuid), one.added_at, one.tlp, one.pap) | {
            "modified": stamp(max(one.changed_at, one.added_at)),
            "name": plain(f"{Indicator.Kind(one.kind).label}: {one.value}")[:400],
            "indicator_types": [_TYPES[Indicator.Verdict(one.verdict)]],
            "pattern": pattern,
            "pattern_type": "stix",
            "pattern_version": "2.1",
            "valid_from": stamp(start),
        }
        if one.words:
            made["description"] = plain(one.words)
        if labels := [plain(tag) for tag in one.tags if tag]:
            made["labels"] = labels
        if one.expires_at and stamp(one.expires_at) > stamp(start):
            made["valid_until"] = stamp(one.expires_at)
        found = self.add(made)
        self._tie_indicator(one, found, techniques)
        if one.sightings:
            self._sighting(one, found)

    def _tie_indicator(self, one: SharedIndicator, found: str, techniques: dict[str, str]) -> None:
        for technique in one.techniques:
            if technique in techniques:
                self._tie(found, "indicates", techniques[technique], one.tlp, one.added_at)
        for name in one.malware:
            self._tie(found, "indicates", self._named("malware", name, one), one.tlp, one.added_at)
        for name in one.tools:
            self._tie(found, "indicates", self._named("tool", name, one), one.tlp, one.added_at)

    def _named(self, kind: str, name: str, by: SharedIndicator) -> str:
        """Malware or a tool that a person named. The first indicator of it gives its marking and its time."""
        case = self.data.case
        made = self._base(kind, ids.derived(kind, case.uuid, name), by.added_at, by.tlp) | {"name": plain(name)}
        return self.add(made | ({"is_family": True} if kind == "malware" else {}))

    def _sighting(self, one: SharedIndicator, indicator: str) -> None:
        seen = [self._observed(one, sighting) for sighting in one.sightings]
        first = min(sighting.first for sighting in one.sightings)
        last = max(sighting.last for sighting in one.sightings)
        made = self._base("sighting", ids.derived("sighting", one.uuid), one.added_at, one.tlp, one.pap) | {
            "sighting_of_ref": indicator,
            "where_sighted_refs": [self.author],
            "count": min(sum(sighting.rows for sighting in one.sightings), MOST_COUNT),
            "first_seen": stamp(first),
            "last_seen": stamp(max(first, last)),
        }
        if refs_of := [found for found in seen if found]:
            made["observed_data_refs"] = refs_of
        self.add(made)

    def _observed(self, one: SharedIndicator, sighting: SharedSighting) -> str:
        objects = self._observables(one)
        if not objects:
            return ""
        identifier = ids.derived("observed-data", one.uuid, sighting.table)
        made = self._base("observed-data", identifier, one.added_at, one.tlp, one.pap) | {
            "first_observed": stamp(sighting.first),
            "last_observed": stamp(max(sighting.first, sighting.last)),
            "number_observed": max(1, min(sighting.rows, MOST_COUNT)),
            "object_refs": objects,
        }
        return self.add(made)

    def _observables(self, one: SharedIndicator) -> list[str]:
        """The ids of its observables. One that several indicators share keeps the most closed marking of them."""
        found = []
        for thing in observables(one.kind, one.value):
            there = self.objects.get(thing["id"])
            marks = refs(one.tlp, one.pap)
            found.append(self.add(thing | {"object_marking_refs": marks}))
            if there is not None:
                there["object_marking_refs"] = _closer(there["object_marking_refs"], marks)
        return found

    def _event(self, event: SharedEvent) -> None:
        """An event that a row, an exhibit or an alert proves, with the indicators it names."""
        named = [self.by_uuid[uuid] for uuid in event.indicators if uuid in self.by_uuid]
        objects = list(dict.fromkeys(found for one in named for found in self._observables(one)))
        if not event.proved or not objects:
            why = "STIX observes objects: it names no indicator that is one" if event.proved else "no row proves it"
            self.left_out.append(LeftOut("event", event.title, why))
            return
        tlp = self.data.case.tlp
        made = self._base("observed-data", ids.of("observed-data", event.uuid), event.added_at, tlp) | {
            "first_observed": stamp(event.at),
            "last_observed": stamp(event.until or event.at),
            "number_observed": 1,
            "object_refs": objects,
        }
        self.add(made)

    def _tie(self, source: str, kind: str, target: str, tlp: str, at: datetime) -> None:
        made = self._base("relationship", ids.derived("relationship", source, kind, target), at, tlp)
        self.add(made | {"relationship_type": kind, "source_ref": source, "target_ref": target})

    def _group(self) -> None:
        case = self.data.case
        inside = [key for key, one in self.objects.items() if one["type"] != "extension-definition"]
        made = self._base("grouping", ids.of("grouping", case.uuid), case.opened_at, self.data.highest_tlp) | {
            "modified": stamp(max(case.changed_at, case.opened_at)),
            "name": plain(case.name),
            "context": "suspicious-activity",
            "object_refs": inside,
        }
        self.add(made)

    def _mark(self) -> None:
        """The marking definitions that are used, before everything that uses them."""
        used = dict.fromkeys(ref for one in self.objects.values() for ref in one.get("object_marking_refs", ()))
        self.objects = {**{ref: definition(ref) for ref in sorted(used)}, **self.objects}


def _closer(one: list[str], other: list[str]) -> list[str]:
    """Of two lists of TLP and PAP the more closed of each."""
    return list(_closest(one + other))


def _closest(marks: list[str]) -> Iterator[str]:
    for known in (_TLP_REFS, _PAP_REFS):
        if found := [mark for mark in marks if mark in known]:
            yield max(found, key=known.index)


_TLP_REFS: Final = [refs(level)[0] for level in ("clear", "green", "amber", "amber+strict", "red")]
_PAP_REFS: Final = [refs("clear", level)[1] for level in ("clear", "green", "amber", "red")]
