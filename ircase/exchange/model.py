"""What of a case may leave: one frozen data set that every format is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ircase.models import Pap, Tlp

TLP_ORDER: Final = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)
"""From free to closed, https://www.first.org/tlp/."""
PAP_ORDER: Final = (Pap.CLEAR, Pap.GREEN, Pap.AMBER, Pap.RED)
MALWARE_TAG: Final = "malware:"
TOOL_TAG: Final = "tool:"


def tlp_rank(level: str) -> int:
    return TLP_ORDER.index(Tlp(level))


def pap_rank(level: str) -> int:
    return PAP_ORDER.index(Pap(level))


def highest_tlp(levels: Sequence[str]) -> str:
    """The most closed of these; TLP:CLEAR of nothing."""
    return max(levels, key=tlp_rank, default=Tlp.CLEAR)


@dataclass(frozen=True)
class LeftOut:
    """One thing that stays here and why. `name` is for people of the case alone: it never leaves."""

    what: str
    name: str
    why: str


@dataclass(frozen=True)
class SharedUse:
    """A technique: current id, its own name without the parent's, and the tactics it serves here, as in
    "Privilege escalation"."""

    technique: str
    name: str
    tactics: tuple[str, ...] = ()


@dataclass(frozen=True)
class SharedHunted:
    """A technique that so many hunts looked for and none found; no event of the case shows it."""

    technique: str
    hunts: int


@dataclass(frozen=True)
class SharedSighting:
    """So many rows of one table hold the indicator, between `first` and `last` as far as that is known."""

    rows: int
    first: datetime
    last: datetime
    table: UUID


@dataclass(frozen=True)
class SharedIndicator:
    """`value` in the spelling of `services.analysis.findings.normalise`; `changed_at` is the last judgement."""

    uuid: UUID
    kind: str
    value: str
    tlp: str
    pap: str
    verdict: str
    words: str
    added_at: datetime
    changed_at: datetime
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    expires_at: datetime | None = None
    tags: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    sightings: tuple[SharedSighting, ...] = ()

    @property
    def malware(self) -> tuple[str, ...]:
        """Families that a person named by a tag `malware:NAME`."""
        return _named(self.tags, MALWARE_TAG)

    @property
    def tools(self) -> tuple[str, ...]:
        return _named(self.tags, TOOL_TAG)


def _named(tags: Sequence[str], prefix: str) -> tuple[str, ...]:
    return tuple(tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix) and tag != prefix)


@dataclass(frozen=True)
class SharedEvent:
    """`proved`: it was made from a row, an exhibit or an alert, not written by hand."""

    uuid: UUID
    at: datetime
    until: datetime | None
    precision: str
    title: str
    words: str
    lane: str
    source: str
    proved: bool
    added_at: datetime
    uses: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    assets: tuple[UUID, ...] = ()
    indicators: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class SharedAsset:
    uuid: UUID
    kind: str
    name: str
    compromise: str
    words: str
    added_at: datetime


@dataclass(frozen=True)
class SharedCase:
    """`title` and `summary` are empty where the case's own TLP is above what may leave, and so are `milestones` (kind
    and time); `alarmed`: an incident of Defender stands behind it."""

    uuid: UUID
    reference: str
    title: str
    summary: str
    is_open: bool
    severity: str
    tlp: str
    classification: str
    determination: str
    exercise: bool
    opened_at: datetime
    changed_at: datetime
    milestones: tuple[tuple[str, datetime], ...] = ()
    alarmed: bool = False

    @property
    def name(self) -> str:
        return self.title or f"Incident {self.reference}"


@dataclass(frozen=True)
class ShareData:
    """A case as it leaves, by the name of `sender`. `left_out` holds what stays by TLP, PAP, verdict, mask or number;
    a format adds what it has no words for. `exhibits`: the numbers of those whose rows stand behind what leaves."""

    sender: str
    case: SharedCase
    indicators: tuple[SharedIndicator, ...] = ()
    events: tuple[SharedEvent, ...] = ()
    assets: tuple[SharedAsset, ...] = ()
    techniques: tuple[SharedUse, ...] = ()
    hunted: tuple[SharedHunted, ...] = ()
    attack_version: str = ""
    left_out: tuple[LeftOut, ...] = ()
    exhibits: tuple[int, ...] = ()

    @property
    def highest_tlp(self) -> str:
        """Of everything in it. Events, assets and the case's words bear the case's TLP."""
        ours = (self.case.title, self.events, self.assets, self.techniques, self.hunted)
        own = [self.case.tlp] if any(ours) else []
        return highest_tlp([*own, *(one.tlp for one in self.indicators)])


@dataclass(frozen=True)
class Product:
    """A finished file: what is in it by kind of thing, and what the format left out."""

    data: bytes
    suffix: str
    counts: tuple[tuple[str, int], ...]
    left_out: tuple[LeftOut, ...] = ()
