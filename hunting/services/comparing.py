"""Two runs of the same hunt side by side: which may be compared, by what, and what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from hunting import results
from hunting.models import HuntRun
from ircase import grid, recognition
from ircase.models import JobState, User
from ircase.services import log
from ircase.services.transfer import exports
from kql import Column

MOST_RUNS: Final = 50
"""How many runs are offered to compare with."""
MOST_EXPORTED: Final = 100_000


def others(run: HuntRun) -> QuerySet[HuntRun]:
    """Runs of the same hunt, or of the same text where it is a person's own, that have rows; the newest first."""
    found = HuntRun.objects.for_case(run.case).filter(state=JobState.DONE, table__isnull=False).exclude(pk=run.pk)
    same = {"hunt_id": run.hunt_id} if run.hunt_id else {"hunt_id": "", "kql": run.kql}
    return found.filter(**same).with_people().latest_first()


def nearest(run: HuntRun, candidates: Sequence[HuntRun]) -> HuntRun:
    """Of at least one, where nobody chose: the last one before this run, else the nearest after it."""
    earlier = [one for one in candidates if one.queued_at < run.queued_at]
    return earlier[0] if earlier else candidates[-1]


@dataclass(frozen=True)
class Pair:
    """The earlier and the later of two runs, with the columns `key` that tell rows apart, the further ones `rest` that
    are compared, and the `kind` of change that is wanted ("" for all)."""

    before: HuntRun
    after: HuntRun
    key: tuple[str, ...]
    rest: tuple[str, ...]
    kind: str

    @property
    def common(self) -> list[Column]:
        """The columns that both have."""
        return _common(self.before, self.after)

    @property
    def left_out(self) -> list[str]:
        """The columns that only one of them has."""
        was, now = (set(results.columns_of(one)) for one in (self.before, self.after))
        return sorted({column.name for column in was ^ now})


def pair(run: HuntRun, other: HuntRun, *, key: Sequence[str] = (), times: bool = False, kind: str = "") -> Pair:
    """Both runs in the order of time. Of `key`, what both have; without any, what names something. With `times`
    moments are compared too."""
    other.case = run.case
    before, after = sorted((run, other), key=lambda one: (one.queued_at, one.pk))
    common = _common(before, after)
    chosen = [c.name for c in common if c.name in key] or default_key(common)
    rest = [c.name for c in common if c.name not in chosen and (times or c.type != "datetime")]
    return Pair(before, after, tuple(chosen), tuple(rest), kind)


def _common(before: HuntRun, after: HuntRun) -> list[Column]:
    there = results.columns_of(after)
    return [column for column in results.columns_of(before) if column in there]


def default_key(columns: list[Column]) -> list[str]:
    """What tells rows apart where nobody said: the columns that name something, else all but moments."""
    still = [column for column in columns if column.type != "datetime"]
    named = [column.name for column in still if recognition.names_something(column.name)]
    return named or [column.name for column in still] or [column.name for column in columns]


def look(pair: Pair, actor: User) -> None:
    """Custody hears of it before the rows are shown."""
    for one in (pair.before, pair.after):
        results.look(one, actor)


def compared(pair: Pair, *, offset: int, limit: int) -> grid.Comparison:
    """A part of the changes, with the counts of all. Raises GridError with what to do."""
    if pair.before.table is None or pair.after.table is None:
        raise grid.GridError("One of the two runs has no table of its rows. The evidence holds them; download it.")
    return grid.compare(
        (pair.before.table.path, results.columns_of(pair.before)),
        (pair.after.table.path, results.columns_of(pair.after)),
        key=pair.key,
        compared=pair.rest,
        kind=pair.kind,  # type: ignore[arg-type]  # the grid refuses what it does not know
        offset=offset,
        limit=limit,
        most=MOST_EXPORTED,
    )


def counts(found: grid.Comparison) -> dict[str, int]:
    """How many changes of each kind there are; "" for all."""
    every = found.new + found.gone + found.changed
    return {"": every, "new": found.new, "gone": found.gone, "changed": found.changed}


@dataclass(frozen=True)
class File:
    """A CSV of changes, with the name that it is offered under."""

    name: str
    chunks: Iterator[bytes]


def export(pair: Pair, actor: User) -> File:
    """Every change of the kind asked for as CSV, up to a bound that is said in the file. Custody hears of it first.
    Raises GridError."""
    found = compared(pair, offset=0, limit=MOST_EXPORTED)
    for one in (pair.before, pair.after):
        if one.evidence is not None:
            log.record_custody(one.evidence, "exported", actor=actor, format="csv", comparison=True)
    reference = pair.before.case.reference
    name = f"{reference}_changes_{pair.before.uuid.hex[:8]}_{pair.after.uuid.hex[:8]}.csv"
    return File(name, exports.csv_chunks(_lines(found, pair.kind)))


def _lines(found: grid.Comparison, kind: str) -> Iterator[list[str]]:
    yield ["Change", *found.key, "Row before", "Row after", "Columns", "Before", "After"]
    for one in found.changes:
        numbers = ["" if number is None else str(number) for number in (one.before, one.after)]
        cells = [[name for name, _, _ in one.cells], *([cell[at] or "" for cell in one.cells] for at in (1, 2))]
        key = ["" if text is None else text for text in one.key]
        yield [one.kind, *key, *numbers, *("\n".join(texts) for texts in cells)]
    total = counts(found)[kind]
    if total > len(found.changes):
        yield [f"Cut: {len(found.changes):,} of {total:,} changes. Choose one kind, or a narrower key."]
