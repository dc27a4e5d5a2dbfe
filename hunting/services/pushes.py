"""Tables of a case copied to a cluster, hunted there, and removed from it."""

import hashlib
import logging
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

import kql
from hunting.models import Source, TablePush
from hunting.services import schemas
from ircase import grid, jobs
from ircase.models import Activity, Case, CaseTable, Connection, Evidence, JobState, User
from ircase.services import activity, log
from ircase.services.analysis.tables import columns_of
from kql import Column, KqlError
from kql.catalogue import TABLES
from kql.parquet import TIME_COLUMNS
from msapi.kusto import ROW, SOURCE

logger = logging.getLogger(__name__)

TASK: Final = "hunting.push_table"
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_]", re.ASCII)
_COPY: Final = re.compile(r"Case_\d{4}_", re.ASCII)
# A call that leaves the database, with what is given to it where that is a plain literal.
_LEAVES: Final = re.compile(r"\bdatabase\b(?:\s|//[^\n]*(?:\n|$))*\((?:\s*([\"'])([\w .-]+)\1\s*\))?", re.ASCII | re.I)


def target_of(case: Case, name: str) -> str:
    """What a case's table is called on the cluster: `Case_2026_0001_DeviceEvents`. Two tables never share a name."""
    plain = _FOREIGN.sub("_", name)
    tail = plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{_prefix(case)}{tail}"


def _prefix(case: Case) -> str:
    """With what every copy of the case's tables begins, and no other's: a reference has no end that another has."""
    return f"Case_{_FOREIGN.sub('_', case.reference.removeprefix('IR-'))}_"


def beyond(case: Case, text: str, source: Source) -> str:
    """Why a query may not be asked of a cluster on which copies of other cases' tables stand; "" where it may. IRCase
    reads there in its own name, so that who may see which case is for us to keep."""
    connection = case.connection
    copies = connection.kusto_push_database if connection else ""
    if connection is None or not copies or not source.on_cluster:
        return ""
    if source == Source.KUSTO and connection.kusto_database.lower() != copies.lower():
        named = [found[2] for found in _LEAVES.finditer(text)]
        plain = all(name and name.strip().lower() != copies.lower() for name in named)
        return "" if plain else "Other databases are named plainly, and never the one that holds other cases' tables."
    return _beyond_in(case, text)


def _beyond_in(case: Case, text: str) -> str:
    try:
        reach = kql.reach_of(text)
    except KqlError as error:
        return f"This cannot be read here, so nobody could say that it leaves other cases' tables alone: {error}"
    if reach.elsewhere or reach.open_ended:
        return "Name the tables: other cases' tables stand in the same database."
    own = _prefix(case)
    if any(_COPY.match(word) and not word.startswith(own) for word in reach.words):
        return "This names a table that is not this case's: other cases' tables stand in the same database."
    return ""


def tables_named(case: Case, name: str) -> list[CaseTable]:
    """The rows of one table of the case, by the evidence that they were read from."""
    found = CaseTable.objects.filter(case=case, name=name, queryable=True).select_related("evidence")
    return list(found.order_by("pk"))


def columns_for(tables: Sequence[CaseTable]) -> tuple[Column, ...]:
    """The columns that they come to on the cluster. Where evidence disagrees about a type, text; and the columns of
    Microsoft's table of that name that nothing filled, so that a hunt means the same there as on the case."""
    parts = [grid.Part("", table.path, columns_of(table)) for table in tables]
    own = grid.plan(parts).columns[1:]
    have = {column.name.casefold() for column in own}
    # Of the two names of a row's time one is enough: the prelude gives it the other.
    if any(column.name in TIME_COLUMNS for column in own):
        have |= {name.casefold() for name in TIME_COLUMNS}
    known = TABLES.get(tables[0].name, ()) if tables else ()
    return (*own, *(column for column in known if column.name.casefold() not in have))


def why_not(case: Case) -> str:
    """What keeps the case's tables from being copied; "" where nothing does."""
    connection = case.connection
    if not case.is_open:
        return "The case is closed. Reopen it first."
    if connection is None:
        return "The case has no connection to a tenant. A lead can set one on the case."
    if not connection.enabled:
        return f"The connection {connection.name} is switched off."
    if not connection.kusto_cluster or not connection.kusto_push_database:
        return "The connection names no database for tables of cases. An administrator can name one."
    return ""


def request_push(*, case: Case, actor: User, name: str, cluster: str, database: str) -> TablePush:
    """Have a worker copy a table. `cluster` and `database` are those that the person was shown and confirmed. Raises
    ValidationError."""
    if not tables_named(case, name):
        raise ValidationError({"table": f"The case has no table {name[:80]!r} that KQL may read."})
    return _request(case, actor, TablePush.Act.COPY, name, cluster, database)


def request_removal(*, case: Case, actor: User, name: str, cluster: str, database: str) -> TablePush:
    """Have a worker drop the copy of a table. Raises ValidationError."""
    if name not in left(case):
        raise ValidationError({"table": f"No copy of {name[:80]!r} is known on the cluster."})
    return _request(case, actor, TablePush.Act.REMOVE, name, cluster, database)


@transaction.atomic
def _request(case: Case, actor: User, act: TablePush.Act, name: str, cluster: str, database: str) -> TablePush:
    connection = _confirmed(case, cluster, database)
    target = target_of(case, name)
    # The case row is the lock: of two who ask at once, the second is told.
    Case.objects.select_for_update().get(pk=case.pk)
    if TablePush.objects.for_case(case).filter(database=database, target=target).unfinished().exists():
        raise ValidationError({"table": f"{target} is being written or removed just now. Wait for that to end."})
    push = TablePush(
        case=case,
        connection=connection,
        requested_by=actor,
        act=act,
        name=name,
        cluster=cluster,
        database=database,
        target=target,
    )
    verb = "Copy" if act == TablePush.Act.COPY else "Remove the copy of"
    push.activity = activity.begin(
        case=case,
        kind=Activity.Kind.PUSH,
        title=f"{verb} {name} {'to' if act == TablePush.Act.COPY else 'on'} {cluster}, {database}",
        subject=push.uuid,
        url_name="hunting:push",
        actor=actor,
        detail={"table": name, "cluster": cluster, "database": database, "target": target, "act": act.value},
    )
    push.save()
    jobs.enqueue(TASK, push.pk)
    return push


def _confirmed(case: Case, cluster: str, database: str) -> Connection:
    if why := why_not(case):
        raise ValidationError(why)
    assert case.connection is not None
    if (cluster, database) != (case.connection.kusto_cluster, case.connection.kusto_push_database):
        raise ValidationError("The connection names another cluster or database by now. Look again, then confirm.")
    return case.connection


@transaction.atomic
def cancel(*, push: TablePush, actor: User) -> None:
    """Stop it: a queued one ends here, a running one after the request that is under way. What has arrived stays, and
    a later copy goes on from there."""
    if not TablePush.objects.filter(pk=push.pk).unfinished().update(cancel_requested=True):
        return
    log.record("push.cancel_requested", case=push.case, actor=actor, title=push.activity.title)
    owner, reason = f"cancel:{actor.pk}", f"Cancelled by {actor.name}"
    queued = TablePush.objects.filter(pk=push.pk, state=JobState.QUEUED)
    if queued.update(state=JobState.RUNNING, owner=owner):
        TablePush.objects.end(push.pk, owner, JobState.CANCELLED, reason=reason)
        activity.end(push.activity, state=JobState.CANCELLED, outcome=reason, actor=actor)


def note_custody(push: TablePush, evidence: Evidence) -> None:
    """Custody hears that the rows leave before the first one does, once for each push."""
    said = str(push.uuid)
    if any(entry.detail.get("push") == said for entry in evidence.custody.filter(action="copied")):
        return
    log.record_custody(
        evidence,
        "copied",
        actor=push.requested_by,
        push=said,
        table=push.name,
        cluster=push.cluster,
        database=push.database,
        target=push.target,
    )


def pushed(case: Case) -> list[TablePush]:
    """The copies that stand in the database of the case's connection, the latest of each table, by name."""
    connection = case.connection
    if connection is None or not connection.kusto_push_database:
        return []
    found = TablePush.objects.for_case(case).there().select_related("activity", "requested_by").order_by("pk")
    there = found.filter(connection=connection, cluster=connection.kusto_cluster)
    last = {push.name: push for push in there.filter(database=connection.kusto_push_database)}
    return [last[name] for name in sorted(last)]


def left(case: Case) -> set[str]:
    """The tables of which something may stand in the database: copies, and what a copy that failed has left there."""
    connection = case.connection
    if connection is None:
        return set()
    here = (
        TablePush.objects.for_case(case)
        .begun()
        .filter(cluster=connection.kusto_cluster, database=connection.kusto_push_database)
    )
    return set(here.values_list("name", flat=True))


def datetimes(case: Case) -> dict[str, Collection[str]]:
    """The datetime columns of the copies, by their names on the cluster."""
    return {push.target: frozenset(n for n, kind in push.columns if kind == "datetime") for push in pushed(case)}


def prelude(case: Case, text: str, tables: Iterable[str] = ()) -> str:
    """The `let` statements by which a query names the copies as the case does: for the tables that the text uses, or
    all where it cannot be read. A name that the text defines itself is left to it. `tables` of a hunt that were never
    copied stand empty, as they do on the case's own tables, where at least one of them was."""
    copies = {push.name: push for push in pushed(case)}
    used = _used(text)
    names = [name for name in copies if _PLAIN.fullmatch(name) and (used is None or name in used)]
    lines = [f"let {name} = {_body(copies[name])};" for name in names if not _defines(text, name)]
    if names:
        lines += [_empty(name) for name in tables if name not in copies and name in TABLES]
    return "".join(f"{line}\n" for line in lines)


def _used(text: str) -> set[str] | None:
    try:
        return set(kql.used_tables(text))
    except KqlError:
        return None


def _defines(text: str, name: str) -> bool:
    return re.search(rf"\blet\s+{re.escape(name)}\s*=", text) is not None


def _body(push: TablePush) -> str:
    once = f" | summarize take_any(*) by {SOURCE}, {ROW}" if push.duplicates else ""
    return f"{push.target}{once} | project-away {SOURCE}, {ROW}{_twin(push)}"


def _twin(push: TablePush) -> str:
    """`Timestamp` and `TimeGenerated` stand in for each other on a case's tables (kql.schema)."""
    kinds = dict(push.columns)
    have = [name for name in TIME_COLUMNS if name in kinds]
    if len(have) != 1:
        return ""
    other = next(name for name in TIME_COLUMNS if name not in kinds)
    return f" | extend {other} = {have[0]}"


def _empty(name: str) -> str:
    columns = ", ".join(f"{column.name}:{column.type}" for column in TABLES[name])
    return f"let {name} = datatable({columns})[];"


def missing(case: Case, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that no copy was made of."""
    there = {push.name for push in pushed(case)}
    return tuple(name for name in names if name not in there)


def as_schema(case: Case) -> list[dict[str, Any]]:
    """The copies as `SourceSchema.tables` would have them, by their names in the case."""
    return [
        {"name": push.name, "about": f"{push.row_count:,} rows, copied as {push.target}", "columns": push.columns}
        for push in pushed(case)
    ]


def place(case: Case) -> str:
    return schemas.place_of(case.connection, Source.KUSTO_CASE) if case.connection else ""
