"""A database as a large team has it after years: cases, chains that verify, evidence, findings, the search's index.

Written in bulk, as no service does it, but with the same digests: `manage.py verify_evidence` finds the chains whole
(it finds no files: there are none).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Max, Model

from hunting.models import HuntRun
from ircase.models import (
    Activity,
    Asset,
    Case,
    CaseMember,
    CaseTag,
    ChainHead,
    ChecklistItem,
    Connection,
    CustodyEntry,
    Event,
    Evidence,
    IncomingIncident,
    Indicator,
    LogEntry,
    Milestone,
    Note,
    Notice,
    PhaseEntry,
    SearchEntry,
    User,
)
from ircase.models.chain import GENESIS
from ircase.search import index
from ircase.search.sources import source_of
from ircase.services.evidence import manifest_digest

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
YEARS = timedelta(days=3 * 365)
PHASES = ("detection", "containment", "post_incident")
SEVERITIES = ("informational", "low", "medium", "high", "critical")
WORDS = (
    "phishing", "ransomware", "logon", "odd", "service", "beacon", "lateral", "movement", "mailbox", "rule",
    "token", "theft", "macro", "loader", "exfiltration", "persistence", "scheduled", "task", "registry",
    "powershell", "encoded", "command", "webshell", "tunnel", "credential", "dump", "kerberos", "golden", "brute",
    "force", "spray", "consent", "application", "disabled", "alert", "finance", "server", "domain", "controller",
    "laptop", "vpn", "proxy",
)  # fmt: skip
ACTS = ("hunt.queued", "hunt.done", "checklist.done", "note.saved", "evidence.sealed", "evidence.downloaded",
        "asset.added", "indicator.added", "event.added", "case.milestone")  # fmt: skip


_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "xo", "zu", "nor")


def _rare(rank: float) -> str:
    """The word of this rank, of some 65,000."""
    number, word = min(int(rank), 65_535), ""
    for _ in range(4):
        number, place = divmod(number, len(_SYLLABLES))
        word += _SYLLABLES[place]
    return word


class Rows:
    """Rows in bulk with numbers of our own: by COPY where there is one, which takes a tenth of the time."""

    def __init__(self) -> None:
        self._next: dict[type[Model], int] = {}

    def add(self, rows: Iterable[Any]) -> list[Any]:
        """Write rows of one model and give them back."""
        made = list(rows)
        if not made:
            return made
        model = type(made[0])
        number = self._next.get(model) or (model._base_manager.aggregate(last=Max("pk"))["last"] or 0) + 1
        self._next[model] = number + len(made)
        for pk, row in enumerate(made, number):
            row.pk = pk
        if connection.vendor == "postgresql":
            self._copy(model, made)
        else:
            model._base_manager.bulk_create(made, batch_size=2000)
        return made

    def _copy(self, model: type[Model], rows: list[Any]) -> None:
        fields = model._meta.concrete_fields
        names = ", ".join(f'"{one.column}"' for one in fields)
        with (
            connection.cursor() as cursor,
            cursor.cursor.copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy,
        ):
            for row in rows:
                copy.write_row([one.get_db_prep_save(one.pre_save(row, True), connection) for one in fields])

    def reset(self) -> None:
        """The database gives the numbers from here on."""
        statements = connection.ops.sequence_reset_sql(no_style(), list(self._next))
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    cases: int = 10_000
    log: int = 1_000_000
    evidence: int = 200_000
    items: int = 20  # of a case; the following likewise
    activities: int = 6
    events: int = 5
    indicators: int = 4
    assets: int = 3
    incidents: int = 5_000
    notices: int = 20_000


@dataclass
class Filler:
    """Fills an empty database. `say` hears how far it is."""

    size: Size
    say: Callable[[str], None]
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    people: list[User] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)

    def fill(self) -> None:
        self._people()
        with _without_word_index():
            for start in range(0, self.size.cases, 250):
                with transaction.atomic():
                    self._cases(range(start, min(start + 250, self.size.cases)))
                self.say(f"{start + 250:,} cases")
            self._long_case()
        self._incidents()
        self._notices()
        self.rows.reset()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")

    @transaction.atomic
    def _people(self) -> None:
        roles = ["analyst"] * 30 + ["manager"] * 4 + ["guest"] * 5 + ["administrator"]
        people = [
            User(username=f"{role}{n}", first_name=role.title(), last_name=str(n), site_role=role, password="!")
            for n, role in enumerate(roles)
        ]
        self.people = User.objects.bulk_create(people)
        self.connection = Connection.objects.create(
            name="Contoso", tenant_id=uuid.uuid4(), client_id=uuid.uuid4(), secret_encrypted=b""
        )

    def _words(self, many: int) -> str:
        """Words as people use them: some that stand everywhere, most of them rare."""
        return " ".join(
            self.dice.choice(WORDS) if self.dice.random() < 0.2 else _rare(self.dice.paretovariate(0.6))
            for _ in range(many)
        )

    def _analyst(self) -> User:
        return self.people[self.dice.randrange(30)]

    def _when(self, case: Case) -> datetime:
        return case.opened_at + (min(case.closed_at or NOW, NOW) - case.opened_at) * self.dice.random()

    def _cases(self, numbers: Sequence[int]) -> None:
        cases = self.rows.add(self._case(number) for number in numbers)
        self._indexed("case", cases)
        self._around(cases)
        self._work(cases)
        self._findings(cases)
        exhibits = self._evidence(cases)
        self._runs(exhibits)
        each = self.size.log // self.size.cases
        # The last case has what all others lack.
        entries = (entry for case in cases for entry in self._log(case, each - each // 50))
        self._chained(entries, "log")

    def _case(self, number: int) -> Case:
        opened = NOW - YEARS * (1 - number / self.size.cases)
        hidden = number % 20 == 13
        done = number < self.size.cases - 400
        year = opened.year
        return Case(
            reference=f"IR-{year}-X{number:05X}" if hidden else f"IR-{year}-{number + 1:04d}",
            title=self._words(4).capitalize(), description=self._words(60), summary=self._words(80),
            severity=self.dice.choice(SEVERITIES), confidential=hidden, phase=self.dice.choice(PHASES),
            classification="truePositive", connection=self.connection, incident_id=str(100_000 + number),
            opened_at=opened, opened_by=self._analyst(),
            closed_at=opened + timedelta(days=self.dice.randrange(1, 60)) if done else None,
        )  # fmt: skip

    def _around(self, cases: list[Case]) -> None:
        """Members, stays in phases, milestones, tags."""
        members, stays, stones, tags = [], [], [], []
        for case in cases:
            chosen = self.dice.sample(self.people[:30], 3)
            if case.closed_at is None and self.dice.random() < 0.1 and self.people[0] not in chosen:
                chosen[0] = self.people[0]
            members += [
                CaseMember(case=case, user=user, role=role)
                for user, role in zip(chosen, ("lead", "analyst", "analyst"), strict=True)
            ]
            if self.dice.random() < 0.02:
                members.append(CaseMember(case=case, user=self.people[35], role="viewer"))
            stays += self._stays(case)
            for hours, kind in enumerate(("occurred", "detected", "acknowledged", "contained", "recovered")):
                stones.append(
                    Milestone(case=case, kind=kind, at=case.opened_at + timedelta(hours=hours), set_by=chosen[0])
                )
            tags += [
                CaseTag(case=case, name=name, added_by=chosen[0])
                for name in self.dice.sample(("vip", "ot", "cloud", "mail", "insider"), 1)
            ]
        self.rows.add(members)
        self.rows.add(stays)
        self.rows.add(stones)
        self.rows.add(tags)

    def _stays(self, case: Case) -> Iterator[PhaseEntry]:
        at = case.opened_at
        for phase in PHASES:
            last = phase == case.phase
            left = None if last else at + timedelta(hours=self.dice.randrange(1, 72))
            yield PhaseEntry(case=case, phase=phase, entered_at=at, left_at=left, moved_by=case.opened_by)
            if left is None:
                return
            at = left

    def _work(self, cases: list[Case]) -> None:
        """Checklists, notes and activities."""
        items = [self._item(case, number) for case in cases for number in range(self.size.items)]
        self._indexed("item", self.rows.add(items))
        notes = [
            Note(case=case, title=self._words(3), body=self._words(150), updated_by=case.opened_by) for case in cases
        ]
        for note in notes:
            note.updated_at = self._when(note.case)
        self._indexed("note", self.rows.add(notes))
        acts = [self._activity(case) for case in cases for _ in range(self.size.activities)]
        self._indexed("activity", self.rows.add(acts))

    def _item(self, case: Case, number: int) -> ChecklistItem:
        waits = case.closed_at is None and number > self.size.items // 2
        return ChecklistItem(
            case=case, key=f"item_{number}", position=number, phase=PHASES[number * 3 // self.size.items],
            title=self._words(6), guidance=self._words(15), required=number % 3 == 0, owner=self._analyst(),
            due_at=case.opened_at + timedelta(days=number), state="open" if waits else "done",
            result="" if waits else self._words(12), ended_at=None if waits else self._when(case),
        )  # fmt: skip

    def _activity(self, case: Case) -> Activity:
        at = self._when(case)
        return Activity(
            case=case, kind=self.dice.choice(("hunt", "collection", "import", "report")), title=self._words(5),
            subject=uuid.uuid4(), url_name="hunting:run", state="done", requested_by=self._analyst(), requested_at=at,
            started_at=at, ended_at=at + timedelta(minutes=2), outcome="12 rows", row_count=12,
            detail={"query": self._words(40)},
        )  # fmt: skip

    def _findings(self, cases: list[Case]) -> None:
        who = self._analyst()
        assets = [
            Asset(case=case, kind="device", name=f"ws-{self.dice.randrange(10**5):05}-{n}.contoso.com", added_by=who,
                  added_at=self._when(case))
            for case in cases for n in range(self.size.assets)
        ]  # fmt: skip
        self._indexed("asset", self.rows.add(assets))
        indicators = [self._indicator(case, who) for case in cases for _ in range(self.size.indicators)]
        self._indexed("indicator", self.rows.add(indicators))
        events = [
            Event(case=case, at=self._when(case), title=self._words(6), description=self._words(20), added_by=who,
                  technique=self.dice.choice(("T1547.001", "T1059.001", "T1566", "T1003")), source="DeviceEvents",
                  row={"DeviceName": f"ws-{self.dice.randrange(10**5):05}", "FileName": f"{self._words(1)}.exe"})
            for case in cases for _ in range(self.size.events)
        ]  # fmt: skip
        self._indexed("event", self.rows.add(events))

    def _indicator(self, case: Case, who: User) -> Indicator:
        value = self.dice.choice((
            f"{self._words(1)}{self.dice.randrange(10**6)}.example.com",
            ".".join(str(self.dice.randrange(256)) for _ in range(4)),
            f"{self.dice.getrandbits(256):064x}",
        ))  # fmt: skip
        kind = "domain" if value.endswith("com") else "ip" if "." in value else "sha256"
        digest = f"{self.dice.getrandbits(256):064x}"
        return Indicator(
            case=case, kind=kind, value=value, value_digest=digest, verdict="malicious", added_by=who,
            added_at=self._when(case),
        )  # fmt: skip

    def _evidence(self, cases: list[Case]) -> list[Evidence]:
        each = self.size.evidence // self.size.cases
        made = [self._exhibit(case, number) for case in cases for number in range(1, each + 1)]
        exhibits = self.rows.add(made)
        self._indexed("evidence", exhibits)
        self._chained(map(self._sealed, exhibits), "")
        return exhibits

    def _exhibit(self, case: Case, number: int) -> Evidence:
        manifest = {"by": "bench", "query": self._words(20), "rows": 12}
        return Evidence(
            case=case, number=number, kind=self.dice.choice(("hunt", "collection", "upload")),
            name=f"{self._words(1)}-{number}.ndjson", description=self._words(5),
            sha256=f"{self.dice.getrandbits(256):064x}", size=self.dice.randrange(10**7), manifest=manifest,
            manifest_sha256=manifest_digest(manifest), sealed_at=self._when(case), sealed_by=self._analyst(),
            checked_at=NOW, integrity="verified",
        )  # fmt: skip

    def _sealed(self, item: Evidence) -> CustodyEntry:
        return CustodyEntry(
            evidence=item, chain=f"evidence:{item.uuid}", at=item.sealed_at, action="sealed", actor=item.sealed_by,
            detail={"sha256": item.sha256, "manifest_sha256": item.manifest_sha256},
        )  # fmt: skip

    def _runs(self, exhibits: list[Evidence]) -> None:
        """Hunts whose results the exhibits are: two of a case."""
        of_case: dict[int, int] = {}
        acts, runs = [], []
        for item in exhibits:
            if item.kind != "hunt" or of_case.get(item.case_id, 0) >= 2:
                continue
            of_case[item.case_id] = of_case.get(item.case_id, 0) + 1
            run, text = uuid.uuid4(), f"DeviceProcessEvents | where FileName == '{self._words(1)}.exe'"
            act = Activity(
                case=item.case, kind="hunt", title=self._words(4), subject=run, url_name="hunting:run", state="done",
                requested_by=item.sealed_by, requested_at=item.sealed_at, outcome="12 rows", row_count=12,
            )  # fmt: skip
            acts.append(act)
            runs.append(HuntRun(
                uuid=run, case=item.case, title=act.title, kql=text, final_kql=text, kql_sha256=item.sha256,
                window_start=item.sealed_at - timedelta(days=7), window_end=item.sealed_at, source="defender",
                connection=self.connection, requested_by=item.sealed_by, state="done", row_count=12, evidence=item,
                queued_at=item.sealed_at, finished_at=item.sealed_at,
            ))  # fmt: skip
        for run_row, act in zip(runs, self.rows.add(acts), strict=True):
            run_row.activity = act
        self._indexed("activity", acts)
        self._indexed("hunt", self.rows.add(runs))

    def _log(self, case: Case, many: int) -> Iterator[LogEntry]:
        step = (min(case.closed_at or NOW, NOW) - case.opened_at) / (many + 1)
        for number in range(many):
            detail = {
                "title": self._words(5),
                "exhibit": f"E{number % 20:03d}",
                "kind": "device",
                "value": self._words(1),
            }
            if number % 10 == 0:
                detail["comment"] = self._words(12)
            actor = self._analyst()
            yield LogEntry(
                case=case, chain=f"case:{case.uuid}", at=case.opened_at + step * (number + 1), actor=actor,
                action=self.dice.choice(ACTS), detail=detail,
            )  # fmt: skip

    def _long_case(self) -> None:
        """The newest case has a fiftieth of the log."""
        case = Case.objects.filter(confidential=False).latest("opened_at")
        known = LogEntry.objects.filter(case=case).count()
        LogEntry._base_manager.filter(case=case)._raw_delete("default")  # its chain is made anew, longer
        SearchEntry.objects.filter(case=case, kind="log").delete()
        ChainHead.objects.filter(key=f"case:{case.uuid}").delete()
        with transaction.atomic():
            self._chained(self._log(case, self.size.log // 50 + known), "log")

    def _chained(self, entries: Iterable[Any], kind: str) -> None:
        """Rows with their links, written in portions; then the heads."""
        heads: dict[str, tuple[int, str]] = {}
        for part in index.batched(self._linked(entries, heads), 5000):
            made = self.rows.add(part)
            if kind:
                self._indexed(kind, made)
        made = [ChainHead(key=key, sequence=number, digest=digest) for key, (number, digest) in heads.items()]
        ChainHead.objects.bulk_create(made, batch_size=5000)

    def _linked(self, entries: Iterable[Any], heads: dict[str, tuple[int, str]]) -> Iterator[Any]:
        for entry in entries:
            number, previous = heads.get(entry.chain, (0, GENESIS))
            entry.sequence, entry.previous, entry.actor_name = number + 1, previous, entry.actor.name
            entry.digest = entry.compute_digest()
            heads[entry.chain] = (entry.sequence, entry.digest)
            yield entry

    def _incidents(self) -> None:
        self.rows.add(
            IncomingIncident(
                connection=self.connection, incident_id=str(900_000 + n), title=self._words(5),
                severity=self.dice.choice(("low", "medium", "high")), status="active" if n % 10 == 0 else "resolved",
                alert_count=3, devices=[f"ws-{n}"], accounts=[f"user{n}@contoso.com"],
                created_at=NOW - timedelta(minutes=n), updated_at=NOW, raw={"alerts": [self._words(50)]},
            )
            for n in range(self.size.incidents)
        )  # fmt: skip

    def _notices(self) -> None:
        cases = list(Case.objects.filter(confidential=False).order_by("-opened_at")[:1000])
        self.rows.add(
            [
                Notice(
                    person=self._analyst(), case=self.dice.choice(cases), code="finished", subject=uuid.uuid4(),
                    title=self._words(6), path="/", at=NOW - timedelta(minutes=n), read_at=None if n % 20 == 0 else NOW,
                )
                for n in range(self.size.notices)
            ]
        )  # fmt: skip

    def _indexed(self, kind: str, rows: Iterable[Any]) -> None:
        """The search's entries of new rows: the sources' own words for them."""
        source = source_of(kind)
        assert source is not None
        drafts = (source.draft(row) for row in rows)
        self.rows.add(index.entry_of(kind, draft) for draft in drafts if draft is not None)


class _without_word_index:  # noqa: N801  # reads as a sentence where it is used
    """PostgreSQL makes the inverted index faster at once than row by row."""

    def __enter__(self) -> None:
        self._run("DROP INDEX IF EXISTS search_words", "DROP INDEX IF EXISTS search_title_parts")

    def __exit__(self, *_: object) -> None:
        self._run(
            "CREATE INDEX search_words ON ircase_searchentry USING gin (words)",
            "CREATE INDEX search_title_parts ON ircase_searchentry USING gin (upper(title) gin_trgm_ops)"
            " WHERE kind NOT IN ('log', 'table')",
        )

    def _run(self, *statements: str) -> None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
