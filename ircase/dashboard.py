"""What the dashboard shows of the cases a person may see: figures, each with the list of cases behind it."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from ircase import charts, metrics
from ircase.metrics import Period
from ircase.models import Case, ChecklistItem, Milestone, Phase, Severity, User
from ircase.models.cases import CaseQuerySet
from ircase.services.transfer.exports import safe_cell

MOST_LATE = 15
MOST_PEOPLE = 12
MOST_MONTHS = 13


@dataclass(frozen=True)
class Count:
    """A number and the case list that it counts."""

    value: int
    url: str


@dataclass(frozen=True)
class BoardRow:
    phase: str
    cells: tuple[Count, ...]
    total: Count


@dataclass(frozen=True)
class Figure:
    """One of MTTD, MTTA, MTTC, MTTR in words; `slowest` leads to the cases that pull it up."""

    measure: metrics.Measure
    value: str
    note: str
    url: str
    slowest: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Dashboard:
    open: Count
    severe: tuple[tuple[str, Count], ...]
    overdue: Count
    detected: Count
    board: tuple[BoardRow, ...]
    board_chart: charts.Drawing
    figures: tuple[Figure, ...]
    phase_chart: charts.Drawing
    trend_chart: charts.Drawing
    late: tuple[ChecklistItem, ...]
    late_count: int
    workload: tuple[tuple[User, int, int], ...]


def of(user: User, period: Period, now: datetime) -> Dashboard:
    """Everything, from `visible_to` down: what a person may not see is in no sum."""
    cases: CaseQuerySet = Case.objects.visible_to(user)
    board = metrics.board(cases)
    found = metrics.detected_between(cases, period.start, period.end)
    references, moments = metrics.moments_of(found)
    late = metrics.overdue(cases, now)
    return Dashboard(
        open=Count(board.total, case_list(state="open")),
        severe=tuple((str(s.label), _of_severity(board, s)) for s in (Severity.CRITICAL, Severity.HIGH)),
        overdue=Count(len({item.case_id for item in late}), case_list(overdue="on")),
        detected=Count(len(references), _of_period(period)),
        board=tuple(_board_row(phase, board.counts[phase]) for phase in Phase),
        board_chart=_board_chart(board),
        figures=tuple(_figure(metrics.measure(name, references, moments), period) for name in metrics.TIMES),
        phase_chart=_phase_chart(metrics.phase_times(found, now)),
        trend_chart=_trend_chart(metrics.by_month("MTTC", period, references, moments)),
        late=tuple(late[:MOST_LATE]),
        late_count=len(late),
        workload=tuple(metrics.workload(cases)[:MOST_PEOPLE]),
    )


def case_list(**filters: str) -> str:
    """The case list that a number counts; exercises are in no number."""
    return f"{reverse('ircase:case_list')}?{urlencode({'state': 'open', 'exercise': '0', **filters})}"


def _of_period(period: Period) -> str:
    return case_list(state="all", detected_from=period.first.isoformat(), detected_to=period.last.isoformat())


def _of_severity(board: metrics.Board, severity: Severity) -> Count:
    return Count(sum(row[severity] for row in board.counts.values()), case_list(severity=severity.value))


def _board_row(phase: Phase, counts: Mapping[str, int]) -> BoardRow:
    cells = tuple(Count(counts[s], case_list(phase=phase.value, severity=s)) for s in reversed(Severity.values))
    return BoardRow(phase.label, cells, Count(sum(counts.values()), case_list(phase=phase.value)))


def _board_chart(board: metrics.Board) -> charts.Drawing:
    order = list(reversed(Severity.values))
    rows = [
        charts.Bar(short(phase), {s: board.counts[phase][s] for s in order}, link=case_list(phase=phase.value))
        for phase in Phase
    ]
    return charts.bars("Open cases by phase and severity", rows, {s: Severity(s).label for s in order})


def _phase_chart(times: list[metrics.PhaseTime]) -> charts.Drawing:
    rows = [
        charts.Bar(f"{short(t.phase)} ({t.n})", {"accent": _hours(t.median)}, span(t.median) if t.n else "no case")
        for t in times
    ]
    return charts.bars("Median time per phase", rows, {"accent": "Hours"})


def _trend_chart(months: Sequence[tuple[Period, metrics.Measure]]) -> charts.Drawing:
    points = [
        (f"{month.first:%b %y}", _hours(found.median) if found.median is not None else None)
        for month, found in months[-MOST_MONTHS:]
    ]
    return charts.line("Median time to contain, by month of detection", points, "hours")


def _hours(value: timedelta | None) -> float:
    return round(value.total_seconds() / 3600, 2) if value is not None else 0.0


def _figure(measure: metrics.Measure, period: Period) -> Figure:
    parts = [f"n = {measure.n}", f"mean {span(measure.mean)}" if measure.mean is not None else ""]
    parts.append(f"{measure.missing} without the milestones" if measure.missing else "")
    parts.append(f"{measure.inconsistent} in the wrong order" if measure.inconsistent else "")
    return Figure(
        measure=measure,
        value=span(measure.median) if measure.median is not None else "–",
        note=", ".join(part for part in parts if part),
        url=_of_period(period),
        slowest=tuple((reference, span(took)) for reference, took in measure.cases[:3]),
    )


def short(phase: Phase) -> str:
    """The phase's name where there is little room."""
    return phase.label.split(",")[0].removesuffix(" Activity").removesuffix(" and Analysis")


def span(value: timedelta | None) -> str:
    """Two units at most: `3 d 4 h`, `2 h 5 min`, `4 min`."""
    if value is None:
        return "–"
    minutes = round(value.total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return (f"{hours} h {rest} min" if rest else f"{hours} h") if hours else f"{rest} min"


class _Line:
    """A file that hands back what is written: csv wants one."""

    def write(self, text: str) -> str:
        return text


def as_csv(user: User, period: Period) -> Iterator[str]:
    """One line per case detected in the period, with its milestones (UTC) and times in seconds; formula-safe."""
    kinds = Milestone.Kind.values
    writer = csv.writer(_Line())
    header = ("reference", "title", "severity", "phase", "classification", "opened", *kinds, *metrics.TIMES)
    yield writer.writerow(header)
    cases: CaseQuerySet = Case.objects.visible_to(user)
    found = metrics.counted(metrics.detected_between(cases, period.start, period.end))
    for case in found.order_by("opened_at", "pk").prefetch_related("milestones").iterator(chunk_size=500):
        moments = {milestone.kind: milestone.at for milestone in case.milestones.all()}
        values = [case.reference, case.title, case.severity, case.phase, case.classification]
        times = [case.opened_at, *(moments.get(kind) for kind in kinds)]
        stamps = [at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "" for at in times]
        yield writer.writerow([safe_cell(v) for v in values] + stamps + _spans(moments))


def _spans(moments: dict[str, datetime]) -> list[str]:
    """Seconds of each of TIMES; empty where a milestone is missing or the two are in the wrong order."""
    found = []
    for _, begin, end in metrics.TIMES.values():
        known = begin in moments and end in moments and moments[end] >= moments[begin]
        found.append(str(round((moments[end] - moments[begin]).total_seconds())) if known else "")
    return found
