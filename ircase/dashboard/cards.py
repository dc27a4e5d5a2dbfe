"""Cells about a case, the same on every list behind a number."""

from collections.abc import Iterable, Mapping, Sequence

from django.urls import reverse

from ircase.dashboard.shape import Cell, columns, moment, words
from ircase.models import Case, Phase, Severity
from ircase.models.cases import CaseQuerySet

CASE_COLUMNS = columns("Case", "Title", "Severity", "Phase", "Opened", "Closed")


def case_cell(reference: str, tab: str = "ircase:case") -> Cell:
    return words(reference, reverse(tab, args=[reference]))


def severity_cell(value: str) -> Cell:
    return Cell(str(Severity(value).label), value)


def case_rows(cases: Sequence[Case]) -> list[tuple[Cell, ...]]:
    """Rows of CASE_COLUMNS."""
    return [
        (
            case_cell(case.reference),
            words(case.title),
            severity_cell(case.severity),
            Cell(str(Phase(case.phase).label), case.phase),
            moment(case.opened_at),
            moment(case.closed_at) if case.closed_at else words("Open"),
        )
        for case in cases
    ]


def listed(cases: CaseQuerySet) -> CaseQuerySet:
    """In the order of a list behind a number, with only what its rows need."""
    return cases.only("reference", "title", "severity", "phase", "opened_at", "closed_at").order_by("-opened_at", "pk")


def titles(cases: Iterable[int]) -> Mapping[int, str]:
    """Titles by key; one query. For keys that came through `Scope.cases`."""
    return dict(Case.objects.filter(pk__in=list(cases)).order_by().values_list("pk", "title"))


def short(phase: str) -> str:
    """The phase's name where there is little room."""
    return str(Phase(phase).label).split(",")[0].removesuffix(" Activity").removesuffix(" and Analysis")
