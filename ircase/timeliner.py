"""The work behind the super-timeline: bringing a case's store up to its tables, and writing events to a file."""

import hashlib
import logging
import shutil
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import QueryDict
from django.utils import timezone

from ircase import access, jobs
from ircase.models import JobState, TimelineBuild, TimelineExport
from ircase.models.supertimeline import store_folder
from ircase.runner import spool_folder
from ircase.services import log
from ircase.services.analysis import supertimeline, timelineasking, timesketch
from ircase.supertimeline import reading, store
from ircase.supertimeline.model import TimelineError
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)


def build_timeline(job: TimelineBuild) -> None:
    """Bring the store of one claimed row up to the case's tables, and again while they change. Ends the row whatever
    happens; a database that is away leaves it to the sweep."""
    folder = spool_folder("timeline")
    try:
        with hold(TimelineBuild.objects.all(), job) as held:
            while not _finish(job, _bring(job, folder, held)):
                if settings.TIMELINE_REST_SECONDS:
                    return _rest(job)
                held.beat_now()
                held.check()
    except Stopped:
        return  # another worker has it
    except DatabaseError:
        raise
    except Exception:
        logger.exception("timeline.fault", extra={"case": job.case_id})
        _fail(TimelineBuild, job, "A fault in IRCase stopped the building; its log has the details.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bring(job: TimelineBuild, folder: Path, held: Hold) -> list[list[str]]:
    """One look at the case's tables; what could not be built, as (table, sentence)."""
    wanted, timeless = supertimeline.wanted(job.case)
    names = {str(table.uuid): table.name for table in supertimeline.tables(job.case)}
    here = store.read(store_folder(job.case_id))
    missing = [one for one in wanted if here.of(one) is None]
    held.progress(tables=len(missing), done=0)
    problems = [[table.name, "No column of it holds a time."] for table in timeless]

    def check() -> None:
        held.beat_now()
        held.check()

    for done, (now, one, problem) in enumerate(store.build(here, missing, folder, check), 1):
        here = now
        if problem:
            problems.append([names.get(one.uuid, one.uuid), problem])
        held.progress(tables=len(missing), done=done, table=names.get(one.uuid, ""))
    check()
    if here.folder.is_dir():
        here = store.prune(here, wanted)
    logger.info("timeline.built", extra={"case": job.case_id, "parts": len(here.parts), "made": len(missing)})
    return problems


def _finish(job: TimelineBuild, problems: list[list[str]]) -> bool:
    """End the row, unless the tables changed meanwhile. Raises Stopped where it is not ours any more."""
    mine = TimelineBuild.objects.filter(pk=job.pk, owner=job.owner, state=JobState.RUNNING)
    ended = mine.filter(again=False).update(
        state=JobState.DONE, finished_at=timezone.now(), owner="", progress={}, problems=problems
    )
    if ended:
        return True
    if not mine.update(again=False):
        raise Stopped
    return False


def _rest(job: TimelineBuild) -> None:
    """Hand the row back for a while: more tables are likely to come, and a look at all of them is not free."""
    seconds = settings.TIMELINE_REST_SECONDS
    if TimelineBuild.objects.hand_back(job.pk, job.owner, wait=seconds):
        TimelineBuild.objects.filter(pk=job.pk, state=JobState.QUEUED).update(attempt=0)
        jobs.send("ircase.build_timeline", job.pk, after=seconds)


def export_timeline(job: TimelineExport) -> None:
    """Write one claimed export. Ends the row whatever happens; a database that is away leaves it to the sweep."""
    draft = job.path.with_name(f".{job.path.name}-{job.owner.rsplit(':', 1)[-1]}")
    try:
        with hold(TimelineExport.objects.all(), job) as held:
            if not access.still_may(job.requested_by, job.case, access.VIEWER):
                raise TimelineError(f"{job.requested_by.name} may no longer read this case. Nothing was exported.")
            job.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            manifest = _write(job, draft, held)
            held.beat_now()
            held.check()
            _keep(job, draft, manifest)
    except Stopped:
        return
    except TimelineError as error:
        _fail(TimelineExport, job, str(error))
    except DatabaseError:
        raise
    except OSError as error:
        _fail(TimelineExport, job, f"The file could not be written: {error.strerror or type(error).__name__}.")
    except Exception:
        logger.exception("timeline.export_fault", extra={"export": str(job.uuid)})
        _fail(TimelineExport, job, "A fault in IRCase stopped the export; its log has the details.")
    finally:
        draft.unlink(missing_ok=True)


def _write(job: TimelineExport, draft: Path, held: Hold) -> dict[str, Any]:
    here = supertimeline.shown(job.case)
    asked = timelineasking.asked_of(job.case, here, QueryDict(job.asked), job.requested_by)
    counted: Counter[str] = Counter()
    digest, total = hashlib.sha256(), 0
    ends: list[datetime] = []

    def counting() -> Any:
        for event in reading.stream(here.view, asked):
            counted[event.table] += 1
            ends[1:] = [event.at]
            yield event

    pieces = timesketch.lines(
        job.kind,
        counting(),
        supertimeline.provenance(job.case, here),
        lambda some: supertimeline.marks(here, some).tags,
    )
    with draft.open("xb") as file:
        for piece, events in pieces:
            held.check()
            digest.update(piece)
            file.write(piece)
            total += events
            held.progress(events=total)
    tables = [
        {
            "evidence": here.tables[uuid].evidence.exhibit,
            "evidence_name": here.tables[uuid].evidence.name,
            "evidence_sha256": here.tables[uuid].evidence.sha256,
            "table": here.tables[uuid].name,
            "version": here.tables[uuid].version,
            "mapping": next(part.rule for part in here.view.parts if part.table == uuid),
            "events": count,
        }
        for uuid, count in sorted(counted.items())
    ]
    return {
        "case": job.case.reference, "format": job.kind, "filter": job.asked, "events": total,
        "sha256": digest.hexdigest(), "size": draft.stat().st_size, "requested_by": job.requested_by.name,
        "made_at": timezone.now().isoformat(), "tables": tables,
    }  # fmt: skip


def _keep(job: TimelineExport, draft: Path, manifest: dict[str, Any]) -> None:
    """Custody of every exhibit in it hears of the file before anybody can have it."""
    here = {table.evidence.exhibit: table.evidence for table in supertimeline.tables(job.case)}
    with transaction.atomic():
        for exhibit in sorted({table["evidence"] for table in manifest["tables"]}):
            events = sum(table["events"] for table in manifest["tables"] if table["evidence"] == exhibit)
            what = {"what": "super-timeline", "format": job.kind, "events": events, "sha256": manifest["sha256"]}
            log.record_custody(here[exhibit], "exported", actor=job.requested_by, **what)
        said = {"events": manifest["events"], "sha256": manifest["sha256"]}
        log.record("timeline.exported", case=job.case, actor=job.requested_by, title=job.get_kind_display(), **said)
        expires = supertimeline.expiry()
        if not TimelineExport.objects.end(job.pk, job.owner, JobState.DONE, manifest=manifest, expires_at=expires):
            transaction.set_rollback(True)
            raise Stopped
        draft.replace(job.path)


def _fail(rows: Any, job: Any, reason: str) -> None:
    rows.objects.end(job.pk, job.owner, JobState.FAILED, reason=reason)
