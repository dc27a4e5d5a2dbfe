"""Who did, saw, exported and changed what, as far as the reader may know: the case logs, custody, who looked at cases,
and the site's own log with its sign-ins, as one list, newest first.

Each page is read by key from the end of an index, never by counting: the millionth entry costs what the first does."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from django.db.models import Q, QuerySet

from ircase.models import Case, CaseLook, CaseRole, ChainHead, CustodyEntry, LogEntry, User
from ircase.models.chain import ChainedRow

# First words of a code, and what they are called in the filter.
AREAS: Final = {
    "sign_in": "Sign-ins",
    "session": "Sessions",
    "token": "API tokens",
    "person": "People",
    "factor": "Second factors",
    "passkey": "Passkeys",
    "team": "Teams",
    "policy": "Rules of access",
    "signin": "Sign-in provider",
    "connection": "Connections",
    "audit": "Audit",
    "case": "Cases",
    "evidence": "Evidence",
    "export": "Exports",
    "share": "Files for other systems",
    "hunt": "Hunts",
    "collection": "Collections",
    "action": "Response actions",
    "approval": "Approvals",
    "note": "Notes",
    "event": "Timeline",
    "report": "Reports",
}
SOURCES: Final = {"case": "Case logs", "custody": "Custody", "look": "Who looked", "site": "Site"}


@dataclass(frozen=True)
class Filters:
    """What is asked for. `until` is exclusive; `action` is the beginning of a code."""

    person: str = ""
    case: str = ""
    action: str = ""
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """One thing that was done. `intact` is whether its content still has the digest that it was written with."""

    at: datetime
    source: str
    pk: int
    who: str
    action: str
    detail: Mapping[str, Any]
    case: str
    chain: str
    sequence: int
    digest: str
    intact: bool

    @property
    def key(self) -> str:
        """Where the next page begins."""
        return f"{self.at.astimezone(UTC).isoformat()}|{self.source}|{self.pk}"


@dataclass(frozen=True)
class Key:
    at: datetime
    source: str
    pk: int

    @classmethod
    def of(cls, text: str) -> "Key | None":
        """A key out of an address; None for anything else."""
        parts = text.split("|")
        try:
            at, source, pk = datetime.fromisoformat(parts[0]), parts[1], int(parts[2])
        except (ValueError, IndexError, OverflowError):
            return None
        fits = at.tzinfo is not None and source in SOURCES and 0 <= pk < 2**63
        return cls(at, source, pk) if fits else None


@dataclass
class Audit:
    """What `reader` may see of it. Administrators see the site's entries and the cases they are members of; everybody
    sees the cases they see, their own sign-ins, and, of cases they lead, who looked. `whole_site` false: of the site's
    entries an administrator sees no more than others do."""

    reader: User
    filters: Filters
    whole_site: bool = True
    _names: dict[int, str] = field(default_factory=dict)

    @cached_property
    def _cases(self) -> QuerySet[Case]:
        found = Case.objects.visible_to(self.reader)
        return found.filter(reference=self.filters.case) if self.filters.case else found

    @property
    def _sources(self) -> Mapping[str, Callable[[], QuerySet[Any]]]:
        cases = self._cases.values("pk")
        led = self._cases.filter(my_role=CaseRole.LEAD).values("pk")  # type: ignore[misc]
        every: dict[str, Callable[[], QuerySet[Any]]] = {
            "case": lambda: LogEntry.objects.filter(case__in=cases),
            "custody": lambda: CustodyEntry.objects.filter(evidence__case__in=cases).select_related("evidence"),
            "look": lambda: CaseLook.objects.filter(case__in=led),
            "site": self._site,
        }
        if self.filters.case:
            every.pop("site")
        wanted = self.filters.source
        return {wanted: every[wanted]} if wanted in every else ({} if wanted else every)

    @cached_property
    def _person(self) -> Q:
        """By user name where there is such an account, which an index answers; else by the name in the rows."""
        found = User.objects.filter(username=self.filters.person).values_list("pk", flat=True).first()
        return Q(actor=found) if found is not None else Q(actor_name=self.filters.person)

    def _site(self) -> QuerySet[Any]:
        rows = LogEntry.objects.filter(chain="site")
        return rows if self.reader.administers and self.whole_site else rows.filter(actor=self.reader)

    def page(self, after: str = "", size: int = 100) -> tuple[list[Entry], str]:
        """The entries after a key (empty: from the newest), and the key of the next page, empty at the end."""
        key = Key.of(after) if after else None
        parts = [
            [(row, source) for row in self._narrow(make(), source, key)[: size + 1]]
            for source, make in self._sources.items()
        ]
        merged = list(heapq.merge(*parts, key=_order))[: size + 1]
        self._learn([row for row, _ in merged])
        entries = [self._entry(row, source) for row, source in merged[:size]]
        return entries, entries[-1].key if len(merged) > size else ""

    def everything(self, limit: int, size: int = 1000) -> Iterator[Entry]:
        """All entries that the filters leave, newest first, at most `limit`."""
        after, given = "", 0
        while given < limit:
            entries, after = self.page(after, min(size, limit - given))
            yield from entries
            given += len(entries)
            if not after:
                return

    def _narrow(self, rows: QuerySet[Any], source: str, key: Key | None) -> QuerySet[Any]:
        asked = self.filters
        if asked.person:
            rows = rows.filter(self._person)
        if asked.action:
            rows = rows.filter(action__startswith=asked.action)
        if asked.since:
            rows = rows.filter(at__gte=asked.since)
        if asked.until:
            rows = rows.filter(at__lt=asked.until)
        if key is not None:
            rows = _after(rows, source, key)
        return rows.order_by("-at", "-pk")

    def _learn(self, rows: list[ChainedRow]) -> None:
        wanted = {pk for row in rows if (pk := _case_of(row)) is not None} - set(self._names)
        if wanted:
            self._names.update(Case.objects.filter(pk__in=wanted).values_list("pk", "reference"))

    def _entry(self, row: Any, source: str) -> Entry:
        case = _case_of(row)
        return Entry(
            at=row.at,
            source=source,
            pk=row.pk,
            who=row.actor_name,
            action=f"evidence.{row.action}" if source == "custody" else row.action,
            detail={"exhibit": row.evidence.exhibit, **row.detail} if source == "custody" else row.detail,
            case=self._names.get(case, "") if case is not None else "",
            chain=row.chain,
            sequence=row.sequence,
            digest=row.digest,
            intact=row.digest == row.compute_digest(),
        )


def _order(pair: tuple[Any, str]) -> tuple[float, int, int]:
    row, source = pair
    return (-row.at.timestamp(), list(SOURCES).index(source), -row.pk)


def _after(rows: QuerySet[Any], source: str, key: Key) -> QuerySet[Any]:
    mine, last = list(SOURCES).index(source), list(SOURCES).index(key.source)
    if mine == last:
        # The first condition alone finds the place in the index.
        return rows.filter(Q(at__lt=key.at) | Q(pk__lt=key.pk), at__lte=key.at)
    return rows.filter(at__lte=key.at) if mine > last else rows.filter(at__lt=key.at)


def _case_of(row: Any) -> int | None:
    found: int | None = row.evidence.case_id if isinstance(row, CustodyEntry) else row.case_id
    return found


@dataclass(frozen=True)
class ChainState:
    """A chain's end against its head: `entries` by the head, `whole` where the last entry is the one the head names."""

    key: str
    entries: int
    whole: bool


def chain_state(key: str, rows: QuerySet[Any]) -> ChainState:
    """Whether the newest entry is the one that the head says. `manage.py verify_evidence` walks every link."""
    head = ChainHead.objects.filter(key=key).first()
    last = rows.order_by("-sequence").values_list("sequence", "digest").first()
    known = (head.sequence, head.digest) if head and head.sequence else None
    return ChainState(key, head.sequence if head else 0, known == last)
