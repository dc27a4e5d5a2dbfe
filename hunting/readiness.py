"""Parts of the readiness board that hunting knows: hunts' last clean runs, data gaps by table and by technique."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Max, Q
from django.urls import reverse

from hunting import shelf
from hunting.catalogue import Hunt, Review
from hunting.models import HuntRun, Source, TableCheck
from hunting.services import tablechecks
from ircase import attack
from ircase.models import Case, Connection, EventTechnique, JobState
from ircase.readiness import board
from ircase.readiness.board import Asked, Check, Part, State

OLD: Final = timedelta(days=3)
"""A count of rows that is older tells nothing of today."""
_FAILURES: Final = 5000


@dataclass(frozen=True)
class Ran:
    """How a hunt fared on one source: the last run that ended clean and its version, the last failure, and since when
    every run failed."""

    clean: datetime | None
    version: int
    failed: datetime | None
    failing_since: datetime | None

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None


Key = tuple[int, str, str]


def register() -> None:
    """Called when Django starts."""
    board.register(parts)


def parts(asked: Asked) -> dict[int, list[Part]]:
    """Six queries at most for all connections."""
    with shelf.held():
        known = _Known(asked)
        return {
            one.pk: [
                Part("hunts", "Hunts", _HUNTS, tuple(_hunt_checks(one, known))),
                Part("tables", "Data by table", _TABLES, tuple(_table_checks(one, known))),
                Part("techniques", "Data by ATT&CK technique", known.about, tuple(_technique_checks(one, known))),
            ]
            for one in asked.connections
        }


class _Known:
    """What is read once for all parts and connections."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.hunts, self.needed = in_use(), tablechecks.needed()
        self.runs, self.tables = ran(asked.connections), checks_of_tables(asked.connections)
        self.met = _met(asked)
        self.by_technique: dict[str, list[Hunt]] = defaultdict(list)
        for hunt in self.hunts:
            for technique in hunt.techniques:
                self.by_technique[attack.current_id(technique) or technique].append(hunt)

    @property
    def about(self) -> str:
        """How much of ATT&CK the library looks for."""
        return (
            f"Techniques that hunts in use look for ({len(self.by_technique)} of the {len(attack.techniques())} of "
            "ATT&CK), and techniques of cases that you may see for which there is no hunt."
        )

    def holds(self, connection: Connection) -> timedelta:
        """How long a clean run counts there."""
        return timedelta(days=self.asked.plan(connection).hunt_days)


def in_use() -> list[Hunt]:
    """The hunts that people may rely on: shipped and approved ones."""
    return [hunt for hunt in shelf.hunts().values() if hunt.review is not Review.DRAFT]


def ran(connections: Sequence[Connection]) -> dict[Key, Ran]:
    """By (connection, hunt, source), from all cases' runs. Two queries. Clean: done, and nothing cut off."""
    rows = HuntRun.objects.filter(connection__in=[one.pk for one in connections]).exclude(hunt_id="").order_by()
    done = Q(state=JobState.DONE, truncated=False)
    found = {
        (row["connection"], row["hunt_id"], row["source"]): row
        for row in rows.values("connection", "hunt_id", "source").annotate(
            whole=Max("finished_at", filter=done),
            version=Max("hunt_version", filter=done),
            failed=Max("finished_at", filter=Q(state=JobState.FAILED)),
        )
    }
    failing = [row for row in found.values() if row["failed"] and (not row["whole"] or row["failed"] > row["whole"])]
    since = _failing_since(rows, failing)
    return {
        key: Ran(row["whole"], row["version"] or 0, row["failed"], since.get(key)) for key, row in found.items()
    }  # fmt: skip


def _failing_since(rows: Any, failing: Sequence[Mapping[str, Any]]) -> dict[Key, datetime]:
    """The first failure after the last clean run, of those that fail now."""
    if not failing:
        return {}
    clean = {(row["connection"], row["hunt_id"], row["source"]): row["whole"] for row in failing}
    failures = rows.filter(state=JobState.FAILED, hunt_id__in={row["hunt_id"] for row in failing})
    first: dict[Key, datetime] = {}
    wanted = failures.order_by("-finished_at").values_list("connection", "hunt_id", "source", "finished_at")
    for connection, hunt_id, source, at in wanted[:_FAILURES]:
        key = (connection, hunt_id, source)
        if key in clean and (clean[key] is None or at > clean[key]):
            first[key] = min(at, first.get(key, at))
    return first


def checks_of_tables(connections: Sequence[Connection]) -> dict[tuple[int, str, str], TableCheck]:
    rows = TableCheck.objects.filter(connection__in=[one.pk for one in connections])
    return {(row.connection_id, row.source, row.table): row for row in rows}


_HUNTS: Final = (
    "Each hunt's last run that ended whole, per source, over all cases on this connection; the day is told, not the "
    "case."
)
_TABLES: Final = "Tables that hunts in use read: whether the source knows them, and whether rows came lately."


def _hunt_checks(connection: Connection, known: _Known) -> Iterator[Check]:
    sources = tablechecks.sources_of(connection)
    for hunt in known.hunts:
        for source in (one for one in sources if one in hunt.sources):
            run = known.runs.get((connection.pk, hunt.id, source.value))
            yield _hunt_check(hunt, source, run, known.asked.now, known.holds(connection))


def _hunt_check(hunt: Hunt, source: Source, run: Ran | None, now: datetime, holds: timedelta) -> Check:
    key, title = f"{hunt.id}.{source.value}", f"{hunt.title} on {source.label}"
    url = reverse("hunting:hunt", args=[hunt.id])
    if run is None or (run.clean is None and run.failed is None):
        return Check(key, title, State.UNKNOWN, "Never run.", "Run it once on an exercise case.", url)
    if run.is_failing:
        assert run.failing_since is not None
        words = f"Fails since {run.failing_since:%Y-%m-%d}; " + (
            f"the last clean run was {run.clean:%Y-%m-%d}." if run.clean else "it never ran clean."
        )
        return Check(
            key, title, State.RED, words, "Open one of its runs: the reason stands there.", url, run.failed, True
        )
    assert run.clean is not None
    if now - run.clean > holds:
        return Check(
            key,
            title,
            State.AMBER,
            f"No clean run for {(now - run.clean).days} days.",
            "Run it again.",
            url,
            run.clean,
            True,
        )
    if run.version < hunt.version:
        words = f"Version {run.version} ran clean; version {hunt.version} was not tried yet."
        return Check(key, title, State.AMBER, words, "Run the new version.", url, run.clean, True)
    return Check(key, title, State.OK, "It ran clean.", "", url, run.clean, True)


def _table_checks(connection: Connection, known: _Known) -> Iterator[Check]:
    for source in tablechecks.sources_of(connection):
        for table, hunts in sorted(known.needed[source].items()):
            row = known.tables.get((connection.pk, source.value, table))
            yield _table_check(source, table, hunts, row, known.asked.now)


def _table_check(source: Source, table: str, hunts: Sequence[str], row: TableCheck | None, now: datetime) -> Check:
    key, title = f"{source.value}.{table}", f"{table} on {source.label}"
    users = ", ".join(hunts[:3]) + (f" and {len(hunts) - 3} more" if len(hunts) > 3 else "")
    if row is None or row.checked_at is None:
        return Check(key, title, State.UNKNOWN, f"Not asked yet. Read by: {users}.", "Have the tables asked.")
    at = row.checked_at
    if row.problem:
        return Check(
            key, title, State.RED, f"{row.problem[:300]} Read by: {users}.", "See what feeds this table.", at=at
        )
    if not row.row_count:
        words = f"No row in {row.days} days. Read by: {users}."
        return Check(key, title, State.RED, words, "See whether its sensor or connector still sends.", at=at)
    newest = f", the newest of {row.newest_at:%Y-%m-%d %H:%M} UTC" if row.newest_at else ""
    words = f"{row.row_count:,} rows in {row.days} days{newest}."
    if now - at > OLD:
        return Check(key, title, State.AMBER, words, "This is old: have the tables asked again.", at=at)
    return Check(key, title, State.OK, words, at=at)


def _met(asked: Asked) -> dict[int, set[str]]:
    """By connection the techniques of events on its cases that the reader may see; none where the clock asks."""
    if asked.reader is None:
        return {}
    visible = Case.objects.visible_to(asked.reader).filter(connection__in=[one.pk for one in asked.connections])
    rows = EventTechnique.objects.filter(event__case__in=visible.values("pk"), event__case__exercise=False)
    found: dict[int, set[str]] = defaultdict(set)
    for connection, technique in rows.order_by().values_list("event__case__connection", "technique").distinct():
        found[connection].add(attack.current_id(technique) or technique)
    return found


def _technique_checks(connection: Connection, known: _Known) -> Iterator[Check]:
    sources, now = tablechecks.sources_of(connection), known.asked.now
    holds = known.holds(connection)
    for technique, hunts in sorted(known.by_technique.items()):
        ways = [(hunt, source) for hunt in hunts for source in sources if source in hunt.sources]
        runs = [run for hunt, source in ways if (run := known.runs.get((connection.pk, hunt.id, source.value)))]
        data = [_has_data(connection, hunt, source, known.tables) for hunt, source in ways]
        works = [run.clean for run in runs if run.clean and not run.is_failing and now - run.clean <= holds]
        yield _technique_check(technique, hunts, data, works)
    for technique in sorted(known.met.get(connection.pk, set()) - set(known.by_technique)):
        words = "Met on a case, and no hunt in use looks for it."
        url = f"{reverse('hunting:library')}?technique={technique}"
        yield Check(technique, _name(technique), State.AMBER, words, "Write or import a hunt for it.", url)


def _technique_check(
    technique: str, hunts: Sequence[Hunt], data: Sequence[bool | None], works: Sequence[datetime]
) -> Check:
    url = f"{reverse('hunting:library')}?technique={technique}"
    names = ", ".join(sorted({hunt.title for hunt in hunts})[:3])
    title = _name(technique)
    if True not in data and False in data:
        todo = "See the tables above: none of these hunts can find anything."
        return Check(technique, title, State.RED, f"No data for any of its hunts ({names}).", todo, url)
    if not data:
        words = f"Its hunts ({names}) run on no source of this connection."
        return Check(technique, title, State.RED, words, "Add a source, or a hunt for one there is.", url)
    if not works:
        return Check(technique, title, State.AMBER, f"No hunt of it ran clean lately ({names}).", "Run one.", url)
    return Check(technique, title, State.OK, f"Looked for by {names}.", "", url, max(works), True)


def _name(technique: str) -> str:
    found = attack.techniques().get(technique)
    return found.label if found else technique


def _has_data(
    connection: Connection, hunt: Hunt, source: Source, rows: Mapping[tuple[int, str, str], TableCheck]
) -> bool | None:
    """Whether some table of the hunt has rows: False where all were asked and none has, None where not all were."""
    known = [rows.get((connection.pk, source.value, table)) for table in hunt.tables]
    answers = [row.has_rows if row else None for row in known]
    if True in answers:
        return True
    return False if answers and None not in answers else None
