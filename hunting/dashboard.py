"""Hunts on the dashboard: how many ran, how many hit, what they found, and the hours that they are taken to save."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import BooleanField, Count, Q, QuerySet, Sum, Value, When
from django.db.models import Case as When_
from django.urls import reverse

from hunting import shelf
from hunting.models import HuntRun
from ircase import charts, dashboard
from ircase.dashboard.cards import case_cell
from ircase.dashboard.patterns import named
from ircase.dashboard.scope import Scope, in_period
from ircase.dashboard.shape import (
    Behind,
    Cell,
    Chart,
    Panel,
    Table,
    Tile,
    columns,
    difference,
    moment,
    number,
    share,
    words,
)
from ircase.models import Activity, JobState
from ircase.services.managing import targets
from ircase.wording import counted

MOST: Final = 20
OWN: Final = "-"
"""Stands for a person's own KQL, and for runs outside any pack."""
_HEADS: Final = ("#Runs", "#Done", "#Failed", "#With hits", "#Rows", "#Confirmed")


@dataclass
class Sums:
    """Of some runs: `hits` are done ones that gave rows, `confirmed` were judged so by a person."""

    runs: int = 0
    done: int = 0
    failed: int = 0
    hits: int = 0
    rows: int = 0
    confirmed: int = 0

    def add(self, other: "Sums") -> None:
        for name in ("runs", "done", "failed", "hits", "rows", "confirmed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


Part = tuple[str, str, bool]
"""Hunt, pack, and whether it is of this period (not of the one before)."""


def _counted(scope: Scope) -> dict[Part, Sums]:
    """One query for both periods. Those of a long one overlap with the same a year ago: a run counts in each."""
    wanted = in_period(scope.period, "queued_at")
    past = in_period(scope.before, "queued_at") if scope.before else ~wanted
    done = Q(state=JobState.DONE)
    rows = HuntRun.objects.filter(wanted | past if scope.before else wanted, case__in=scope.keys).order_by()
    parted = rows.annotate(now=_whether(wanted), past=_whether(past))
    found = parted.values_list("hunt_id", "pack", "now", "past").annotate(
        runs=Count("pk"), done=Count("pk", filter=done), failed=Count("pk", filter=Q(state=JobState.FAILED)),
        hits=Count("pk", filter=done & Q(row_count__gt=0)), rows=Sum("row_count"),
        confirmed=Count("pk", filter=Q(activity__verdict=Activity.Verdict.CONFIRMED)),
    )  # fmt: skip
    made: dict[Part, Sums] = defaultdict(Sums)
    for hunt, pack, is_now, is_past, runs, done_runs, failed, hits, total, confirmed in found:
        for current in (*[True] * is_now, *[False] * is_past):
            made[hunt, pack, current].add(Sums(runs, done_runs, failed, hits, total or 0, confirmed))
    return made


def _whether(condition: Q) -> When_:
    return When_(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def _group(found: Mapping[Part, Sums], keys: Callable[[str, str], Iterable[str]], *, now: bool) -> dict[str, Sums]:
    """Sums by what `keys` says of a hunt and a pack; a run counts under each of them."""
    made: dict[str, Sums] = defaultdict(Sums)
    for (hunt, pack, current), sums in found.items():
        if current == now:
            for key in keys(hunt, pack):
                made[key].add(sums)
    return made


def _techniques(hunt_id: str) -> tuple[str, ...]:
    hunt = shelf.hunt(hunt_id) if hunt_id else None
    return hunt.techniques if hunt else ()


_KEYS: Final[Mapping[str, Callable[[str, str], Iterable[str]]]] = {
    "all": lambda hunt, pack: ("",),
    "pack": lambda hunt, pack: (pack or OWN,),
    "technique": lambda hunt, pack: _techniques(hunt),
    "hunt": lambda hunt, pack: (hunt or OWN,),
}


class Hunts:
    key, section = "hunts", "hunts"

    def panel(self, scope: Scope) -> Panel:
        with shelf.held():
            found = _counted(scope)
            tables = (
                self._table(scope, found, "pack", "By pack", _pack_name),
                self._table(scope, found, "technique", "By ATT&CK technique", named),
                self._table(scope, found, "hunt", "By hunt", _hunt_name),
            )
            return Panel(
                self.key,
                "Hunts",
                "Runs that were queued in the period, on cases of any time. A hit is a finished run with rows.",
                tiles=self._tiles(scope, found),
                charts=self._chart(scope, found),
                tables=tables,
            )

    def _tiles(self, scope: Scope, found: Mapping[Part, Sums]) -> tuple[Tile, ...]:
        now = _group(found, _KEYS["all"], now=True).get("", Sums())
        past = _group(found, _KEYS["all"], now=False).get("", Sums()) if scope.before else None
        link = {part: scope.behind(self.key, part=part) for part in ("all", "done", "hits")}
        old = {"runs": past.runs, "rows": past.rows} if past is not None else {}
        rate = round(100 * now.hits / now.done) if now.done else None
        before = round(100 * past.hits / past.done) if past and past.done else None
        rate_note = f"{now.hits:,} of {now.done:,} finished runs"
        if past is not None:
            rate_note += f", {before} % before (n = {past.done:,})" if before is not None else ", none finished before"
        return (
            Tile("Runs", f"{now.runs:,}", _against(now.runs, old.get("runs")), link["all"], number=now.runs),
            Tile("Hit rate", "–" if rate is None else f"{rate} %", rate_note, link["hits"], number=rate),
            Tile("Rows", f"{now.rows:,}", _against(now.rows, old.get("rows")), link["done"], number=now.rows),
            self._saved(now, past, link["done"]),
        )

    def _saved(self, now: Sums, past: Sums | None, link: str) -> Tile:
        """An assumption is never shown without its words."""
        assumed = targets.assumption()
        if assumed is None:
            return Tile("Hours saved", "–", "Not counted: administrators have set no assumption")
        hours = now.done * assumed.minutes / 60
        note = f"Assumed: {assumed.minutes} minutes a finished run ({assumed.reason})"
        if past is not None:
            note += f"; {_against(hours, past.done * assumed.minutes / 60)}"
        return Tile("Hours saved", charts.figure(round(hours, 1)), note, link, number=round(hours, 2))

    def _chart(self, scope: Scope, found: Mapping[Part, Sums]) -> tuple[Chart, ...]:
        packs = sorted(_group(found, _KEYS["pack"], now=True).items(), key=lambda p: (-p[1].runs, p[0]))[:8]
        if not packs:
            return ()
        rows = [
            charts.Bar(
                _pack_name(pack)[:24],
                {
                    "done": float(sums.hits),
                    "skipped": float(sums.done - sums.hits),
                    "left": float(sums.runs - sums.done),
                },
                f"{counted(sums.runs, 'run')}, {sums.hits:,} with hits",
                scope.behind(self.key, pack=pack),
            )
            for pack, sums in packs
        ]
        names = {"done": "With hits", "skipped": "Finished without", "left": "Not finished"}
        legend = tuple({"label": label, "class": charts.CLASSES[part]} for part, label in names.items())
        title = "Runs by pack"
        return (Chart(title, charts.bars(title, rows, names, label=180, value=170), legend),)

    def _table(
        self, scope: Scope, found: Mapping[Part, Sums], by: str, title: str, name: Callable[[str], str]
    ) -> Table:
        now, past = (_group(found, _KEYS[by], now=flag) for flag in (True, False))
        order = sorted({*now, *past}, key=lambda key: (-now.get(key, Sums()).runs, key))
        heads = [title.removeprefix("By ").capitalize() if by != "technique" else "Technique", *_HEADS]
        rows = []
        for key in order[:MOST]:
            cells = [words(name(key)), *self._cells(scope, by, key, now.get(key, Sums()))]
            if scope.before:
                before = past.get(key, Sums())
                back = scope.behind_of(scope.before, self.key, **{by: key})
                cells += [number(before.runs, back), difference(now.get(key, Sums()).runs, before.runs)]
            rows.append(tuple(cells))
        heads += ["#Runs before", "#Difference"] if scope.before else []
        note = "A run counts for each technique of its hunt." if by == "technique" else ""
        return Table(f"by-{by}", title, columns(*heads), tuple(rows), note=note, total=len(order))

    def _cells(self, scope: Scope, by: str, key: str, sums: Sums) -> list[Cell]:
        link = {
            part: scope.behind(self.key, **{by: key}, part=part)
            for part in ("all", "done", "failed", "hits", "confirmed")
        }
        return [
            number(sums.runs, link["all"]),
            number(sums.done, link["done"]),
            number(sums.failed, link["failed"]),
            share(sums.hits, sums.done, link["hits"]),
            number(sums.rows, link["hits"]),
            number(sums.confirmed, link["confirmed"]),
        ]

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        rows = HuntRun.objects.filter(in_period(scope.period, "queued_at"), case__in=scope.keys)
        which = part.get("part", "all")
        rows = rows.filter(_PARTS[which])
        title = _TITLES[which]
        if pack := part.get("pack"):
            rows, title = rows.filter(pack="" if pack == OWN else pack), f"{title}, {_pack_name(pack)}"
        if hunt := part.get("hunt"):
            rows, title = rows.filter(hunt_id="" if hunt == OWN else hunt), f"{title}, {_hunt_name(hunt)}"
        if technique := part.get("technique"):
            hunts = [one.id for one in shelf.hunts(retired=True).values() if technique in one.techniques]
            rows, title = rows.filter(hunt_id__in=hunts), f"{title}, {named(technique)}"
        rows = rows.select_related("case", "activity", "requested_by").order_by("-queued_at", "-pk")
        light = rows.defer("kql", "prelude", "final_kql", "activity__detail", "parameters", "request_ids")
        heads = columns("Run", "Case", "Asked by", "Queued", "State", "#Rows", "Verdict")
        return Behind(title, heads, light, _rows)


_PARTS: Final = {
    "all": Q(),
    "done": Q(state=JobState.DONE),
    "failed": Q(state=JobState.FAILED),
    "hits": Q(state=JobState.DONE, row_count__gt=0),
    "confirmed": Q(activity__verdict=Activity.Verdict.CONFIRMED),
}
_TITLES: Final = {
    "all": "Runs", "done": "Finished runs", "failed": "Failed runs", "hits": "Runs with hits",
    "confirmed": "Runs judged confirmed",
}  # fmt: skip


def _rows(page: Sequence[HuntRun] | QuerySet[HuntRun]) -> list[tuple[Cell, ...]]:
    return [
        (
            words(run.title, reverse("hunting:run", args=[run.case.reference, run.uuid])),
            case_cell(run.case.reference, "hunting:panel"),
            words(run.requested_by.name),
            moment(run.queued_at),
            Cell(str(JobState(run.state).label), run.state),
            number(run.row_count),
            words(str(Activity.Verdict(run.activity.verdict).label)),
        )
        for run in page
    ]


def _against(now: float, past: float | None) -> str:
    if past is None:
        return ""
    return f"{difference(round(now, 1), round(past, 1)).text} against {charts.figure(round(past, 1))}"


def _pack_name(pack: str) -> str:
    if pack == OWN:
        return "Outside packs"
    known = shelf.packs(retired=True).get(pack)
    return known.title if known else pack


def _hunt_name(hunt_id: str) -> str:
    if hunt_id == OWN:
        return "Own KQL"
    known = shelf.hunt(hunt_id)
    return known.title if known else hunt_id


def register() -> None:
    dashboard.register(Hunts())
