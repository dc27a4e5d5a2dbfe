"""Asking a tenant's tables whether they have rows: within its quota, after everybody who waits for something."""

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hunting import shelf
from hunting.catalogue import Review
from hunting.models import Source, TableCheck
from hunting.providers import PROVIDERS, Question, Record
from ircase import jobs
from ircase.models import Connection, ReadinessPlan, SettingAnswer, User
from ircase.quota import governor
from ircase.readiness import rights
from ircase.readiness.settings import Setting, settings
from ircase.services import connections, log
from ircase.services.readiness import plans
from kql import KqlError, Limits
from kql.catalogue import INFO
from msapi.endpoint import Endpoint
from msapi.errors import ApiError, GovernorUnavailable, Throttled
from msapi.governor import Bucket, Granted, hunting_bucket, loganalytics_bucket
from msapi.kusto import kusto_bucket

logger = logging.getLogger(__name__)

AGAIN: Final = timedelta(hours=24)
TRIED: Final = timedelta(minutes=10)
"""A worker that took a row and died: another asks after so long."""
LAST: Final = 9
MOST: Final = 200
ASSESSMENT: Final = "DeviceTvmSecureConfigurationAssessment"
SOURCES: Final = (Source.DEFENDER, Source.LOG_ANALYTICS, Source.KUSTO)


def sources_of(connection: Connection) -> tuple[Source, ...]:
    """The sources of a tenant that this connection knows."""
    known = {Source.DEFENDER: True, Source.LOG_ANALYTICS: bool(connection.workspace_id)}
    known[Source.KUSTO] = bool(connection.kusto_cluster and connection.kusto_database)
    return tuple(source for source in SOURCES if known[source])


def needed() -> dict[Source, dict[str, list[str]]]:
    """By source the tables that hunts in use read there, each with the titles of those hunts."""
    found: dict[Source, dict[str, list[str]]] = {source: defaultdict(list) for source in SOURCES}
    for hunt in shelf.hunts().values():
        if hunt.review is Review.DRAFT:
            continue
        for source in SOURCES:
            for table in hunt.tables if source in hunt.sources else ():
                if _is_of(table, source):
                    found[source][table].append(hunt.title)
    found[Source.DEFENDER].setdefault(ASSESSMENT, ["Defender settings"])
    return found


def _is_of(table: str, source: Source) -> bool:
    """Whether Microsoft has that table there at all; of one that the catalogue lacks nobody can say."""
    family = INFO[table].family if table in INFO else "both"
    return not (
        (source == Source.DEFENDER and family == "sentinel") or (source != Source.DEFENDER and family == "defender")
    )


@transaction.atomic
def ask(*, connection: Connection, actor: User) -> int:
    """Have a worker ask every table now; how many. Raises PermissionDenied, ValidationError."""
    plan = rights.require_keeper(actor, connection)
    if not connection.enabled:
        raise ValidationError(f"The connection {connection.name} is switched off.")
    _ensure(connection, plan.gap_days if plan else ReadinessPlan().gap_days)
    asked = TableCheck.objects.filter(connection=connection).update(next_at=timezone.now())
    log.record("readiness.tables_asked", actor=actor, name=connection.name, tables=asked)
    jobs.enqueue("hunting.check_tables", connection.pk)
    return asked


def _ensure(connection: Connection, days: int) -> None:
    """A row for every table that is needed; those no longer needed go."""
    read = needed()
    wanted = [(source, table) for source in sources_of(connection) for table in sorted(read[source])][:MOST]
    rows = TableCheck.objects.filter(connection=connection)
    known = {(Source(source), table): pk for pk, source, table in rows.values_list("pk", "source", "table")}
    TableCheck.objects.filter(pk__in=[pk for key, pk in known.items() if key not in set(wanted)]).delete()
    new = [TableCheck(connection=connection, source=s, table=t) for s, t in wanted if (s, t) not in known]
    TableCheck.objects.bulk_create(new, ignore_conflicts=True)
    rows.exclude(days=days).update(days=days, next_at=timezone.now())


def tick() -> None:
    """The clock's tick: connections that somebody keeps ready, where a table is due or none was ever asked."""
    planned = Connection.objects.filter(enabled=True, readiness__owner__isnull=False).select_related("readiness")
    due = Q(table_checks__next_at__lte=timezone.now()) | Q(table_checks=None)
    for connection in planned.filter(due).distinct():
        _ensure(connection, connection.readiness.gap_days)
        jobs.send("hunting.check_tables", connection.pk)


def run(connection_id: int) -> int:
    """Ask the tables that are due, until the quota says to wait; how many were asked. Worker only."""
    connection = Connection.objects.filter(pk=connection_id, enabled=True).first()
    if connection is None:
        return 0
    done = 0
    while (row := _take(connection)) is not None:
        try:
            with _turn(row) as answer:
                if not answer:
                    break
                _ask(row)
                done += 1
        except GovernorUnavailable:
            break
    logger.info("readiness.tables", extra={"connection": connection_id, "asked": done})
    return done


def _take(connection: Connection) -> TableCheck | None:
    now = timezone.now()
    due = TableCheck.objects.filter(connection=connection, next_at__lte=now).order_by("next_at", "pk")
    row = due.select_related("connection").first()
    if row is None:
        return None
    taken = TableCheck.objects.filter(pk=row.pk, next_at=row.next_at).update(next_at=now + TRIED)
    return row if taken else _take(connection)


class _turn:
    """A turn at the API, or False where it has to wait: the row is then due again when it may be its turn."""

    def __init__(self, row: TableCheck) -> None:
        self.row, self.granted = row, None  # type: TableCheck, Granted | None

    def __enter__(self) -> bool:
        ticket = f"table-check-{self.row.connection_id}"
        answer = governor().acquire(bucket_of(self.row), ticket, LAST, ticket)
        if isinstance(answer, Granted):
            self.granted = answer
            return True
        _due(self.row, timezone.now() + timedelta(seconds=max(answer.seconds, 1)))
        return False

    def __exit__(self, *_: object) -> None:
        if self.granted is not None:
            with suppress(GovernorUnavailable):
                governor().release(self.granted)


def bucket_of(row: TableCheck) -> Bucket:
    """The book's page of the row's API."""
    if row.source == Source.KUSTO:
        return kusto_bucket(connections.cluster(row.connection))
    endpoint = connections.endpoint(row.connection)
    return hunting_bucket(endpoint) if row.source == Source.DEFENDER else loganalytics_bucket(endpoint)


def _due(row: TableCheck, at: datetime) -> None:
    TableCheck.objects.filter(pk=row.pk).update(next_at=at)


def _ask(row: TableCheck) -> None:
    now = timezone.now()
    values: dict[str, Any] = {"checked_at": now, "next_at": now + AGAIN, "problem": ""}
    try:
        found = rows_of(row, query_of(row), now)
        values |= {"row_count": _number(found[0], "Found") if found else 0, "newest_at": _moment(found)}
        if row.table == ASSESSMENT and row.source == Source.DEFENDER and values["row_count"]:
            keep_settings(row.connection, rows_of(row, settings_query(), now))
    except Throttled as error:
        with suppress(GovernorUnavailable):
            governor().penalise(bucket_of(row), error.retry_after or 60)
        later = now + timedelta(seconds=error.retry_after or 60)
        rows = TableCheck.objects.filter(connection=row.connection_id, source=row.source, next_at__lt=later)
        rows.update(next_at=later)
        values = {"next_at": later}
    except (ApiError, KqlError, ImproperlyConfigured) as error:
        values["problem"] = str(error)[:2000]
        logger.warning("readiness.table_failed", extra={"table": row.table, "error": str(error)[:200]})
    TableCheck.objects.filter(pk=row.pk).update(**values)


def query_of(row: TableCheck) -> str:
    """How many rows of the last days there are, and the newest. A table that has no time is counted whole."""
    info = INFO.get(row.table)
    column = "TimeGenerated" if row.source == Source.LOG_ANALYTICS else info.time_column if info else "Timestamp"
    if not column:
        return f"{row.table} | count | project Found = Count"
    return (
        f"{row.table} | where {column} > ago({row.days}d)"
        f" | summarize Found = count(), Newest = max({column})"
    )  # fmt: skip


def rows_of(row: TableCheck, text: str, now: datetime) -> list[Record]:
    """What the tenant answers, at most 1,000 rows. Raises ApiError, KqlError, ImproperlyConfigured."""
    connection = row.connection
    places: Mapping[str, Any] = {"workspace": connection.workspace_id, "workspaces": tuple(connection.workspaces)}
    endpoint: Endpoint = connections.endpoint(connection)
    question = Question(
        kql=text, prelude="", final_kql=text, start=now - timedelta(days=row.days), end=now, times_itself=True,
        limits=Limits(rows=1000), cancel=threading.Event(), endpoint=endpoint, database=connection.kusto_database,
        cluster=connections.cluster(connection) if row.source == Source.KUSTO else None, **places,
    )  # fmt: skip
    with PROVIDERS[row.source].ask(question) as answer:
        return list(answer.records)


def _number(row: Record, name: str) -> int:
    """A count of the tenant's; 0 where it gives none."""
    value = row.get(name)
    return value if isinstance(value, int) else 0


def _moment(found: list[Record]) -> datetime | None:
    text = str(found[0].get("Newest") or "") if found else ""
    if not text:
        return None
    with suppress(ValueError):
        # Seven digits of a second are one more than Python reads.
        head, _, tail = text.removesuffix("Z").partition(".")
        return datetime.fromisoformat(f"{head}.{(tail + '000000')[:6]}+00:00")
    return None


def settings_query() -> str:
    """Each configuration of settings.yaml, on how many devices it holds. Newest assessment of each device first."""
    wanted = ", ".join(f'"{one}"' for setting in settings().values() for one in setting.scid)
    return (
        f"{ASSESSMENT} | where ConfigurationId in ({wanted}) and IsApplicable"
        " | summarize arg_max(Timestamp, IsCompliant) by DeviceId, ConfigurationId"
        " | summarize Devices = count(), Failing = countif(not(IsCompliant)) by ConfigurationId"
    )


def keep_settings(connection: Connection, rows: list[Record]) -> int:
    """Answers of settings from what the assessment says; how many were given."""
    found = {str(row.get("ConfigurationId")): (_number(row, "Devices"), _number(row, "Failing")) for row in rows}
    given = 0
    for setting in settings().values():
        if said := _answer(setting, found):
            given += plans.answer(connection=connection, key=setting.key, value=said[0], note=said[1]) is not None
    return given


def _answer(setting: Setting, found: Mapping[str, tuple[int, int]]) -> tuple[str, str] | None:
    """What the worst of its configurations says; None where none was assessed."""
    known = [found[one] for one in setting.scid if one in found and found[one][0]]
    if not known:
        return None
    devices, failing = max(known, key=lambda pair: pair[1])
    if failing:
        return SettingAnswer.Answer.NO, f"Not so on {failing:,} of {devices:,} assessed devices."
    return SettingAnswer.Answer.YES, f"So on all {devices:,} assessed devices."
