"""ATT&CK of a case: which techniques its events and alerts show, which of them were hunted, and with what result."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q

from ircase import attack
from ircase.attack import Release, Technique
from ircase.models import Activity, Case, EventTechnique, JobState


@dataclass
class Seen:
    """What a case has of one technique. `alerts` are those of its `events` that came with an alert; `hunts` ran to
    their end, `hits` of them found rows. `tactics` count the events of which somebody said what they served."""

    events: int = 0
    alerts: int = 0
    hunts: int = 0
    hits: int = 0
    tactics: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    former: set[str] = field(default_factory=set)

    @property
    def anything(self) -> bool:
        return bool(self.events or self.hunts)

    @property
    def state(self) -> str:
        """seen and hunted, seen, hunted with or without rows: one word for the colour and the legend."""
        if self.events:
            return "both" if self.hunts else "seen"
        return "found" if self.hits else "hunted"


@dataclass(frozen=True)
class Cell:
    """A technique in the column of one tactic; `events` are those that served it."""

    technique: Technique
    seen: Seen
    events: int
    subs: tuple["Cell", ...] = ()


@dataclass(frozen=True)
class Column:
    """One tactic: the cells that are shown, and how many techniques it has in all."""

    tactic: str
    cells: tuple[Cell, ...]
    techniques: int
    events: int


@dataclass(frozen=True)
class Matrix:
    """`moved`: ids of the case that others took the place of. `unknown`: ids that the data does not have. `gaps`:
    techniques of events that no hunt has looked for."""

    release: Release
    columns: tuple[Column, ...]
    moved: tuple[tuple[str, Technique], ...]
    unknown: tuple[str, ...]
    gaps: tuple[Technique, ...]
    techniques: int
    hunted: int


def seen_of(case: Case) -> tuple[dict[str, Seen], dict[str, str], set[str]]:
    """What the case has by current id, which ids were given up for which, and those that nobody knows. Two queries."""
    found: dict[str, Seen] = defaultdict(Seen)
    moved: dict[str, str] = {}
    unknown: set[str] = set()

    def place(number: str) -> Seen | None:
        now = attack.current_id(number)
        if not now:
            unknown.add(number)
            return None
        if now != number:
            moved[number] = now
            found[now].former.add(number)
        return found[now]

    rows = EventTechnique.objects.filter(event__case=case).values("technique", "tactic")
    alert = Q(event__provenance__has_key="alert")
    for row in rows.annotate(events=Count("event"), alerts=Count("event", filter=alert)).order_by(
        "technique", "tactic"
    ):
        if one := place(row["technique"]):
            one.events += row["events"]
            one.alerts += row["alerts"]
            one.tactics[row["tactic"]] += row["events"]
    for techniques, count in _hunts(case):
        for number in techniques:
            if isinstance(number, str) and (one := place(number)):
                one.hunts += 1
                one.hits += bool(count)
    return found, moved, unknown


def _hunts(case: Case) -> Iterable[tuple[list[Any], int | None]]:
    ran = Activity.objects.filter(case=case, kind=Activity.Kind.HUNT, state=JobState.DONE)
    for techniques, count in ran.values_list("detail__techniques", "row_count").iterator():
        if isinstance(techniques, list):
            yield techniques, count


def matrix(case: Case, *, everything: bool = False) -> Matrix:
    """The case's matrix: the techniques that it has something of, or `everything`."""
    now = attack.release()
    seen, moved, unknown = seen_of(case)
    columns = tuple(_column(now, tactic, seen, everything) for tactic in now.tactics)
    hunted_parents = {number.split(".")[0] for number, one in seen.items() if one.hunts}
    gaps = [
        number
        for number, one in seen.items()
        if one.events and not one.hunts and not _covered(number, seen, hunted_parents)
    ]
    return Matrix(
        now,
        tuple(column for column in columns if column.cells or everything),
        tuple((old, now.techniques[new]) for old, new in sorted(moved.items())),
        tuple(sorted(unknown)),
        tuple(now.techniques[number] for number in sorted(gaps)),
        sum(1 for one in seen.values() if one.events),
        sum(1 for one in seen.values() if one.events and one.hunts),
    )


def _covered(number: str, seen: Mapping[str, Seen], hunted: set[str]) -> bool:
    """A hunt for a technique looks for its sub-techniques, too; one for a sub-technique is a look at its parent."""
    parent = number.split(".")[0]
    return bool(seen[parent].hunts) if "." in number and parent in seen else "." not in number and number in hunted


def _column(now: Release, tactic: str, seen: Mapping[str, Seen], everything: bool) -> Column:
    of_it = [one for one in now.techniques.values() if tactic in one.tactics]
    subs: dict[str, list[Cell]] = defaultdict(list)
    for one in of_it:
        if "." in one.id and (everything or (one.id in seen and seen[one.id].anything)):
            subs[one.id.split(".")[0]].append(_cell(one, tactic, seen))
    cells = []
    for one in of_it:
        if "." not in one.id and (everything or one.id in subs or (one.id in seen and seen[one.id].anything)):
            cells.append(_cell(one, tactic, seen, tuple(subs[one.id])))
    # What happened first, then by id: a column is read from its top.
    cells.sort(key=lambda cell: (-cell.events - sum(sub.events for sub in cell.subs), cell.technique.id))
    total = sum(cell.events + sum(sub.events for sub in cell.subs) for cell in cells)
    return Column(tactic, tuple(cells), sum("." not in one.id for one in of_it), total)


def _cell(one: Technique, tactic: str, seen: Mapping[str, Seen], subs: tuple[Cell, ...] = ()) -> Cell:
    has = seen.get(one.id, Seen())
    return Cell(one, has, has.tactics.get(tactic, 0) + has.tactics.get("", 0), subs)
