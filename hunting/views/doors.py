"""What every view of a run begins with."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from hunting.models import Cell, HuntRun, Notebook
from ircase import access
from ircase.models import Case, User
from ircase.views.doors import case_to_change


def run_of(case: Case, uuid: UUID) -> HuntRun:
    """A run below its case; 404 for one of another case, as for one that does not exist."""
    run: HuntRun = get_object_or_404(HuntRun.objects.for_case(case).with_people(), uuid=uuid)
    run.case = run.activity.case = case
    return run


def run_to_read(request: HttpRequest, reference: str, uuid: UUID) -> tuple[User, HuntRun]:
    user = access.current_user(request)
    return user, run_of(access.get_case(user, reference), uuid)


def run_to_change(request: HttpRequest, reference: str, uuid: UUID) -> tuple[User, HuntRun]:
    """403 for readers and on a closed case."""
    user, case = case_to_change(request, reference)
    return user, run_of(case, uuid)


def notebook_of(case: Case, uuid: UUID) -> Notebook:
    """A notebook below its case; 404 for one of another case."""
    notebook: Notebook = get_object_or_404(Notebook, case=case, uuid=uuid)
    notebook.case = case
    return notebook


def cell_of(notebook: Notebook, uuid: UUID) -> Cell:
    """A cell below its notebook, deleted ones included."""
    cell: Cell = get_object_or_404(Cell.objects.with_results(), notebook=notebook, uuid=uuid)
    cell.notebook = notebook
    return cell


def notebook_to_read(request: HttpRequest, reference: str, uuid: UUID) -> tuple[User, Notebook]:
    user = access.current_user(request)
    return user, notebook_of(access.get_case(user, reference), uuid)


def notebook_to_change(request: HttpRequest, reference: str, uuid: UUID) -> tuple[User, Notebook]:
    """403 for readers and on a closed case."""
    user, case = case_to_change(request, reference)
    return user, notebook_of(case, uuid)
