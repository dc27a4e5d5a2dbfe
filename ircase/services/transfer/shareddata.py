"""What of a case may leave, as one frozen data set: by TLP, by PAP, by verdict, behind a mask, and never too much."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, QuerySet

from ircase import attack, attackmatrix
from ircase.exchange.model import (
    LeftOut,
    SharedAsset,
    ShareData,
    SharedCase,
    SharedEvent,
    SharedHunted,
    SharedIndicator,
    SharedSighting,
    SharedUse,
    pap_rank,
)
from ircase.indicators import harmless
from ircase.models import Asset, Case, CaseShare, Classification, Determination, Event, Indicator, Pap, Sighting, Tlp
from ircase.redaction import Mask, Redaction
from ircase.services.writing import redacting

MOST: Final = 10_000
"""Of indicators, of events and of assets in one file."""
LONGEST_WORDS: Final = 5_000
_CHUNK: Final = 500
_EXHIBIT: Final = re.compile(r"E0*([1-9]\d{0,8})")
_PROOFS: Final = ("run", "evidence", "alert", "incident", "exhibit")
Part = CaseShare.Part


@dataclass(frozen=True)
class Wish:
    """What somebody wants to give away: at most `redaction.tlp` and `pap`, masked, in the name of `sender`. `hunted`:
    the format has a place for what was looked for and not found, which goes with the events."""

    redaction: Redaction
    pap: str
    parts: tuple[str, ...]
    sender: str
    hunted: bool = False

    def has(self, part: Part) -> bool:
        return part in self.parts


def collect(case: Case, wish: Wish) -> ShareData:
    """Reads the case; a mask gives names that it meets for the first time their word, which is kept."""
    return _Collector(case, wish).collect()


class _Collector:
    def __init__(self, case: Case, wish: Wish) -> None:
        self.case, self.wish = case, wish
        self.mask: Mask = redacting.mask_of(case, wish.redaction)
        self.open = wish.redaction.allows(case.tlp)
        self.left: list[LeftOut] = []
        self.exhibits: set[int] = set()

    def collect(self) -> ShareData:
        events = self._events()
        assets = self._assets()
        return ShareData(
            sender=self.wish.sender,
            case=self._case(),
            indicators=self._indicators(events),
            events=events,
            assets=assets,
            techniques=_techniques(events),
            hunted=self._hunted(),
            attack_version=attack.release().version,
            left_out=tuple(self.left),
            exhibits=tuple(sorted(self.exhibits)),
        )

    def _leave(self, what: str, name: str, why: str) -> None:
        self.left.append(LeftOut(what, name, why))

    def _words(self, *texts: str) -> str:
        """Masked before it is cut: half of a name is no name to a mask."""
        return self.mask.text(" ".join(text.strip() for text in texts if text.strip()))[:LONGEST_WORDS]

    def _tags(self, tags: Iterable[Any]) -> tuple[str, ...]:
        """A tag that names somebody stays here."""
        return tuple(tag.name for tag in tags if self.mask.text(tag.name) == tag.name)

    def _case(self) -> SharedCase:
        case = self.case
        worded = self.open and self.wish.has(Part.WORDS)
        if self.wish.has(Part.WORDS) and not self.open:
            self._leave("case", "title and summary", self._closed())
        return SharedCase(
            uuid=case.uuid,
            reference=case.reference,
            title=self.mask.text(case.title) if worded else "",
            summary=self._words(case.summary) if worded else "",
            is_open=case.is_open,
            severity=case.severity,
            tlp=case.tlp if self.open else self.wish.redaction.tlp,
            classification=case.classification if self.open else Classification.UNKNOWN,
            determination=case.determination if self.open else Determination.UNKNOWN,
            exercise=case.exercise,
            opened_at=case.opened_at,
            changed_at=case.closed_at or case.opened_at,
            milestones=tuple(case.milestones.values_list("kind", "at")) if self.open else (),
            alarmed=self.open and case.incidents.exists(),
        )

    def _closed(self) -> str:
        return f"the case is {Tlp(self.case.tlp).label}"

    def _taken(self, what: str, rows: QuerySet[Any]) -> list[Any]:
        found = list(rows[: MOST + 1].iterator(chunk_size=_CHUNK))
        if len(found) > MOST:
            self._leave(what, f"{rows.count() - MOST:,} more", f"a file holds {MOST:,} of them")
        return found[:MOST]

    # Events

    def _events(self) -> tuple[SharedEvent, ...]:
        if not self.wish.has(Part.EVENTS):
            return ()
        rows = Event.objects.filter(case=self.case)
        if not self.open:
            if count := rows.count():
                self._leave("event", f"{count:,} of them", self._closed())
            return ()
        hidden = rows.filter(in_report=False).count()
        if hidden:
            self._leave("event", f"{hidden:,} of them", "taken out of the report")
        shown = rows.filter(in_report=True).defer("row").order_by("at", "pk")
        wanted = shown.prefetch_related("techniques", "tags", "assets", "indicators")
        return tuple(self._event(row) for row in self._taken("event", wanted))

    def _event(self, row: Event) -> SharedEvent:
        self._exhibit(row.provenance.get("exhibit"))
        uses = dict.fromkeys(
            (attack.current_id(one.technique) or one.technique, one.tactic) for one in row.techniques.all()
        )
        return SharedEvent(
            uuid=row.uuid,
            at=row.at,
            until=row.until,
            precision=row.precision,
            title=self.mask.text(row.title),
            words=self._words(row.description),
            lane=row.lane,
            source=self.mask.text(row.source),
            proved=any(row.provenance.get(name) for name in _PROOFS),
            added_at=row.added_at,
            uses=tuple(uses),
            tags=self._tags(row.tags.all()),
            assets=tuple(one.uuid for one in row.assets.all()),
            indicators=tuple(one.uuid for one in row.indicators.all()),
        )

    def _hunted(self) -> tuple[SharedHunted, ...]:
        """Not what an event shows, also one that stays here: nobody shall read that it was not found."""
        if not (self.wish.hunted and self.open and self.wish.has(Part.EVENTS)):
            return ()
        seen, _, _ = attackmatrix.seen_of(self.case)
        return tuple(
            SharedHunted(technique, one.hunts)
            for technique, one in sorted(seen.items())
            if one.hunts and not one.hits and not one.events
        )

    def _exhibit(self, named: object) -> None:
        if found := _EXHIBIT.fullmatch(str(named or "")):
            self.exhibits.add(int(found[1]))

    # Assets

    def _assets(self) -> tuple[SharedAsset, ...]:
        if not self.wish.has(Part.ASSETS):
            return ()
        rows = Asset.objects.filter(case=self.case).defer("details").order_by("kind", "name", "pk")
        if not self.open:
            if count := rows.count():
                self._leave("asset", f"{count:,} of them", self._closed())
            return ()
        found = []
        for row in self._taken("asset", rows):
            if row.compromise == Asset.Compromise.CLEAN:
                self._leave("asset", row.name, "found to be clean")
            else:
                found.append(self._asset(row))
        return tuple(found)

    def _asset(self, row: Asset) -> SharedAsset:
        name, words = self.mask.text(row.name), self._words(row.description)
        return SharedAsset(row.uuid, row.kind, name, row.compromise, words, row.added_at)

    # Indicators

    def _indicators(self, events: tuple[SharedEvent, ...]) -> tuple[SharedIndicator, ...]:
        if not self.wish.has(Part.INDICATORS):
            return ()
        known = harmless.known()
        rows = Indicator.objects.filter(case=self.case).order_by("kind", "value", "pk").prefetch_related("tags")
        sightings = self._sightings()
        techniques = _by_indicator(events)
        found = []
        for row in self._taken("indicator", rows):
            entry = known.of(row.kind, row.value)
            why = f"known to be harmless: {entry.reason}" if entry else self._why_not(row)
            if why:
                self._leave("indicator", row.value, why)
            else:
                found.append(self._indicator(row, techniques[row.uuid], sightings.get(row.pk, ())))
        return tuple(found)

    def _why_not(self, row: Indicator) -> str:
        """Why it stays here; empty where it may leave."""
        if not self.wish.redaction.allows(row.tlp):
            return f"it is {Tlp(row.tlp).label}"
        if pap_rank(row.pap) > pap_rank(self.wish.pap):
            return f"it is {Pap(row.pap).label}"
        if row.verdict == Indicator.Verdict.BENIGN:
            return "judged benign"
        if row.verdict == Indicator.Verdict.UNKNOWN and not self.wish.has(Part.UNJUDGED):
            return "nobody judged it yet"
        if self.mask.text(row.value) != row.value:
            return "it names what is masked"
        return ""

    def _indicator(
        self, row: Indicator, techniques: tuple[str, ...], seen: tuple[tuple[SharedSighting, int], ...]
    ) -> SharedIndicator:
        self.exhibits.update(number for _, number in seen)
        return SharedIndicator(
            uuid=row.uuid,
            kind=row.kind,
            value=row.value,
            tlp=row.tlp,
            pap=row.pap,
            verdict=row.verdict,
            words=self._words(row.verdict_reason, row.description),
            added_at=row.added_at,
            changed_at=row.verdict_at or row.added_at,
            first_seen=row.first_seen,
            last_seen=row.last_seen,
            expires_at=row.expires_at,
            tags=self._tags(row.tags.all()),
            techniques=techniques,
            sightings=tuple(sighting for sighting, _ in seen),
        )

    def _sightings(self) -> dict[int, tuple[tuple[SharedSighting, int], ...]]:
        """By indicator's pk: where it was seen and the number of the exhibit. What rows say bears the case's TLP."""
        if not self.open:
            return {}
        names = (
            "indicator_id", "table__uuid", "table__evidence__number", "indicator__first_seen", "indicator__last_seen",
            "table__first_time", "table__last_time",
        )  # fmt: skip
        # Several columns of a table may hold it in the same rows: the largest count is sure.
        rows = Sighting.objects.filter(indicator__case=self.case, table__evidence__destroyed_at=None)
        found: dict[int, list[tuple[SharedSighting, int]]] = defaultdict(list)
        counted = rows.order_by().values_list(*names).annotate(most=Max("rows"), looked=Max("looked_at"))
        for pk, table, number, first, last, start, end, most, looked in counted.order_by("table__uuid").iterator():
            seen = SharedSighting(most, *_between(first or start or looked, last or end or looked), table)
            found[pk].append((seen, number))
        return {pk: tuple(seen) for pk, seen in found.items()}


def _between(first: datetime, last: datetime) -> tuple[datetime, datetime]:
    return first, max(first, last)


def _by_indicator(events: Iterable[SharedEvent]) -> dict[UUID, tuple[str, ...]]:
    found: dict[UUID, dict[str, None]] = defaultdict(dict)
    for event in events:
        for uuid in event.indicators:
            found[uuid].update(dict.fromkeys(technique for technique, _ in event.uses))
    made: dict[UUID, tuple[str, ...]] = defaultdict(tuple)
    return made | {uuid: tuple(sorted(techniques)) for uuid, techniques in found.items()}


def _techniques(events: Iterable[SharedEvent]) -> tuple[SharedUse, ...]:
    """Every technique of the events. Where nobody said what it served, ATT&CK's own tactics stand."""
    said: dict[str, dict[str, None]] = defaultdict(dict)
    for event in events:
        for technique, tactic in event.uses:
            said[technique].update({tactic: None} if tactic else {})
    return tuple(_use(technique, tuple(tactics)) for technique, tactics in sorted(said.items()))


def _use(technique: str, tactics: tuple[str, ...]) -> SharedUse:
    known = attack.techniques().get(technique)
    if known is None:
        return SharedUse(technique, technique, tactics)
    name = known.name.split(": ", 1)[-1] if "." in technique else known.name
    return SharedUse(technique, name, tactics or known.tactics)


def grouped(left: Iterable[LeftOut]) -> list[tuple[str, str, int]]:
    """What stays, as (what, why, how many), the most first."""
    counts = Counter((one.what, one.why) for one in left)
    return [(what, why, count) for (what, why), count in counts.most_common()]
