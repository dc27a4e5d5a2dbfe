"""The work behind a copy on a cluster: one claimed row, from the right to do it to the last row there, or removed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from hunting.models import TablePush
from hunting.providers.tenant import log_call, tokens
from hunting.services import pushes
from ircase import access, grid
from ircase.grid import GridError, cell_text
from ircase.models import Activity, CaseTable, JobState
from ircase.services import activity, connections
from ircase.services.analysis.tables import columns_of
from ircase.work import Hold, Stopped, hold
from kql import Column
from msapi.errors import ApiError, Cancelled
from msapi.kusto import SOURCE, Ingested, Ingestion, Kusto, Target, quoted_name
from msapi.results import Column as ApiColumn

logger = logging.getLogger(__name__)

TRIES: Final = 6
BACKOFF: Final = 15.0
BACKOFF_CAP: Final = 600.0
_TEXTUAL: Final = frozenset({"string"})


class Refused(Exception):
    """It cannot go on, and asking again changes nothing. The message is for the person."""


def push_table(push: TablePush) -> None:
    """Do one claimed row. However it goes, the row ends or goes back to the queue with a reason."""
    try:
        with hold(TablePush.objects.all(), push) as held:
            _check_right(push)
            activity.progress(push.activity, JobState.RUNNING)
            with closing(_client(push, held)) as client:
                act = _copy if push.act == TablePush.Act.COPY else _remove
                act(push, client, held)
    except (Stopped, Cancelled):
        _give_up(push)
    except ApiError as error:
        _after(push, error)
    except (Refused, GridError) as error:
        _end(push, JobState.FAILED, str(error))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("push.fault", extra={"push": str(push.uuid)})
        _end(push, JobState.FAILED, "A fault in IRCase stopped this. Its log has the details. Ask again to go on.")


def _check_right(push: TablePush) -> None:
    """Permission is checked where it is used: it may have been taken away while the row waited."""
    if not access.still_may(push.requested_by, push.case, access.LEAD):
        raise Refused(f"{push.requested_by.name} may no longer copy tables of this case.")
    if not push.connection.enabled:
        raise Refused(f"The connection {push.connection.name} was switched off. An administrator can switch it on.")
    if push.connection.kusto_cluster != push.cluster:
        raise Refused("The connection names another cluster by now. Ask again to write to that one.")


def _client(push: TablePush, held: Hold) -> Kusto:
    endpoint = connections.cluster(push.connection)
    return Kusto(endpoint, tokens(endpoint), sleep=held.stop.wait, on_call=log_call)


def _copy(push: TablePush, client: Kusto, held: Hold) -> None:
    tables = pushes.tables_named(push.case, push.name)
    if not tables:
        raise Refused(f"The case has no table {push.name} any more. Read its evidence into tables again.")
    columns = pushes.columns_for(tables)
    _drop_outdated(push, client, tables)
    ingestion = Ingestion(client)
    target = ingestion.prepare(push.database, push.target, [ApiColumn(c.name, c.type) for c in columns])
    done: list[Ingested] = []
    for table in tables:
        held.check()
        pushes.note_custody(push, table.evidence)
        before = sum(one.sent for one in done)

        def told(sent: int, before: int = before) -> None:
            held.progress(phase="sending", rows=before + sent)

        done.append(ingestion.push(target, _rows(table, columns), str(table.uuid), cancel=held.stop, on_sent=told))
    _end_copy(push, columns, target, done)


def _drop_outdated(push: TablePush, client: Kusto, tables: Sequence[CaseTable]) -> None:
    """A copy of rows that were read anew since, maybe to other rows or types, makes way for the present ones."""
    listed = client.manage(push.database, ".show tables", idempotent=True)
    if push.target not in {str(row.get("TableName")) for row in listed}:
        return
    wanted = {str(table.uuid) for table in tables}
    name = quoted_name(push.target)
    with client.query(push.database, f"{name} | summarize by {SOURCE}") as result:
        outdated = [row[0] for row in result.rows if row[0] not in wanted]
    if outdated:
        client.manage(push.database, f".drop table {name} ifexists", idempotent=True)
        logger.info("push.outdated_dropped", extra={"push": str(push.uuid), "sources": len(outdated)})


def _rows(table: CaseTable, wanted: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """The rows in the order of the file, in the form of the record; text where the cluster's column is text."""
    own = columns_of(table)
    types = {column.name: column.type for column in wanted}
    as_text = [types[column.name] in _TEXTUAL and column.type not in _TEXTUAL for column in own]
    for row in grid.stream(table.path, own):
        cells = zip(own, row.cells, as_text, strict=True)
        yield {column.name: cell_text(cell) if textual else cell for column, cell, textual in cells}


def _remove(push: TablePush, client: Kusto, held: Hold) -> None:
    held.check()
    client.manage(push.database, f".drop table {quoted_name(push.target)} ifexists", idempotent=True)
    with transaction.atomic():
        if not TablePush.objects.end(push.pk, push.owner, JobState.DONE, progress={}):
            return
        copies = TablePush.objects.for_case(push.case).begun().filter(database=push.database, target=push.target)
        copies.update(removed_at=timezone.now())
        outcome = f"{push.target} was removed from {push.database}"
        activity.end(push.activity, state=JobState.DONE, outcome=outcome)


def _end_copy(push: TablePush, columns: Sequence[Column], target: Target, done: Sequence[Ingested]) -> None:
    rows = sum(one.rows for one in done)
    with transaction.atomic():
        ended = TablePush.objects.end(
            push.pk,
            push.owner,
            JobState.DONE,
            columns=[[target.names[column.name], column.type] for column in columns],
            renamed={theirs: ours for ours, theirs in target.renamed.items()},
            row_count=rows,
            sent=sum(one.sent for one in done),
            duplicates=sum(one.duplicates for one in done),
            progress={},
        )
        if ended:
            partial = any(one.missing or one.too_large or one.cut_values for one in done)
            outcome = _outcome(push, target, done)
            activity.end(push.activity, state=JobState.DONE, outcome=outcome, row_count=rows, partial=partial)
    logger.info("push.done", extra={"push": str(push.uuid), "rows": rows})


def _outcome(push: TablePush, target: Target, done: Sequence[Ingested]) -> str:
    """What came of it, with everything that is not there as it is here."""
    rows = sum(one.rows for one in done)
    said = [f"{rows:,} row{'' if rows == 1 else 's'} in {push.target}"]
    words = {
        "missing": "taken but not to be seen yet",
        "too_large": "LEFT OUT: larger than a request may be",
        "cut_values": "values longer than the cluster keeps",
        "duplicates": "arrived twice; hunts read them once",
    }
    for name, text in words.items():
        if count := sum(getattr(one, name) for one in done):
            said.append(f"{count:,} {text}")
    said += [f"{ours} is called {theirs} there" for ours, theirs in target.renamed.items()][:20]
    return "; ".join(said)


def _give_up(push: TablePush) -> None:
    """A person cancelled; or the row is another worker's by now, and then there is nothing of ours to end."""
    if TablePush.objects.filter(pk=push.pk, owner=push.owner, cancel_requested=True).exists():
        _end(push, JobState.CANCELLED, "Cancelled. What has arrived stays; a later copy goes on from there.")


def _end(push: TablePush, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if TablePush.objects.end(push.pk, push.owner, state, reason=reason, progress={}):
            activity.end(push.activity, state=state, outcome=reason)
    logger.info(f"push.{state}", extra={"push": str(push.uuid), "reason": reason[:200]})


def _after(push: TablePush, error: ApiError) -> None:
    """Wait and go on where that can help, within reason; else end with what to do."""
    tries = push.tries + 1
    if error.permanent or tries >= TRIES:
        said = str(error) if error.permanent else f"Given up after {tries} tries: {error}"
        _end(push, JobState.FAILED, f"{said} What has arrived stays; ask again to go on.")
        return
    wait = max(1.0, error.retry_after or min(BACKOFF * 2 ** (tries - 1), BACKOFF_CAP))
    with transaction.atomic():
        if TablePush.objects.hand_back(push.pk, push.owner, reason=str(error), wait=wait):
            TablePush.objects.filter(pk=push.pk).update(tries=tries, attempt=F("attempt") - 1)
            Activity.objects.filter(pk=push.activity_id).update(state=JobState.QUEUED)
