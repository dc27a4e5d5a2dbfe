"""What the evidence of a hunt says of itself: enough to ask the same question again, anywhere."""

from typing import Any

from django.utils import timezone

from hunting.gathering import Gathered
from hunting.models import HuntRun, Source
from hunting.services import schemas
from hunting.services.notebooks import naming
from ircase.models import CaseTable
from ircase.services.analysis.findings import clean_json


def manifest_of(run: HuntRun, gathered: Gathered, missing: tuple[str, ...], beside: dict[str, Any]) -> dict[str, Any]:
    """JSON; every time in UTC, every size in bytes. `beside`: what the query was given beside the case's tables."""
    manifest = {
        "kind": "hunt",
        "format": "application/x-ndjson; one JSON object per row, kql.encode_row's form",
        "run": str(run.uuid),
        "title": run.title,
        "hunt": _hunt(run) if run.hunt_id else None,
        "query": run.final_kql,
        "query_sha256": run.kql_sha256,
        "parameters": run.parameters,
        "window": {"start": run.window_start.isoformat(), "end": run.window_end.isoformat()},
        "source": _source(run),
        "notebook": naming.about(run),
        "requested_by": run.requested_by.username,
        "request_ids": run.request_ids,
        "row_count": gathered.row_count,
        "columns": [[column.name, column.type] for column in gathered.columns],
        "truncated": bool(gathered.truncated_by),
        "truncated_by": gathered.truncated_by,
        "slicing": gathered.slicing,
        "tables_missing": list(missing),
        "supplies": beside,
        "notes": list(gathered.notes),
        "limits": run.limits,
        "queued_at": run.queued_at.isoformat(),
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "asked_at": gathered.asked_at.isoformat(),
        "answered_at": gathered.answered_at.isoformat(),
        "sealed_at": timezone.now().isoformat(),
        "attempt": run.attempt,
        "engine": gathered.engine,
        "record": {"sha256": gathered.stored.sha256, "bytes": gathered.stored.size},
    }
    cleaned: dict[str, Any] = clean_json(manifest)
    return cleaned


def _hunt(run: HuntRun) -> dict[str, Any]:
    return {"id": run.hunt_id, "version": run.hunt_version, "review": run.hunt_review, "pack": run.pack}


def _source(run: HuntRun) -> dict[str, Any]:
    source: dict[str, Any] = {"kind": run.source, "name": Source(run.source).label, "identity": run.identity}
    connection = run.connection
    if connection is None:
        return source | {"case": run.case.reference, "tables": _tables(run)}
    hosts = {Source.DEFENDER.value: connection.graph_url, Source.LOG_ANALYTICS.value: connection.loganalytics_url}
    if Source(run.source).on_cluster:
        return source | {
            "connection": connection.name,
            "tenant": connection.tenant_id,
            "cluster": connection.kusto_cluster,
            "database": schemas.place_of(connection, Source(run.source)),
            "endpoint": connection.kusto_cluster,
        }
    in_workspace = run.source == Source.LOG_ANALYTICS
    workspace = connection.workspace_id if in_workspace else ""
    return source | {
        "connection": connection.name,
        "tenant": connection.tenant_id,
        "workspace": workspace,
        "further_workspaces": connection.workspaces if in_workspace else [],
        "endpoint": hosts[run.source],
    }


def _tables(run: HuntRun) -> list[dict[str, Any]]:
    """The case's tables as they were when it ran, each with the evidence it was made from."""
    rows = CaseTable.objects.filter(case=run.case, queryable=True).select_related("evidence").order_by("name", "pk")
    return [
        {"name": t.name, "rows": t.row_count, "exhibit": t.evidence.exhibit, "sha256": t.evidence.sha256} for t in rows
    ]
