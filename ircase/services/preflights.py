"""Preflight: what a connection can do, asked of the tenant by a worker and kept for the pages."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from ircase import jobs
from ircase.models import Connection, User
from ircase.services import connections, log
from msapi.errors import ApiError
from msapi.preflight import PreflightReport, ProbeReport, check, check_cluster


@transaction.atomic
def ask(*, connection: Connection, actor: User) -> None:
    """Have a worker check again. What was found last stays until the new answer is there."""
    Connection.objects.filter(pk=connection.pk).update(preflight_at=None)
    log.record("connection.preflight_asked", actor=actor, name=connection.name)
    jobs.enqueue("ircase.preflight", connection.pk)


def run(connection: Connection) -> None:
    """Check now and keep what was found. Takes seconds; nothing that the tenant answers raises."""
    try:
        endpoint = connections.endpoint(connection)
    except ImproperlyConfigured as error:
        connections.keep_preflight(connection, as_json(PreflightReport((str(error),), (), (), ())))
        return
    report = check(endpoint, workspace_id=connection.workspace_id, workspaces=connection.workspaces)
    if connection.kusto_cluster and not report.settings:
        report = replace(report, probes=(*report.probes, *_cluster(connection)))
    connections.keep_preflight(connection, as_json(report))


def _cluster(connection: Connection) -> tuple[ProbeReport, ...]:
    """What the app may read on the connection's cluster. A push asks for more, which only a push can tell."""
    names = [name for name in (connection.kusto_database, connection.kusto_push_database) if name]
    try:
        return check_cluster(connections.cluster(connection), tuple(dict.fromkeys(names)))
    except ApiError as error:
        return (ProbeReport("kusto", "Azure Data Explorer", False, str(error), error.code),)


def as_json(report: PreflightReport) -> dict[str, Any]:
    """The report as the row keeps it and the API shows it: no secret and no token is in it."""
    return {
        "ok": report.is_ok,
        "settings": list(report.settings),
        "audiences": [
            {"name": a.audience.title, "ok": a.is_ok, "roles": list(a.roles), "problem": a.problem}
            for a in report.audiences
        ],
        "features": [
            {
                "key": f.feature.key,
                "title": f.feature.title,
                "api": f.feature.audience.title,
                "ok": f.is_ok,
                "lacking": [list(group) for group in f.lacking],
                "problem": f.problem,
            }
            for f in report.features
        ],
        "probes": [
            {"title": p.title, "ok": p.is_ok, "problem": p.problem, "request_id": p.request_id} for p in report.probes
        ],
    }
