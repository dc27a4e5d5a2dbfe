"""The figures as CSV: any table of a dashboard, and one line per case of the period."""

from collections.abc import Iterator, Sequence

from ircase.dashboard.measured import KINDS, Measured, cases, within
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Table
from ircase.dashboard.times import when
from ircase.metrics import TIMES
from ircase.models import Case

_PORTION = 500


def table_rows(table: Table) -> Iterator[list[str]]:
    """Header first. Spans are in seconds, times in UTC, shares in percent."""
    yield [column.label for column in table.columns]
    for row in table.rows:
        yield [bare(cell) for cell in row]


def behind_rows(behind: Behind) -> Iterator[list[str]]:
    """All rows behind a number, a portion at a time."""
    yield [column.label for column in behind.columns]
    for start in range(0, behind.total, _PORTION):
        for row in behind.cells(list(behind.rows[start : start + _PORTION])):
            yield [bare(cell) for cell in row]


def bare(cell: Cell) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:g}"
    return str(value)  # a text keeps its end, whatever it is: "Version 2.0"


def case_rows(scope: Scope) -> Iterator[list[str]]:
    """One line per case of the period, with the milestones (UTC) that the times are made of, and these in seconds.

    Which cases these are is read at once: days are of the reader's zone, which holds no more when a reply streams.
    """
    return _case_rows(sorted(within(cases(scope), scope.period), key=lambda row: (row.when, row.pk)))


def _case_rows(rows: Sequence[Measured]) -> Iterator[list[str]]:
    kinds = [kind.value for kind in KINDS]
    yield ["reference", "title", "severity", "phase", "classification", "determination", "opened", *kinds, *TIMES]
    for start in range(0, len(rows), _PORTION):
        part = rows[start : start + _PORTION]
        found = Case.objects.in_bulk([row.pk for row in part])
        for row in part:
            if row.pk in found:
                yield _case(found[row.pk], row)


def _case(case: Case, row: Measured) -> list[str]:
    stamps = [_stamp(case.opened_at.timestamp()), *(_stamp(at) for at in row.moments)]
    spans = [row.span(name) for name in TIMES]
    return [
        case.reference, case.title, case.severity, case.phase, case.classification, case.determination, *stamps,
        *("" if seconds is None or seconds < 0 else str(round(seconds)) for seconds in spans),
    ]  # fmt: skip


def _stamp(seconds: float | None) -> str:
    at = when(seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""
