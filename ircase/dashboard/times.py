"""MTTD, MTTA, MTTC and MTTR over the cases of a period: median, mean, 90th percentile, and what is missing.

MTTD is the dwell time: from when it occurred to when it was detected. A case that lacks a milestone is missing, never
zero; one with the two in the wrong order is named apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ircase import charts
from ircase.dashboard.cards import case_cell, severity_cell, titles
from ircase.dashboard.measured import Measured, Targets, cases, months, targets, within
from ircase.dashboard.scope import Scope
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
    span,
    took,
    words,
)
from ircase.dashboard.summary import Summary, summary
from ircase.metrics import TIMES, Period
from ircase.models import Milestone

PARTS = {
    "counted": "with both milestones",
    "missing": "without one of the milestones",
    "inconsistent": "with the milestones in the wrong order",
    "outside": "outside the target",
    "all": "all",
}


@dataclass(frozen=True)
class Split:
    """The cases of a period for one measure."""

    counted: list[tuple[Measured, float]]
    missing: list[Measured]
    inconsistent: list[Measured]

    @cached_property
    def summary(self) -> Summary:
        return summary([seconds for _, seconds in self.counted])

    def met(self, name: str, wanted: Targets) -> tuple[int, int]:
        """How many kept their target, of how many that have one."""
        held = [(case, s) for case, s in self.counted if wanted.of(name, case.severity) is not None]
        return sum(not wanted.outside(name, case.severity, s) for case, s in held), len(held)


def split(name: str, rows: Sequence[Measured]) -> Split:
    found = Split([], [], [])
    for row in rows:
        seconds = row.span(name)
        if seconds is None:
            found.missing.append(row)
        elif seconds < 0:
            found.inconsistent.append(row)
        else:
            found.counted.append((row, seconds))
    return found


def of_period(scope: Scope, name: str, period: Period) -> Split:
    """Of one of the two periods; split once, however many panels ask."""
    key = f"split {name} {period.first} {period.last}"
    return scope.once(key, lambda: split(name, within(cases(scope), period)))


def by_month(scope: Scope, name: str) -> list[tuple[Period, Summary]]:
    return scope.once(f"months {name}", lambda: [(m, split(name, rows).summary) for m, rows in months(scope)])


def meaning(name: str) -> str:
    return f"{TIMES[name][0]} (dwell time)" if name == "MTTD" else TIMES[name][0]


class Times:
    key, section = "times", "times"

    def panel(self, scope: Scope) -> Panel:
        rows = within(cases(scope), scope.period)
        return Panel(
            self.key,
            "How long it takes",
            "Cases detected in the period; one that nobody gave the milestone Detected counts by when it was opened. "
            "Median first: half of the cases were faster.",
            tiles=tiles(scope, self.key),
            charts=tuple(self._trend(scope, name) for name in TIMES) if rows else (),
            tables=(self._table(scope), *([self._months(scope)] if rows else [])),
        )

    def _table(self, scope: Scope) -> Table:
        heads = ["Measure", "#Median", "#Mean", "#90th percentile", "#n", "#Missing", "#Wrong order", "#Within target"]
        if scope.before:
            heads += ["#Median before", "#n before", "#Difference"]
        made = tuple(self._row(scope, name) for name in TIMES)
        return Table(
            "measures", "Times by milestone", columns(*heads), made,
            note="MTTD is detected less occurred, MTTA acknowledged less detected, MTTC contained less detected, MTTR "
            "recovered less detected. Missing: a milestone is not set.",
        )  # fmt: skip

    def _row(self, scope: Scope, name: str) -> tuple[Cell, ...]:
        found, wanted = of_period(scope, name, scope.period), targets(scope)
        made, met = found.summary, found.met(name, wanted)
        link = {part: scope.behind(self.key, of=name, part=part) for part in PARTS}
        cells = [
            words(f"{name}: {meaning(name)}"),
            took(made.median, link["counted"]),
            took(made.mean, link["counted"]),
            took(made.p90, link["counted"]),
            number(made.n, link["counted"]),
            number(len(found.missing), link["missing"]),
            number(len(found.inconsistent), link["inconsistent"]),
            share(*met, url=link["outside"]) if wanted.any(name) else words("No target"),
        ]
        if scope.before:
            past = of_period(scope, name, scope.before).summary
            back = scope.behind_of(scope.before, self.key, of=name, part="counted")
            cells += [took(past.median, back), number(past.n, back), difference(made.median, past.median, spans=True)]
        return tuple(cells)

    def _months(self, scope: Scope) -> Table:
        made = []
        for place, month in enumerate(scope.months()):
            cells = [words(f"{month.first:%Y-%m}")]
            for name in TIMES:
                found = by_month(scope, name)[place][1]
                link = scope.behind_of(month, self.key, of=name, part="counted")
                cells += [took(found.median, link), number(found.n, link)]
            made.append(tuple(cells))
        heads = [head for name in TIMES for head in (f"#{name}", "#n")]
        return Table("months", "Medians by month of detection", columns("Month", *heads), tuple(made))

    def _trend(self, scope: Scope, name: str) -> Chart:
        points = [(f"{month.first:%b %y}", hours(found.median)) for month, found in by_month(scope, name)]
        links = [scope.behind_of(month, self.key, of=name, part="counted") for month in scope.months()]
        title = f"{name}, median in hours by month of detection"
        return Chart(title, charts.line(title, points, "hours", links=links, target=limit(scope, name)))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        name, which = part.get("of", ""), part.get("part", "counted")
        if name not in TIMES or which not in PARTS:
            raise LookupError(f"{name} {which}")
        _, begin, end = TIMES[name]
        chosen = self._chosen(scope, name, which)
        return Behind(
            f"{name}: cases {PARTS[which]}" if which != "all" else f"{name}: all cases",
            columns("Case", "Title", "Severity", f"{begin.label}", f"{end.label}", "#Time", "#Target", "Why"),
            chosen,
            lambda page: _rows(page, name, targets(scope)),
            about=f"{meaning(name)}: from {begin.label} to {end.label}.",
        )

    def _chosen(self, scope: Scope, name: str, which: str) -> list[Measured]:
        rows = within(cases(scope), scope.period)
        found = of_period(scope, name, scope.period)
        counted = [case for case, _ in sorted(found.counted, key=lambda pair: -pair[1])]
        if which == "outside":
            return [c for c in counted if targets(scope).outside(name, c.severity, c.span(name) or 0)]
        chosen = {"counted": counted, "missing": found.missing, "inconsistent": found.inconsistent}
        return chosen.get(which, rows)


def tiles(scope: Scope, key: str) -> tuple[Tile, ...]:
    """The four medians with their n, and what became of them."""
    made = []
    for name in TIMES:
        found = of_period(scope, name, scope.period)
        now = found.summary
        notes = [meaning(name), f"n = {now.n}", f"{len(found.missing)} missing" if found.missing else ""]
        if scope.before:
            past = of_period(scope, name, scope.before).summary
            change = difference(now.median, past.median, spans=True).text
            notes.append(f"{change} against {span(past.median)} (n = {past.n})" if past.n else "none before")
        url = scope.behind(key, of=name, part="counted" if now.n else "missing")
        made.append(Tile(name, span(now.median), ", ".join(n for n in notes if n), url, number=now.median))
    return tuple(made)


def hours(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 3600, 2)


def limit(scope: Scope, measure: str) -> float | None:
    """The target in hours, where one holds for all that is shown."""
    return hours(targets(scope).of(measure, scope.filters.severity))


def _rows(page: Sequence[Measured], name: str, wanted: Targets) -> list[tuple[Cell, ...]]:
    named = titles(row.pk for row in page)
    _, begin, end = TIMES[name]
    made: list[tuple[Cell, ...]] = []
    for row in page:
        seconds, most = row.span(name), wanted.of(name, row.severity)
        made.append(
            (
                case_cell(row.reference),
                words(named.get(row.pk, "")),
                severity_cell(row.severity),
                moment(when(row.moment(begin))),
                moment(when(row.moment(end))),
                took(seconds),
                took(most),
                words(_why(row, begin, end, seconds, most)),
            )
        )
    return made


def _why(row: Measured, begin: Milestone.Kind, end: Milestone.Kind, seconds: float | None, most: float | None) -> str:
    """Why it does not count, or counts against the target."""
    if seconds is None:
        gone = [kind.label for kind in (begin, end) if row.moment(kind) is None]
        return f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} not set"
    if seconds < 0:
        return f"{end.label} lies before {begin.label}"
    return "Outside the target" if most is not None and seconds > most else ""


def when(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
