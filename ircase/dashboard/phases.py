"""Time in each phase: median, 90th percentile, by month, against the targets."""

from collections.abc import Mapping, Sequence

from ircase import charts
from ircase.dashboard.cards import case_cell, severity_cell, short, titles
from ircase.dashboard.measured import PHASES, Spent, Targets, bucketed, stays, targets
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import (
    Behind,
    Cell,
    Chart,
    Panel,
    Table,
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
from ircase.dashboard.times import hours, limit
from ircase.metrics import Period
from ircase.models import Phase, PhaseEntry

PARTS = {"all": "all cases that were in it", "going": "cases that are in it still", "outside": "outside the target"}


def _of(scope: Scope, phase: str, period: Period) -> list[Spent]:
    def chosen() -> list[Spent]:
        start, end = period.start.timestamp(), period.end.timestamp()
        return [row for row in stays(scope)[phase] if start <= row.case.when < end]

    return scope.once(f"stays {phase} {period.first} {period.last}", chosen)


def _months(scope: Scope, phase: str) -> list[tuple[Period, Summary]]:
    def made() -> list[tuple[Period, Summary]]:
        rows = bucketed(scope, stays(scope)[phase], lambda row: row.case.when)
        return [(month, summary(_seconds(here))) for month, here in rows]

    return scope.once(f"months {phase}", made)


def _seconds(rows: Sequence[Spent]) -> list[float]:
    return [row.seconds for row in rows]


class Phases:
    key, section = "phases", "times"

    def panel(self, scope: Scope) -> Panel:
        known = any(_of(scope, phase, scope.period) for phase in PHASES)
        return Panel(
            self.key,
            "Time in each phase",
            "The same cases. Several stays in a phase are one time, their sum; what goes on counts up to now, and the "
            "time between closing and reopening is in no phase. Preparation is the organisation's, not a case's.",
            charts=(self._medians(scope), *(self._trend(scope, phase) for phase in PHASES)) if known else (),
            tables=(self._table(scope), *([self._months(scope)] if known else [])),
        )

    def _medians(self, scope: Scope) -> Chart:
        bars, title = [], "Median hours per phase"
        for phase in PHASES:
            found = summary(_seconds(_of(scope, phase, scope.period)))
            note = f"{span(found.median)}, n = {found.n}" if found.n else "no case"
            link = scope.behind(self.key, of=phase, part="all") if found.n else ""
            bars.append(charts.Bar(short(phase), {"accent": hours(found.median) or 0}, note, link))
        return Chart(title, charts.bars(title, bars, {"accent": "Hours"}, value=150))

    def _trend(self, scope: Scope, phase: Phase) -> Chart:
        found = _months(scope, phase)
        points = [(f"{month.first:%b %y}", hours(made.median)) for month, made in found]
        links = [scope.behind_of(month, self.key, of=phase.value, part="all") for month, _ in found]
        title = f"{short(phase)}, median in hours by month of detection"
        return Chart(title, charts.line(title, points, "hours", links=links, target=limit(scope, phase.value)))

    def _table(self, scope: Scope) -> Table:
        heads = ["Phase", "#Median", "#Mean", "#90th percentile", "#n", "#Still in it", "#Within target"]
        if scope.before:
            heads += ["#Median before", "#n before", "#Difference"]
        return Table(
            "phases", "Times by phase", columns(*heads), tuple(self._row(scope, phase) for phase in PHASES),
            note="Targets are set by administrators, for each severity.",
        )  # fmt: skip

    def _row(self, scope: Scope, phase: Phase) -> tuple[Cell, ...]:
        rows, wanted = _of(scope, phase, scope.period), targets(scope)
        found = summary(_seconds(rows))
        link = {part: scope.behind(self.key, of=phase.value, part=part) for part in PARTS}
        held = [row for row in rows if wanted.of(phase, row.case.severity) is not None]
        met = sum(not wanted.outside(phase, row.case.severity, row.seconds) for row in held)
        cells = [
            words(str(phase.label)),
            took(found.median, link["all"]),
            took(found.mean, link["all"]),
            took(found.p90, link["all"]),
            number(found.n, link["all"]),
            number(sum(row.goes_on for row in rows), link["going"]),
            share(met, len(held), link["outside"]) if wanted.any(phase) else words("No target"),
        ]
        if scope.before:
            past = summary(_seconds(_of(scope, phase, scope.before)))
            back = scope.behind_of(scope.before, self.key, of=phase.value, part="all")
            cells += [took(past.median, back), number(past.n, back), difference(found.median, past.median, spans=True)]
        return tuple(cells)

    def _months(self, scope: Scope) -> Table:
        made = []
        for place, month in enumerate(scope.months()):
            cells = [words(f"{month.first:%Y-%m}")]
            for phase in PHASES:
                found = _months(scope, phase)[place][1]
                link = scope.behind_of(month, self.key, of=phase.value, part="all")
                cells += [took(found.median, link), took(found.p90, link), number(found.n, link)]
            made.append(tuple(cells))
        heads = [head for phase in PHASES for head in (f"#{short(phase)}", "#90th", "#n")]
        return Table("phase-months", "Time in each phase by month of detection", columns("Month", *heads), tuple(made))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        phase, which = part.get("of", ""), part.get("part", "all")
        if phase not in PHASES or which not in PARTS:
            raise LookupError(f"{phase} {which}")
        rows = sorted(_of(scope, phase, scope.period), key=lambda row: -row.seconds)
        wanted = targets(scope)
        if which == "going":
            rows = [row for row in rows if row.goes_on]
        if which == "outside":
            rows = [row for row in rows if wanted.outside(phase, row.case.severity, row.seconds)]
        return Behind(
            f"{Phase(phase).label}: {PARTS[which]}",
            columns("Case", "Title", "Severity", "Stays", "#Time", "#Target", "Why"),
            rows,
            lambda page: _rows(page, phase, wanted),
            about="Each stay from when the case entered the phase to when it left it or was closed; the time is their "
            "sum.",
        )


def _rows(page: Sequence[Spent], phase: str, wanted: Targets) -> list[tuple[Cell, ...]]:
    keys = [row.case.pk for row in page]
    named, spans = titles(keys), _stays_of(keys, phase)
    made: list[tuple[Cell, ...]] = []
    for row in page:
        most = wanted.of(phase, row.case.severity)
        outside = most is not None and row.seconds > most
        why = ", ".join(["Goes on, counted up to now"] * row.goes_on + ["Outside the target"] * outside)
        made.append(
            (
                case_cell(row.case.reference),
                words(named.get(row.case.pk, "")),
                severity_cell(row.case.severity),
                _joined(spans.get(row.case.pk, ())),
                took(row.seconds),
                took(most),
                words(why),
            )
        )
    return made


def _stays_of(keys: Sequence[int], phase: str) -> Mapping[int, list[tuple[Cell, Cell]]]:
    """Of each stay when it began and when it ended; one query."""
    found: dict[int, list[tuple[Cell, Cell]]] = {}
    rows = PhaseEntry.objects.filter(case__in=keys, phase=phase).select_related("case").order_by("entered_at", "pk")
    for stay in rows:
        until = stay.left_at or stay.case.closed_at
        found.setdefault(stay.case_id, []).append((moment(stay.entered_at), moment(until) if until else words("now")))
    return found


def _joined(spans: Sequence[tuple[Cell, Cell]]) -> Cell:
    """`2026-11-02 09:10 to 2026-11-03 17:00` of each stay; in a file its times are UTC, as all are there."""
    text = "; ".join(f"{begin.text} to {end.text}" for begin, end in spans)
    return Cell(text, "; ".join(f"{begin.value} to {end.value}" for begin, end in spans))
