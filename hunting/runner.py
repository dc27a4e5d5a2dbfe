"""The work behind the tasks: one claimed run, from the person's right to the sealed evidence."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from hunting import quota, shelf
from hunting.gathering import Gathered, gather
from hunting.manifest import manifest_of
from hunting.models import HuntRun, Source
from hunting.providers import PROVIDERS, TIME_COLUMNS, Question
from hunting.quota import Later, Turn
from hunting.services import pushes, schemas, steps
from hunting.services.notebooks import naming
from hunting.services.sources import tables_for
from hunting.spool import folder_of
from hunting.supplying import Help, Supplied, supply
from ircase import access
from ircase.models import Activity, CaseTable, Connection, Evidence, JobState
from ircase.services import activity, connections, evidence
from ircase.services.analysis import tables
from ircase.services.vault import quotas as case_quota
from ircase.store import NotStored, StoreError
from ircase.work import Hold, Stopped, hold
from kql import KqlCancelled, KqlError, Limits
from msapi.errors import ApiError, BadQuery, Cancelled, Throttled

logger = logging.getLogger(__name__)

T = TypeVar("T")

WATCH: Final = 0.5
"""Seconds between two looks at whether a person has cancelled."""

FRESH: Final = 2.0
"""Seconds after which a person is shown how far it is; the heartbeat alone is slower."""

TRIES: Final = 6
THROTTLED_TRIES: Final = 60
GIVE_UP_AFTER: Final = timedelta(hours=24)
BACKOFF: Final = 15.0
BACKOFF_CAP: Final = 600.0
STORE_WAIT: Final = 60.0


class Refused(Exception):
    """The run cannot go on, and asking again changes nothing. The message is for the person."""


def run_hunt(run: HuntRun) -> None:
    """Answer one claimed run. However it goes, the row ends or goes back to the queue with a reason."""
    try:
        with hold(HuntRun.objects.all(), run) as held, folder_of(run) as folder:
            missing, gathered, beside = _answer(run, held, folder)
            _seal(run, gathered, missing, beside)
    except (Stopped, KqlCancelled, Cancelled):
        _give_up(run)
    except Later as wait:
        progress = {"phase": "waiting", "place": wait.place, "eta": round(wait.eta)}
        _hand_back(run, wait.seconds, wait.reason, progress)
    except KqlError as error:
        if error.detail:
            logger.warning("hunt.kql_error", extra={"run": str(run.uuid), "code": error.code, "detail": error.detail})
        _fail(run, str(error))
    except ApiError as error:
        _after_api_error(run, error)
    except StoreError as error:
        _after_store_error(run, error)
    except (Refused, naming.InputGone) as error:
        _fail(run, str(error))
    except DatabaseError:
        # Nothing can be written now; the sweep takes the row up once the database answers.
        raise
    except Exception:
        logger.exception("hunt.fault", extra={"run": str(run.uuid)})
        _fail(run, "A fault in IRCase stopped this run; nothing was sealed. Its log has the details. Run it again.")


def _answer(run: HuntRun, held: Hold, folder: Path) -> tuple[tuple[str, ...], Gathered, dict[str, Any]]:
    _check_right(run)
    case_quota.require_room(run.case)
    activity.progress(run.activity, JobState.RUNNING)
    question, missing = _question(run, held.stop)
    watch = _watcher(run, held)
    supplied = _supplied(run, question, folder, watch)
    question = supplied.question
    with _turn(run, question, held, watch) as turn:
        # The lease is renewed with every look, which is far oftener than it lapses.
        def tick() -> None:
            watch()
            if turn is not None:
                turn.renew()

        again = turn.again if turn is not None else held.check
        gathered = _gathered(run, question, folder, held, tick, again)
    return missing, replace(gathered, notes=(*gathered.notes, *supplied.notes)), supplied.manifest


def _supplied(run: HuntRun, question: Question, folder: Path, watch: Callable[[], None]) -> Supplied:
    """A tenant has its own feeds, profiles and places; the case's tables are given ours."""
    if question.endpoint is not None:
        return Supplied(question)

    def aside(work: Callable[[], Any]) -> Any:
        return _aside(f"wanted-{run.pk}", work, watch)

    return supply(run.case, question, folder, Help(aside, watch, f"files:{run.uuid}"))


def _aside(name: str, work: Callable[[], T], tick: Callable[[], None]) -> T:
    """The work's result, made in a thread that is abandoned when `tick` raises. The work touches no database."""
    done: Future[T] = Future()

    def go() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=go, name=name, daemon=True).start()
    while not done.done():
        _await(done)
        tick()
    return done.result()


def _check_right(run: HuntRun) -> None:
    """Permission is checked where it is used: it may have been taken away while the run waited."""
    if not access.still_may(run.requested_by, run.case, access.ANALYST):
        raise Refused(f"{run.requested_by.name} may no longer run hunts on this case.")
    if run.connection is not None and not run.connection.enabled:
        raise Refused(f"The connection {run.connection.name} was switched off. An administrator can switch it on.")


def _question(run: HuntRun, cancel: threading.Event) -> tuple[Question, tuple[str, ...]]:
    limits = Limits(**run.limits)
    question = Question(
        kql=run.kql,
        prelude=run.prelude,
        final_kql=run.final_kql,
        start=run.window_start,
        end=run.window_end,
        limits=limits,
        cancel=cancel,
        times_itself=bool(run.hunt_id),
    )
    if run.connection is not None:
        return _of_tenant(run, run.connection, question), ()
    given, missing = tables_for(run.case, shelf.hunt_of_run(run.hunt_id, run.hunt_version))
    if missing and not given:
        raise Refused(
            f"The case has none of this hunt's tables: {', '.join(missing)}. Upload evidence that holds them and "
            "read it into tables, or run the hunt on the tenant."
        )
    return replace(question, tables=(*given, *naming.given_to(run))), missing


def _of_tenant(run: HuntRun, connection: Connection, question: Question) -> Question:
    source = Source(run.source)
    cluster = connections.cluster(connection) if source.on_cluster else None
    return replace(
        question,
        endpoint=cluster or connections.endpoint(connection),
        workspace=connection.workspace_id,
        workspaces=tuple(connection.workspaces),
        cluster=cluster,
        database=schemas.place_of(connection, source) if source.on_cluster else "",
        known=pushes.datetimes(run.case) if source == Source.KUSTO_CASE else schemas.datetimes(connection, source),
        time_columns=_time_columns(run, source),
        until=timezone.now() if question.times_itself and source == Source.LOG_ANALYTICS else None,
    )


def _time_columns(run: HuntRun, source: Source) -> tuple[str, ...]:
    """On a cluster, whose tables are of any kind, also the one that the hunt itself names, first."""
    hunt = shelf.hunt_of_run(run.hunt_id, run.hunt_version)
    own = (hunt.time_column,) if hunt is not None and hunt.time_column and source.on_cluster else ()
    return tuple(dict.fromkeys((*own, *TIME_COLUMNS[source])))


def _turn(
    run: HuntRun, question: Question, held: Hold, watch: Callable[[], None]
) -> AbstractContextManager[Turn | None]:
    if question.endpoint is None:
        return nullcontext()
    return quota.turn(run, question.endpoint, held, watch)


def _watcher(run: HuntRun, held: Hold) -> Callable[[], None]:
    """Looks whether the row is still ours and wanted, and raises Stopped where it is not."""
    mine = HuntRun.objects.filter(pk=run.pk, owner=run.owner, state=JobState.RUNNING, cancel_requested=False)
    beaten = time.monotonic()

    def watch() -> None:
        nonlocal beaten
        if not mine.exists():
            held.stop.set()
        elif time.monotonic() - beaten >= FRESH:
            held.beat_now()
            beaten = time.monotonic()
        held.check()

    return watch


def _gathered(
    run: HuntRun,
    question: Question,
    folder: Path,
    held: Hold,
    tick: Callable[[], None],
    again: Callable[[], None],
) -> Gathered:
    """The answer, made in a thread that is abandoned when a person cancels: a service may hold a call for minutes."""
    provider = PROVIDERS[run.source]

    def told(phase: str, rows: int, slices: int = 0) -> None:
        held.progress(phase=phase, rows=rows, slices=slices, place=None, eta=None)

    return _aside(f"hunt-{run.pk}", lambda: gather(provider, question, folder, told, again), tick)


def _await(done: Future[Any]) -> None:
    finished = threading.Event()
    done.add_done_callback(lambda _: finished.set())
    finished.wait(WATCH)


def _seal(run: HuntRun, gathered: Gathered, missing: tuple[str, ...], beside: dict[str, Any]) -> None:
    """Evidence, custody, table, activity and the end of the row: all of it, or nothing."""
    run.request_ids = list(dict.fromkeys([*run.request_ids, *gathered.request_ids]))
    cut = bool(gathered.truncated_by)
    with transaction.atomic():
        if not HuntRun.objects.select_for_update().filter(pk=run.pk, owner=run.owner, state=JobState.RUNNING).exists():
            return
        item = _seal_record(run, gathered, missing, beside)
        HuntRun.objects.end(
            run.pk,
            run.owner,
            JobState.DONE,
            evidence=item,
            table=_keep_table(run, item, gathered),
            row_count=gathered.row_count,
            truncated=cut,
            truncated_by=gathered.truncated_by,
            slices=gathered.slices,
            request_ids=run.request_ids,
            progress={},
        )
        outcome = _outcome(gathered, missing, beside)
        activity.end(
            run.activity,
            state=JobState.DONE,
            outcome=outcome,
            row_count=gathered.row_count,
            partial=cut,
            evidence=item,
        )
        steps.ended(run)
    logger.info("hunt.done", extra={"run": str(run.uuid), "rows": gathered.row_count, "truncated": cut})


def _seal_record(run: HuntRun, gathered: Gathered, missing: tuple[str, ...], beside: dict[str, Any]) -> Evidence:
    return evidence.seal(
        case=run.case,
        stored=gathered.stored,
        kind=Evidence.Kind.HUNT,
        name=f"{run.hunt_id or 'kql'}-{str(run.uuid)[:8]}.ndjson",
        manifest=manifest_of(run, gathered, missing, beside),
        actor=run.requested_by,
        media_type="application/x-ndjson",
        description=run.title,
        partial=bool(gathered.truncated_by),
    )


def _keep_table(run: HuntRun, item: Evidence, gathered: Gathered) -> CaseTable | None:
    info = gathered.info
    if gathered.parquet is None or info is None:
        return None
    new = tables.NewTable(
        name=f"Hunt_{run.hunt_id or 'kql'}".replace("-", "_"),
        path=gathered.parquet,
        columns=info.columns,
        row_count=info.rows,
        first_time=info.first_time,
        last_time=info.last_time,
        origin="hunt",
        queryable=False,
        # What a hunt found in the case's own tables stands there already.
        wildcard=run.source not in (Source.CASE, Source.KUSTO_CASE),
    )
    return tables.keep(evidence=item, tables=[new])[0]


def _outcome(gathered: Gathered, missing: tuple[str, ...], beside: dict[str, Any]) -> str:
    rows = "1 row" if gathered.row_count == 1 else f"{gathered.row_count:,} rows"
    said = [rows if not gathered.slices else f"{rows} in {gathered.slices:,} time slices"]
    if gathered.truncated_by and not gathered.slices and gathered.slicing and gathered.slicing.get("why_not"):
        said.append(f"not asked in slices, because of {gathered.slicing['why_not']}")
    if gathered.truncated_by:
        said.insert(1, f"TRUNCATED ({cut_words(gathered.truncated_by)}): there may be more than was kept")
    if missing:
        said.append(f"the case has no {', '.join(missing)}")
    files = beside.get("file_profiles")
    if files and files["known"] < files["files"]:
        said.append(f"{files['known']:,} of {files['files']:,} files known to FileProfile()")
    return "; ".join(said)


def cut_words(truncated_by: str) -> str:
    """Why a result was cut, for people."""
    return {"rows": "the row limit was reached", "bytes": "the size limit was reached"}.get(truncated_by, truncated_by)


def _fail(run: HuntRun, reason: str) -> None:
    _end(run, JobState.FAILED, reason)


def _give_up(run: HuntRun) -> None:
    """A person cancelled; or the row is another worker's by now, and then there is nothing of ours to end."""
    if HuntRun.objects.filter(pk=run.pk, owner=run.owner, cancel_requested=True).exists():
        _end(run, JobState.CANCELLED, "Cancelled")
    if run.connection is not None:
        quota.leave(run, connections.endpoint(run.connection))


def _end(run: HuntRun, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if HuntRun.objects.end(run.pk, run.owner, state, reason=reason, request_ids=run.request_ids, progress={}):
            activity.end(run.activity, state=state, outcome=reason)
            steps.ended(run)
    logger.info(f"hunt.{state}", extra={"run": str(run.uuid), "reason": reason[:200]})


def _after_api_error(run: HuntRun, error: ApiError) -> None:
    """Wait and go on where that can help, within reason; else end with what to do."""
    if error.request_id:
        run.request_ids = [*run.request_ids, error.request_id]
    tries, sentence = run.tries + 1, _sentence(run, error)
    most = THROTTLED_TRIES if isinstance(error, Throttled) else TRIES
    if error.permanent:
        _fail(run, sentence)
    elif tries >= most or timezone.now() - run.queued_at > GIVE_UP_AFTER:
        _fail(run, f"Given up after {tries} tries: {sentence}")
    else:
        wait = error.retry_after or min(BACKOFF * 2 ** (tries - 1), BACKOFF_CAP)
        if isinstance(error, Throttled) and run.connection is not None:
            _penalise(run, wait)
        _hand_back(run, wait, sentence, {"phase": "waiting", "eta": round(wait)}, tries=tries)


def _after_store_error(run: HuntRun, error: StoreError) -> None:
    """A store that is full or away fails nothing: the run waits, and asks again, until a day is over."""
    if isinstance(error, NotStored) or timezone.now() - run.queued_at > GIVE_UP_AFTER:
        _fail(run, str(error))
        return
    wait = min(STORE_WAIT * 2**run.tries, BACKOFF_CAP)
    reason = f"{error} Trying again in {wait:.0f} s."
    _hand_back(run, wait, reason, {"phase": "waiting", "eta": round(wait)}, tries=run.tries + 1)


def _penalise(run: HuntRun, seconds: float) -> None:
    """Nobody else runs into the same 429."""
    assert run.connection is not None
    try:
        quota.penalise(run, connections.endpoint(run.connection), seconds)
    except ApiError as error:
        logger.warning("hunt.penalty_not_shared", extra={"error": str(error)})


def _sentence(run: HuntRun, error: ApiError) -> str:
    """The error in words, with the place in the person's own text."""
    if isinstance(error, BadQuery) and error.line:
        lines = run.prelude.count("\n")
        if error.line > lines:
            column = f", column {error.position}" if error.position else ""
            return f"line {error.line - lines}{column}: {error}"
    return str(error)


def _hand_back(
    run: HuntRun, seconds: float, reason: str, progress: dict[str, Any], *, tries: int | None = None
) -> None:
    """Back to the queue with its reason. A wait is no attempt that failed: only silent workers use those up."""
    seconds = max(1.0, seconds)
    with transaction.atomic():
        if not HuntRun.objects.hand_back(run.pk, run.owner, reason=reason, wait=seconds):
            return
        HuntRun.objects.filter(pk=run.pk).update(
            attempt=F("attempt") - 1,
            tries=run.tries if tries is None else tries,
            request_ids=run.request_ids,
            progress=progress,
        )
        Activity.objects.filter(pk=run.activity_id).update(state=JobState.QUEUED)
    logger.info("hunt.handed_back", extra={"run": str(run.uuid), "seconds": round(seconds), "reason": reason[:200]})
