"""What a case knows of one file: its indicators, its exhibits, its analyses, and the team's verdict."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from ircase.models import Case, Evidence, Indicator, User
from ircase.services.analysis import findings
from liveresponse.models import FileAnalysis, Lookup
from liveresponse.services.lookups import HASH_KINDS

FILE_KINDS = tuple(HASH_KINDS.values())


@dataclass(frozen=True)
class KnownFile:
    """`hashes` are all that are known of it, by their kind. `indicator` is the one whose verdict counts: that of the
    hash asked about, else the first of the others."""

    digest: str
    hashes: dict[str, str]
    lookup: Lookup | None
    indicators: tuple[Indicator, ...]
    exhibits: tuple[Evidence, ...]
    analyses: tuple[FileAnalysis, ...]

    @property
    def kind(self) -> str:
        return HASH_KINDS[len(self.digest)]

    @property
    def title(self) -> str:
        """Which hash it was asked by, in words."""
        return str(Indicator.Kind(self.kind).label)

    @property
    def others(self) -> list[tuple[str, str]]:
        """The other hashes of it that are known, by their kind in words."""
        return [(str(Indicator.Kind(k).label), value) for k, value in self.hashes.items() if value != self.digest]

    @property
    def indicator(self) -> Indicator | None:
        exact = (one for one in self.indicators if one.value == self.digest)
        return next(exact, self.indicators[0] if self.indicators else None)


def known(case: Case, digest: str) -> KnownFile:
    """Everything of the case about the file, but for the rows of its tables, which take a search."""
    found = _lookup(case, digest)
    hashes = _hashes(digest, found)
    values = list(hashes.values())
    indicators = case.indicators.filter(kind__in=FILE_KINDS, value__in=values).select_related("added_by", "verdict_by")
    exhibits = Evidence.objects.filter(case=case, sha256__in=values).order_by("number")
    about = Q(file_hash__in=values) | Q(evidence__sha256__in=values)
    analyses = FileAnalysis.objects.for_case(case).filter(about).select_related("evidence").defer("document")
    return KnownFile(digest, hashes, found, tuple(indicators), tuple(exhibits[:50]), tuple(analyses[:50]))


def _lookup(case: Case, digest: str) -> Lookup | None:
    """What was asked about the file by this hash, else by another one that Defender says is the same file's."""
    rows = Lookup.objects.for_case(case).filter(kind=Lookup.Kind.FILE).select_related("evidence", "requested_by")
    exact = rows.filter(key=digest).first()
    return exact or rows.filter(**{f"answers__file__data__{HASH_KINDS[len(digest)]}": digest}).first()


def _hashes(digest: str, lookup: Lookup | None) -> dict[str, str]:
    hashes = {HASH_KINDS[len(digest)]: digest}
    data = ((lookup.answers.get("file") or {}).get("data") or {}) if lookup else {}
    for kind in FILE_KINDS:
        value = str(data.get(kind) or "").lower()
        if HASH_KINDS.get(len(value)) == kind:
            hashes.setdefault(kind, value)
    return hashes


@dataclass(frozen=True)
class Judged:
    """Who judged it last, and when."""

    who: str
    at: Any


def judged(indicator: Indicator | None) -> Judged | None:
    """None where nobody did: the verdict came with an alert or an import, or there is none."""
    if indicator is None or indicator.verdict_by is None:
        return None
    return Judged(indicator.verdict_by.name, indicator.verdict_at)


@transaction.atomic
def judge(*, case: Case, actor: User, digest: str, verdict: str, reason: str) -> Indicator:
    """The team's verdict on a file is that of its indicator, which is made where there is none."""
    indicator, _ = findings.add_indicator(
        case=case,
        actor=actor,
        kind=HASH_KINDS[len(digest)],
        value=digest,
        tlp=case.tlp,
        provenance={"by": "hand", "page": "file"},
    )
    return findings.judge_indicator(indicator=indicator, actor=actor, verdict=verdict, reason=reason)


@transaction.atomic
def make_indicator(*, case: Case, actor: User, digest: str) -> tuple[Indicator, bool]:
    """The file's hash as an indicator, and whether it is new."""
    return findings.add_indicator(
        case=case,
        actor=actor,
        kind=HASH_KINDS[len(digest)],
        value=digest,
        tlp=case.tlp,
        provenance={"by": "hand", "page": "file"},
    )
