"""Copies of an exhibit's rows that hunting makes: on a cluster, and in one file with those of other sources."""

from collections.abc import Collection

from hunting.models import HuntRun
from hunting.services import batches, pushes
from ircase.models import Case, CaseTable, Evidence


def outside(case: Case, exhibits: Collection[Evidence]) -> list[str]:
    """What keeps these from being destroyed, a sentence each: rows of theirs on the connection's cluster."""
    tables = CaseTable.objects.filter(evidence__in=[item.pk for item in exhibits], name__in=pushes.left(case))
    return [
        f"Rows of {table.evidence.exhibit} may stand on the cluster, in {pushes.target_of(case, table.name)}: "
        "remove that copy first, under Hunts."
        for table in tables.select_related("evidence").order_by("evidence__number", "name")
    ]


def forget(item: Evidence) -> None:
    """The files in which rows of it stand beside those of other sources."""
    for run in HuntRun.objects.filter(evidence=item).only("case", "batch"):
        if run.batch is not None:
            batches.forget(run.case_id, run.batch)
