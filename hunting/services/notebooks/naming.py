"""A cell's name is a table for the cells below it: which names there can be, and which rows stand behind them."""

import re
from collections.abc import Iterable
from typing import Any, Final

from django.core.exceptions import ValidationError

import kql
from hunting.models import Cell, CellRun, HuntRun, Notebook, Source
from ircase.models import CaseTable, JobState
from ircase.services.analysis import tables
from kql import Column, Table
from kql.catalogue import TABLES
from kql.syntax.operators import OPERATOR_NAMES

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_KNOWN: Final = frozenset(name.casefold() for name in TABLES)


class InputGone(Exception):
    """A result that a run was to read is no longer there. The message says what to do."""


def check_name(notebook: Notebook, name: str, *, of: Cell | None = None) -> None:
    """Raise ValidationError where a result cannot go by this name in this notebook."""
    if not _NAME.fullmatch(name):
        raise ValidationError({"name": "A name is letters, digits and underscores, and begins with a letter."})
    if name in OPERATOR_NAMES or kql.validate(f"{name}\n| take 1", {name: (Column("A", "string"),)}):
        raise ValidationError({"name": f"{name} is a word of KQL. Choose another name."})
    if name.casefold() in _KNOWN:
        raise ValidationError({"name": f"{name} is one of Microsoft's tables. Choose another name."})
    if CaseTable.objects.filter(case_id=notebook.case_id, queryable=True, name__iexact=name).exists():
        raise ValidationError({"name": f"The case has a table {name}. Choose another name."})
    others = Cell.objects.filter(notebook=notebook, name__iexact=name).there()
    if any(other.pk != (of and of.pk) for other in others):
        raise ValidationError({"name": f"Another cell of this notebook is called {name}."})


def named_above(cell: Cell) -> list[Cell]:
    """The named queries above the cell, from top to bottom, each with its last result."""
    above = Cell.objects.filter(notebook_id=cell.notebook_id, kind=Cell.Kind.KQL).exclude(name="").there()
    found = above.with_results().exclude(pk=cell.pk)
    return [other for other in found if (other.position, other.pk) < (cell.position, cell.pk)]


def tables_above(cell: Cell) -> tuple[Table, ...]:
    """The results above the cell as tables, as its query would see them now."""
    done = [(other.name, other.last.run) for other in named_above(cell) if other.last is not None]
    return tuple(_as_table(name, run.table) for name, run in done if run.state == JobState.DONE and run.table)


def inputs_of(cell: Cell) -> list[dict[str, Any]]:
    """The results that the cell's query names, as `CellRun.inputs` keeps them. Raises ValidationError."""
    wanted = kql.used_tables(cell.text)
    cells = Cell.objects.filter(notebook_id=cell.notebook_id, name__in=wanted, kind=Cell.Kind.KQL).there()
    named = list(cells.with_results().exclude(pk=cell.pk))
    if named and cell.source != Source.CASE:
        raise ValidationError(
            f"{named[0].name} is the result of a cell, which {Source(cell.source).label} cannot see. Run this cell on "
            "the case's own tables, or write the values into the query."
        )
    _refuse_case_tables(cell, named)
    return [_input(cell, other) for other in named]


def _refuse_case_tables(cell: Cell, named: Iterable[Cell]) -> None:
    """A table may have come to the case after the cell was named: then the name would mean two things."""
    names = [other.name for other in named]
    taken = CaseTable.objects.filter(case_id=cell.notebook.case_id, queryable=True, name__in=names).first()
    if taken is not None:
        raise ValidationError(f"{taken.name} is both a cell and a table of the case by now. Rename the cell.")


def _input(cell: Cell, other: Cell) -> dict[str, Any]:
    if (other.position, other.pk) > (cell.position, cell.pk):
        raise ValidationError(f"{other.name} is the name of a cell below. Move it above this one.")
    run = other.last.run if other.last is not None else None
    if run is None or not run.is_final:
        state = "has no result yet" if run is None else "is still running"
        raise ValidationError(f"{other.name} {state}. Run that cell first.")
    if run.state != JobState.DONE or run.table is None or run.evidence is None:
        raise ValidationError(f"The last run of {other.name} left no rows to read: {run.get_state_display()}.")
    return {
        "name": other.name,
        "run": str(run.uuid),
        "exhibit": run.evidence.exhibit,
        "sha256": run.evidence.sha256,
        "rows": run.row_count,
        "truncated": run.truncated,
    }


def given_to(run: HuntRun) -> tuple[Table, ...]:
    """What a run of a cell is given besides the case's own tables. Raises InputGone."""
    kept = CellRun.objects.filter(run=run).values_list("inputs", flat=True).first() or []
    runs = {
        str(one.uuid): one for one in HuntRun.objects.for_case(run.case).filter(uuid__in=[item["run"] for item in kept])
    }
    found = []
    for item in kept:
        table = runs[item["run"]].table if item["run"] in runs else None
        if table is None or not table.path.is_file():
            raise InputGone(f"The rows behind {item['name']} are no longer there as a table. Run that cell again.")
        found.append(_as_table(item["name"], table))
    return tuple(found)


def _as_table(name: str, table: CaseTable) -> Table:
    """Patterns such as `union *` leave it out: its rows stand in the case's tables already."""
    return Table(name, (table.path,), columns=tables.columns_of(table), wildcard=False)


def about(run: HuntRun) -> dict[str, Any] | None:
    """What a manifest says of the notebook behind a run; None where there is none."""
    kept = CellRun.objects.filter(run=run).select_related("cell__notebook").first()
    if kept is None:
        return None
    cell = kept.cell
    return {
        "notebook": str(cell.notebook.uuid),
        "title": cell.notebook.title,
        "cell": str(cell.uuid),
        "name": cell.name,
        "version": kept.version,
        "results_read": kept.inputs,
    }
