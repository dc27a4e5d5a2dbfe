"""The texts of a case table's cells as entries of the search: the work of a worker, capped by rows and by texts."""

import logging
from collections.abc import Iterable, Iterator
from typing import Final

from django.db import DatabaseError, transaction

from ircase.finder.sources import TABLE
from ircase.grid.model import GridError
from ircase.grid.opened import NUMBER, Opened, errors, opened
from ircase.models import CaseTable, Evidence, JobState, SearchEntry, TableIndexing
from ircase.search import index
from ircase.search.sources import Draft
from ircase.services.analysis.tables import columns_of
from ircase.work import Stopped, hold

logger = logging.getLogger(__name__)
MOST_ROWS: Final = 200_000
MOST_TEXTS: Final = 20_000  # different ones of a table
LONGEST_TEXT: Final = 500
_SECONDS: Final = 120.0
_OF_ENTRY: Final = 12_000  # characters that one entry holds


def index_table(job: TableIndexing) -> None:
    """Read the cells of one claimed row's table. Ends the row whatever happens."""
    try:
        with hold(TableIndexing.objects.all(), job) as held:
            texts, missing = _texts(job.table)
            held.beat_now()
            held.check()
            _keep(job, texts, missing)
    except Stopped:
        return  # another worker has it
    except GridError as error:
        TableIndexing.objects.all().end(job.pk, job.owner, JobState.FAILED, reason=str(error))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("search.table_fault", extra={"table": str(job.table.uuid)})
        reason = "A fault in IRCase stopped the reading; its log has the details."
        TableIndexing.objects.all().end(job.pk, job.owner, JobState.FAILED, reason=reason)


def _texts(table: CaseTable) -> tuple[list[str], list[str]]:
    """The different texts of the table, and what was left out in words."""
    columns = [column for column in columns_of(table) if column.type in ("string", "dynamic", "guid")]
    missing = []
    if table.row_count > MOST_ROWS:
        missing.append(f"rows after the first {MOST_ROWS:,}")
    found: dict[str, None] = {}
    cut = []
    with opened(table.path, columns_of(table), seconds=_SECONDS) as here:
        for place, column in enumerate(columns):
            # What one column does not use of its share is the next ones'.
            share = (MOST_TEXTS - len(found)) // (len(columns) - place)
            texts = _of_column(here, column.name, share + 1)
            if len(texts) > share:
                cut.append(column.name)
            found.update(dict.fromkeys(texts[:share]))
    if cut:
        named = ", ".join(cut[:5]) + (" and others" if len(cut) > 5 else "")
        missing.append(f"some of the many different texts of {named}")
    return list(found), missing


def _of_column(here: Opened, name: str, most: int) -> list[str]:
    column = here.column(name)
    value = f"left(({here.value(column)})::VARCHAR, {LONGEST_TEXT})"
    query = (
        f"SELECT v FROM (SELECT {value} AS v, min({NUMBER}) AS n FROM {here.source} WHERE {NUMBER} < {MOST_ROWS}"
        f" GROUP BY v) WHERE v <> '' ORDER BY n LIMIT {most}"
    )
    with errors():
        return [str(row[0]) for row in here.connection.execute(query).fetchall()]


@transaction.atomic
def _keep(job: TableIndexing, texts: list[str], missing: list[str]) -> None:
    said = f"The search does not know {' nor '.join(missing)}." if missing else ""
    # Destroyed while it was read: nothing of it may be found. The row is the lock that its marking takes too.
    if Evidence.objects.select_for_update().get(pk=job.table.evidence_id).is_destroyed:
        texts = []
    done = {"rows": min(job.table.row_count, MOST_ROWS), "values": len(texts), "left_out": said[:300]}
    if not TableIndexing.objects.all().end(job.pk, job.owner, JobState.DONE, **done):
        return
    table = job.table
    forget(table)
    drafts = (
        Draft(table.case_id, table.uuid, table.name, table.evidence.sealed_at, body, part=part)
        for part, body in enumerate(_portions(texts), 1)
    )
    index.keep(index.entry_of(TABLE, draft) for draft in drafts)
    logger.info("search.table_read", extra={"table": str(table.uuid), "texts": len(texts), "left_out": said})


def forget(table: CaseTable) -> None:
    """The search knows the table's cells no more."""
    SearchEntry.objects.filter(kind=TABLE, subject=table.uuid, part__gt=0).delete()


def _portions(texts: Iterable[str]) -> Iterator[str]:
    """The texts, one a line, in portions of one entry."""
    lines: list[str] = []
    size = 0
    for text in texts:
        if lines and size + len(text) > _OF_ENTRY:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(text)
        size += len(text) + 1
    if lines:
        yield "\n".join(lines)
