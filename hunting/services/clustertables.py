"""The tables of a case, and which of them stand on the cluster."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Sum

from hunting.models import TablePush
from hunting.services import pushes
from ircase.models import Case, CaseTable


@dataclass(frozen=True)
class ClusterTable:
    """One table by name: its rows and exhibits here (`rows` None where the case no longer has it, for a copy outlives
    its table), its `copy` on the cluster, what is `busy` with it, and whether anything of it is `left` there."""

    name: str
    rows: int | None
    exhibits: int
    first: datetime | None
    last: datetime | None
    copy: TablePush | None
    busy: TablePush | None
    left: bool


def of(case: Case) -> list[ClusterTable]:
    """The case's tables by name, then what is left on the cluster of tables that it no longer has."""
    found = CaseTable.objects.filter(case=case, queryable=True).values("name").order_by("name")
    facts = found.annotate(rows=Sum("row_count"), exhibits=Count("pk"), first=Min("first_time"), last=Max("last_time"))
    copies = {push.name: push for push in pushes.pushed(case)}
    rows = TablePush.objects.for_case(case).unfinished().select_related("activity", "requested_by")
    busy = {push.name: push for push in rows}
    left = pushes.left(case)
    listed = [
        ClusterTable(**one, copy=copies.get(one["name"]), busy=busy.get(one["name"]), left=one["name"] in left)
        for one in facts
    ]
    gone = sorted(left - {one.name for one in listed})
    return listed + [ClusterTable(n, None, 0, None, None, copies.get(n), busy.get(n), True) for n in gone]
