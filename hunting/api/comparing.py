"""Two runs side by side, rows in bulk, and the hunts that take a value, over HTTP."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Schema
from ninja.errors import HttpError
from pydantic import Field

from hunting import results
from hunting.api.runs import RunOut
from hunting.models import HuntRun
from hunting.services import comparing, rows, suiting
from hunting.views.doors import run_of
from ircase import grid
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import IndicatorKind, IndicatorVerdict
from ircase.models import Indicator
from ircase.services.vault import delivery

router = Router(tags=["Hunts"])
_RUN = "/cases/{reference}/hunts/runs/{uuid}"
_MOST_COLUMNS = 500


class Against(Schema):
    """How to compare. Of the two runs the earlier one is `before`, whichever is asked."""

    against: UUID | None = Field(None, description="The other run; null: the last one before it, else the next.")
    key: list[str] = Field(
        default_factory=list, max_length=_MOST_COLUMNS, description="Columns that tell rows apart; none: as guessed."
    )
    times: bool = Field(False, description="Compare moments too.")
    kind: str = Field("", max_length=10, description="new, gone or changed; empty for all.")


class AgainstPage(Against, Window):
    pass


class CellChange(Schema):
    column: str
    before: str | None
    after: str | None


class RowChange(Schema):
    """One key. `before` and `after`: the number of its first row in each run; `rows_before` and `rows_after`: how many
    rows have it. `cells` is empty where the difference lies in its further rows."""

    kind: str
    key: list[str | None]
    before: int | None
    after: int | None
    rows_before: int
    rows_after: int
    cells: list[CellChange]


class RunComparison(Schema):
    """The counts are of keys. `left_out` are columns that only one run has; `repeated` counts keys with several rows;
    with `truncated` what seems new or gone may only have been cut."""

    before: UUID
    after: UUID
    key: list[str]
    compared: list[str]
    left_out: list[str]
    truncated: bool
    new: int
    gone: int
    changed: int
    same: int
    repeated: int
    items: list[RowChange]
    total: int = Field(description="How many changes there are of the kind asked for.")
    limit: int
    offset: int


class RowsTaken(Schema):
    rows: list[int] = Field(min_length=1, max_length=grid.MAX_PAGE, description="Numbers of rows, from 1.")
    column: str = Field(min_length=1, max_length=260)
    kind: IndicatorKind | None = Field(None, description="Null: as each value is recognised.")
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN


class RowsTakenOut(Schema):
    """How many indicators are new, how many the case had, how many rows had no value; a sentence for each refused."""

    new: int
    known: int
    empty: int
    refused: list[str]


class SuitingHunt(Schema):
    """`parameter` takes the value; empty where the hunt looks for that technique by itself."""

    hunt: str
    title: str
    parameter: str

    @staticmethod
    def resolve_hunt(one: suiting.Suiting) -> str:
        return one.hunt.id

    @staticmethod
    def resolve_title(one: suiting.Suiting) -> str:
        return one.hunt.title

    @staticmethod
    def resolve_parameter(one: suiting.Suiting) -> str:
        return one.parameter.name if one.parameter else ""


def _with_rows(request: HttpRequest, reference: str, uuid: UUID) -> HuntRun:
    run = run_of(case_of(request, reference), uuid)
    if not results.has_rows(run):
        raise Http404("This run has no rows to compare.")
    return run


def _pair(run: HuntRun, asked: Against) -> comparing.Pair:
    others = comparing.others(run)
    if asked.against is None:
        candidates = list(others[: comparing.MOST_RUNS])
        if not candidates:
            raise HttpError(409, "There is no other run of this hunt yet. Run it again, then compare.")
        other = comparing.nearest(run, candidates)
    else:
        other = get_object_or_404(others, uuid=asked.against)
    return comparing.pair(run, other, key=asked.key, times=asked.times, kind=asked.kind)


@router.get(f"{_RUN}/comparison/runs", response=Page[RunOut], summary="Runs of the same hunt to compare with")
def list_comparable(request: HttpRequest, reference: str, uuid: UUID, window: Query[Window]) -> dict[str, Any]:
    """The newest first."""
    run = _with_rows(request, reference, uuid)
    return page_of(comparing.others(run).select_related("retry_of"), window)


@router.get(f"{_RUN}/comparison", response=RunComparison, summary="New, gone and changed rows against another run")
def compare_runs(request: HttpRequest, reference: str, uuid: UUID, asked: Query[AgainstPage]) -> dict[str, Any]:
    pair = _pair(_with_rows(request, reference, uuid), asked)
    comparing.look(pair, person(request))
    found = comparing.compared(pair, offset=asked.offset, limit=asked.limit)
    return {
        "before": pair.before.uuid,
        "after": pair.after.uuid,
        "key": found.key,
        "compared": found.compared,
        "left_out": pair.left_out,
        "truncated": pair.before.truncated or pair.after.truncated,
        "new": found.new,
        "gone": found.gone,
        "changed": found.changed,
        "same": found.same,
        "repeated": found.repeated,
        "items": [_change(one) for one in found.changes],
        "total": comparing.counts(found)[pair.kind],
        "limit": asked.limit,
        "offset": asked.offset,
    }


def _change(one: grid.Change) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "key": one.key,
        "before": one.before,
        "after": one.after,
        "rows_before": one.rows[0],
        "rows_after": one.rows[1],
        "cells": [{"column": name, "before": was, "after": now} for name, was, now in one.cells],
    }


@router.get(f"{_RUN}/comparison/file", response={200: bytes}, summary="All changes as a CSV")
def comparison_file(request: HttpRequest, reference: str, uuid: UUID, asked: Query[Against]) -> HttpResponseBase:
    """100,000 changes at most, with cells that no spreadsheet reads as formulas. Custody hears of it first."""
    pair = _pair(_with_rows(request, reference, uuid), asked)
    file = comparing.export(pair, person(request))
    return delivery.attachment(file.chunks, name=file.name)


@router.post(f"{_RUN}/indicators", response=RowsTakenOut, summary="One column of many rows as indicators")
def take_rows(request: HttpRequest, reference: str, uuid: UUID, body: RowsTaken) -> Any:
    """Each value once, with the run and the first row that it was read in. What is none of the kind is refused one by
    one."""
    run = run_of(open_case_of(request, reference), uuid)
    return rows.add_rows_as_indicators(
        run=run, actor=person(request), numbers=body.rows, column=body.column, kind=body.kind or "",
        verdict=body.verdict,
    )  # fmt: skip


@router.get("/cases/{reference}/hunts/suiting", response=list[SuitingHunt], summary="Hunts that take a value")
def list_suiting(request: HttpRequest, reference: str, kind: str = "", value: str = "") -> list[suiting.Suiting]:
    """`kind` as of an asset or an indicator, or `technique`. Run one with `{parameter: value}`."""
    open_case_of(request, reference)
    return suiting.hunts_for(kind, value.strip())
