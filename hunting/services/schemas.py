"""What a source holds, read from it by a worker and kept: for the editor, for slices, and to say what is missing."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from hunting.models import Source, SourceSchema
from ircase import jobs
from ircase.models import Case, Connection, User
from ircase.services import connections, log
from msapi.clients import clients_for
from msapi.errors import ApiError
from msapi.kusto import Kusto
from msapi.loganalytics import tables_of

logger = logging.getLogger(__name__)

MAX_TABLES: Final = 3000
MAX_COLUMNS: Final = 1000
MAX_TEXT: Final = 260

READ_EVERY: Final = timedelta(hours=24)
ASK_AGAIN: Final = timedelta(minutes=5)
"""After how long a reading that nobody has answered is asked for once more."""

_READABLE: Final = (Source.LOG_ANALYTICS, Source.KUSTO)
"""Defender XDR offers no schema: `getschema` speaks of one table that must be named."""


def place_of(connection: Connection, source: Source) -> str:
    """The database or workspace that a run on this source is about; "" where there is none."""
    names = {
        Source.KUSTO: connection.kusto_database,
        Source.KUSTO_CASE: connection.kusto_push_database,
        Source.LOG_ANALYTICS: connection.workspace_id,
    }
    return names.get(source, "")


def places_of(connection: Connection, source: Source) -> tuple[str, ...]:
    """The same with the further workspaces, which one query reads together."""
    first = place_of(connection, source)
    more = connection.workspaces if source == Source.LOG_ANALYTICS else ()
    return tuple(dict.fromkeys(one for one in (first, *more) if one)) if first else ()


def of(connection: Connection | None, source: Source) -> list[SourceSchema]:
    """What was read of this source; nothing where it has no schema to read."""
    if connection is None or source not in _READABLE:
        return []
    places = places_of(connection, source)
    return list(SourceSchema.objects.filter(connection=connection, source=source, place__in=places))


def tables(connection: Connection | None, source: Source) -> dict[str, dict[str, Any]]:
    """The tables of all its places by name, as `SourceSchema.tables` keeps them; of two alike, the first."""
    found: dict[str, dict[str, Any]] = {}
    for schema in of(connection, source):
        for table in schema.tables:
            found.setdefault(table["name"], table)
    return found


def datetimes(connection: Connection | None, source: Source) -> dict[str, Collection[str]]:
    """The datetime columns of each table, for the proof that a query may be sliced."""
    return {
        name: frozenset(column for column, kind in table["columns"] if kind == "datetime")
        for name, table in tables(connection, source).items()
    }


def missing(connection: Connection | None, source: Source, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that no place of the source has; nothing is said of a source that was not read yet."""
    read = [schema for schema in of(connection, source) if schema.read_at]
    if connection is None or len(read) < len(places_of(connection, source)) or not read:
        return ()
    there = {table["name"] for schema in read for table in schema.tables}
    return tuple(name for name in names if name not in there)


def is_readable(source: Source) -> bool:
    return source in _READABLE


def refresh(*, case: Case, actor: User, source: Source) -> None:
    """Have a worker read the source's schema again. Raises ValidationError where there is none to read."""
    connection = case.connection
    if connection is None or not connection.enabled or not places_of(connection, source) or not is_readable(source):
        raise ValidationError(f"There is no schema of {source.label} to read on this case's connection.")
    log.record("hunt.schema_asked", case=case, actor=actor, source=source.label)
    ask(connection, source)


@transaction.atomic
def ask(connection: Connection, source: Source) -> None:
    """The rows of its places, each with a message to read it."""
    for place in places_of(connection, source):
        row, _ = SourceSchema.objects.update_or_create(
            connection=connection, source=source, place=place, defaults={"asked_at": timezone.now()}
        )
        jobs.enqueue("hunting.read_schema", row.pk)


def read(pk: int) -> None:
    """Read one place now and keep what it says; what it answers instead is kept as the problem. Worker only."""
    row = SourceSchema.objects.select_related("connection").filter(pk=pk, connection__enabled=True).first()
    if row is None:
        return
    begun = timezone.now()
    try:
        found = [_kept(*table) for table in _asked(row)][:MAX_TABLES]
    except (ApiError, ImproperlyConfigured) as error:
        SourceSchema.objects.filter(pk=pk).update(problem=str(error), asked_at=begun)
        logger.warning("hunt.schema_failed", extra={"schema": pk, "error": str(error)[:200]})
        return
    SourceSchema.objects.filter(pk=pk).update(tables=found, read_at=timezone.now(), problem="")
    logger.info("hunt.schema_read", extra={"schema": pk, "tables": len(found)})


_Table = tuple[str, str, list[tuple[str, str]]]


def _asked(row: SourceSchema) -> Iterator[_Table]:
    endpoint = connections.endpoint(row.connection)
    if row.source == Source.LOG_ANALYTICS:
        for one in tables_of(clients_for(endpoint).transport, row.place):
            yield one.name, one.about, [(column.name, column.type) for column in one.columns]
        return
    with closing(Kusto(connections.cluster(row.connection), clients_for(endpoint).tokens)) as client:
        for table in client.schema(row.place).tables:
            yield table.name, table.description, [(column.name, column.type) for column in table.columns]


def _kept(name: str, about: str, columns: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    listed = [[column[:MAX_TEXT], kind] for column, kind in columns[:MAX_COLUMNS]]
    return {"name": name[:MAX_TEXT], "about": about[:1000], "columns": listed}


def keep_fresh() -> None:
    """The clock's tick: places never read, or not for a day, and readings that were asked for and lost."""
    now = timezone.now()
    for connection in Connection.objects.filter(enabled=True).exclude(workspace_id="", kusto_database=""):
        for source in _READABLE:
            wanted = places_of(connection, source)
            rows = SourceSchema.objects.filter(connection=connection, source=source, place__in=wanted)
            settled = rows.filter(Q(asked_at__gt=now - ASK_AGAIN) | Q(read_at__gt=now - READ_EVERY, problem=""))
            lost = rows.filter(read_at__lt=F("asked_at"), asked_at__lt=now - ASK_AGAIN, problem="")
            if settled.count() < len(wanted) or lost.exists():
                ask(connection, source)
