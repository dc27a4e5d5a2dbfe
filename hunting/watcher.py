"""The work behind a watch's turn: which rows of its run are new, and who is told."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F
from django.urls import reverse

from hunting import results
from hunting.models import HuntRun, Watch, WatchTurn
from hunting.services import turns
from ircase import grid
from ircase.grid import Fresh, GridError
from ircase.models import JobState, NoticeCode
from ircase.services import log, notices
from ircase.services.analysis import rowsets
from ircase.wording import counted
from ircase.work import Stopped, hold
from kql import Column

logger = logging.getLogger(__name__)

SHOWN_ROWS: Final = 3
SHOWN_CELLS: Final = 4
SHOWN_LETTERS: Final = 80


def compare(turn: WatchTurn) -> None:
    """Compare one claimed turn. However it goes, the row ends; a database that is away leaves it to the next worker."""
    watch = Watch.objects.with_people().get(pk=turn.watch_id)
    assert turn.run_id is not None  # without a run a turn has failed already
    run = HuntRun.objects.with_people().get(pk=turn.run_id)
    run.case = watch.case
    try:
        with hold(WatchTurn.objects.all(), turn) as held:
            if turns.stop_without_right(watch):
                return _fail(
                    watch, turn, f"Not compared: {watch.requested_by.name} may no longer read it for the watch."
                )
            if run.state != JobState.DONE:
                return _fail(
                    watch, turn, f"Whether there is anything new is not known: the run {run.state}. {run.reason}"
                )
            found, seen = _look(watch, turn, run)
            held.check()
        _keep(watch, turn, run, found, seen)
    except Stopped:
        return
    except GridError as error:
        _fail(watch, turn, f"The rows could not be compared: {error}")
    except DatabaseError:
        raise
    except Exception:
        logger.exception("watch.fault", extra={"turn": turn.pk})
        _fail(
            watch, turn, "A fault in IRCase stopped the comparison. Its log has the details; the next turn asks again."
        )


def _look(watch: Watch, turn: WatchTurn, run: HuntRun) -> tuple[Fresh, Path]:
    """The rows that no run of the watch had before. What was seen is read from its file, or from all runs without
    one."""
    folder = settings.TABLES_DIR / str(watch.case_id)
    folder.mkdir(parents=True, exist_ok=True)
    seen = folder / watch.seen_file if watch.seen_file else None
    seen = seen if seen is not None and seen.is_file() else None
    out = folder / f"watch-{watch.uuid}-{turn.number}-{turn.attempt}.parquet"
    now, earlier = _rows(run), [] if seen else _earlier(watch, turn)
    if now is None or run.table is None:
        return Fresh(0, 0, (), 0), seen or out
    rows = rowsets.new_rows_path(run.table)
    part = rows.with_name(f"{rows.name}.{turn.attempt}")
    try:
        found = grid.fresh(now, key=watch.key, seen=seen, earlier=earlier, out_seen=out, out_rows=part)
        part.replace(rows)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    finally:
        part.unlink(missing_ok=True)
    return found, out


def _rows(run: HuntRun) -> tuple[Path, Sequence[Column]] | None:
    """A run without rows has no columns that could be missed."""
    if run.table is None:
        if run.row_count:
            raise GridError(f"There is no table of the rows of {run.evidence.exhibit if run.evidence else 'a run'}.")
        return None
    return (run.table.path, results.columns_of(run)) if run.row_count else None


def _earlier(watch: Watch, turn: WatchTurn) -> list[tuple[Path, Sequence[Column]]]:
    compared = WatchTurn.objects.filter(watch=watch, number__lt=turn.number, state=JobState.DONE).order_by("number")
    before = [watch.run, *(one.run for one in compared.select_related("run__table", "run__evidence") if one.run)]
    return [rows for run in before if (rows := _rows(run)) is not None]


def _keep(watch: Watch, turn: WatchTurn, run: HuntRun, found: Fresh, seen: Path) -> None:
    """The turn's end, what is known from here on, the log and the notices: all of it, or nothing."""
    first = _first(watch, run, found)
    with transaction.atomic():
        fields = {"new_rows": found.new, "truncated": run.truncated, "first": first, "reason": ""}
        if not WatchTurn.objects.end(turn.pk, turn.owner, JobState.DONE, **fields):
            seen.unlink(missing_ok=True)
            return
        old = watch.seen_file
        changes = {"seen_file": seen.name if seen.is_file() else "", "new_total": F("new_total") + found.new}
        if not run.truncated:
            changes["asked_until"] = run.window_end
        Watch.objects.filter(pk=watch.pk).update(**changes)
        if found.new:
            _tell(watch, turn, run, found, first)
        if old and old != seen.name:
            transaction.on_commit(lambda: (seen.parent / old).unlink(missing_ok=True))
    logger.info("watch.compared", extra={"turn": turn.pk, "rows": found.rows, "new": found.new})


def _first(watch: Watch, run: HuntRun, found: Fresh) -> list[str]:
    """The first new rows in a few words each: the key's columns, else those that say most."""
    if run.table is None or not found.first:
        return []
    columns = results.columns_of(run)
    wanted = set(watch.key) or {column.name for column in columns[:SHOWN_CELLS]}
    rows = grid.rows(run.table.path, columns, found.first[:SHOWN_ROWS])
    return [
        ", ".join(
            f"{column.name}: {(text or '')[:SHOWN_LETTERS]}"
            for column, text in zip(columns, row.texts, strict=True)
            if column.name in wanted and text
        )[: SHOWN_CELLS * SHOWN_LETTERS]
        for row in rows
    ]


def _tell(watch: Watch, turn: WatchTurn, run: HuntRun, found: Fresh, first: list[str]) -> None:
    said = f"{counted(found.new, 'new row')}: {watch.title}"
    lines = [*first, *(["The result was TRUNCATED: there may be more."] if run.truncated else [])]
    path = f"{reverse('hunting:run', args=[watch.case.reference, run.uuid])}?only={rowsets.NEW}"
    people = [watch.requested_by, *notices.leads_of(watch.case)]
    notices.tell(
        code=NoticeCode.ROWS, people=people, case=watch.case, subject=run.uuid, title=said, path=path, lines=lines
    )
    log.record(
        "watch.new", case=watch.case, title=watch.title, subject=str(watch.uuid), run=str(run.uuid), rows=found.new
    )


def _fail(watch: Watch, turn: WatchTurn, reason: str) -> None:
    with transaction.atomic():
        if WatchTurn.objects.end(turn.pk, turn.owner, JobState.FAILED, reason=reason[:2000]):
            log.record("watch.undecided", case=watch.case, title=watch.title, subject=str(watch.uuid), reason=reason)
    logger.info("watch.undecided", extra={"turn": turn.pk, "reason": reason[:200]})
