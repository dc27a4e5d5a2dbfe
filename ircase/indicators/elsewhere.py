"""Where indicators are known: in other cases that the reader may see, and in the tables of their own."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from ircase import access, grid, jobs
from ircase.models import Case, CaseTable, Indicator, IndicatorLook, JobState, Sighting, User
from ircase.services import log
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
TASK: Final = "ircase.look_for_indicators"
MOST_WANTED: Final = 500
SECONDS_OF_A_TABLE: Final = 60.0


def counted(indicators: QuerySet[Indicator], case: Case, reader: User) -> QuerySet[Any]:
    """Each with `other_cases`, of those that the reader may see and that know it too, and with `in_tables`, the tables
    of its own case in which it was seen. No query of its own."""
    visible = Case.objects.visible_to(reader).exclude(pk=case.pk)
    same = Indicator.objects.filter(
        kind=OuterRef("kind"), value_digest=OuterRef("value_digest"), case__in=visible.values("pk")
    )
    seen = Sighting.objects.filter(indicator=OuterRef("pk"))
    return indicators.annotate(
        other_cases=_count(same, "case"),
        in_tables=_count(seen, "table"),
    )


def _count(rows: QuerySet[Any], what: str) -> Coalesce:
    """How many different `what` there are, as a subquery of an outer row."""
    counted = rows.order_by().annotate(_one=Value(1)).values("_one").annotate(n=Count(what, distinct=True)).values("n")
    return Coalesce(Subquery(counted, IntegerField()), 0)


def same(indicator: Indicator, reader: User) -> QuerySet[Indicator]:
    """The same indicator in other cases that the reader may see, each with its case."""
    visible = Case.objects.visible_to(reader).exclude(pk=indicator.case_id)
    found = Indicator.objects.filter(kind=indicator.kind, value_digest=indicator.value_digest)
    return found.filter(case__in=visible.values("pk")).select_related("case").order_by("-case__opened_at")


@transaction.atomic
def ask(*, case: Case, actor: User, uuids: Sequence[UUID] = ()) -> IndicatorLook:
    """Have a worker look for these indicators, or for all of the case, in the case's tables. Raises ValidationError."""
    wanted = Indicator.objects.filter(case=case)
    if uuids:
        wanted = wanted.filter(uuid__in=set(uuids))
    chosen = [str(uuid) for uuid in wanted.values_list("uuid", flat=True)[: MOST_WANTED + 1]]
    if not chosen:
        raise ValidationError("There is no indicator to look for.")
    if len(chosen) > MOST_WANTED:
        raise ValidationError(f"At most {MOST_WANTED} indicators are looked for at once; choose them.")
    unfinished = (JobState.QUEUED, JobState.RUNNING)
    if IndicatorLook.objects.filter(case=case, state__in=unfinished, wanted=chosen).exists():
        raise ValidationError("A worker is at it already.")
    look = IndicatorLook.objects.create(case=case, requested_by=actor, wanted=chosen)
    log.record("indicator.look_asked", case=case, actor=actor, count=len(chosen))
    jobs.enqueue("ircase.look_for_indicators", look.pk)
    return look


def latest(case: Case) -> IndicatorLook | None:
    return IndicatorLook.objects.filter(case=case).select_related("requested_by").first()


def look(row: IndicatorLook) -> None:
    """Look for one claimed row's indicators, table by table. Ends the row whatever happens; a database that is away
    leaves it to the sweep."""
    try:
        with hold(IndicatorLook.objects.all(), row) as held:
            if not access.still_may(row.requested_by, row.case, access.ANALYST):
                _fail(row, f"{row.requested_by.name} may no longer work on this case. Nothing was looked for.")
                return
            found, problems = _through(row, held)
            held.beat_now()
            held.check()
            _keep(row, found, problems)
    except Stopped:
        return
    except DatabaseError:
        raise
    except Exception:
        logger.exception("indicators.look_fault", extra={"look": str(row.uuid)})
        _fail(row, "A fault in IRCase stopped the look; its log has the details.")


def _through(row: IndicatorLook, held: Hold) -> tuple[list[Sighting], list[list[str]]]:
    indicators = list(Indicator.objects.filter(case=row.case, uuid__in=row.wanted))
    tables = list(CaseTable.objects.filter(case=row.case).select_related("evidence").order_by("name", "pk"))
    found: list[Sighting] = []
    problems: list[list[str]] = []
    for done, table in enumerate(tables):
        held.progress(tables=len(tables), done=done, table=table.name, found=len(found))
        try:
            found += _in_table(table, indicators, held)
        except grid.GridError as error:
            problems.append([table.name, str(error)])
    return found, problems


def _in_table(table: CaseTable, indicators: Sequence[Indicator], held: Hold) -> list[Sighting]:
    found = []
    columns, now = columns_of(table), timezone.now()
    for one in indicators:
        held.check()
        if len(one.value) > grid.MAX_FILTER_TEXT:
            continue
        for seen in grid.find(table.path, columns, one.value, seconds=SECONDS_OF_A_TABLE):
            found.append(
                Sighting(
                    indicator=one,
                    table=table,
                    column=seen.column[:255],
                    operator=seen.operator,
                    rows=seen.rows,
                    looked_at=now,
                )  # fmt: skip
            )
    return found


@transaction.atomic
def _keep(row: IndicatorLook, found: list[Sighting], problems: list[list[str]]) -> None:
    seen = {one.indicator_id for one in found}
    ended = IndicatorLook.objects.end(
        row.pk, row.owner, JobState.DONE, problems=problems[:100], found=len(seen), progress={}
    )
    if not ended:
        raise Stopped
    Sighting.objects.filter(indicator__case=row.case, indicator__uuid__in=row.wanted).delete()
    # A table that was read again meanwhile is another one; its rows are found by the next look.
    there = set(CaseTable.objects.filter(case=row.case).values_list("pk", flat=True))
    Sighting.objects.bulk_create([one for one in found if one.table_id in there], batch_size=500, ignore_conflicts=True)
    exhibits = {one.table.evidence_id: one.table.evidence for one in found}
    previews.note_many(list(exhibits.values()), actor=row.requested_by, what="looked for indicators")
    log.record(
        "indicator.looked", case=row.case, actor=row.requested_by, count=len(row.wanted), found=len(seen),
        problems=len(problems),
    )  # fmt: skip


def _fail(row: IndicatorLook, reason: str) -> None:
    IndicatorLook.objects.end(row.pk, row.owner, JobState.FAILED, reason=reason)


def sightings(indicator: Indicator) -> dict[CaseTable, list[Sighting]]:
    found: dict[CaseTable, list[Sighting]] = defaultdict(list)
    for one in indicator.sightings.select_related("table__evidence")[:200]:
        found[one.table].append(one)
    return dict(found)
