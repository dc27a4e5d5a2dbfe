"""The work behind an import: reading it in a child process, then making drafts of what a person has ticked."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction

from hunting import access
from hunting.importing import LIMITS
from hunting.models import HuntImport, ImportItem
from hunting.services import importing, keeping
from ircase import store
from ircase.models import JobState
from ircase.services import log
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)

MEGABYTES: Final = 3072
"""Of the child's address space. The largest import that the limits let through takes about half."""
SECONDS: Final = LIMITS.seconds + 60
_LOOK_EVERY: Final = 0.2
_BATCH: Final = 500


class Refused(Exception):
    """The source cannot be read; asking again changes nothing. The message is for the person."""


def bring_in(found: HuntImport) -> None:
    """One claimed import. However it goes, the row ends or goes back to the queue by the sweep."""
    try:
        with hold(HuntImport.objects.all(), found) as held:
            if found.stage == HuntImport.Stage.KEEP:
                _keep(found, held)
            else:
                _read(found, held)
    except Stopped:
        if HuntImport.objects.filter(pk=found.pk, owner=found.owner, cancel_requested=True).exists():
            importing.end_cancelled(found, found.owner, "Cancelled")
    except (Refused, ValidationError, PermissionDenied) as error:
        _fail(found, " ".join(getattr(error, "messages", [str(error)])))
    except DatabaseError:
        # Nothing can be written now; the sweep takes the row up once the database answers.
        raise
    except Exception:
        logger.exception("import.fault", extra={"row": str(found.uuid)})
        _fail(found, "A fault in IRCase stopped this import. Its log has the details. Import the source again.")


def _fail(found: HuntImport, reason: str) -> None:
    HuntImport.objects.end(found.pk, found.owner, JobState.FAILED, reason=reason[:2000], progress={})
    logger.info("import.failed", extra={"row": str(found.uuid), "reason": reason[:200]})


# --- reading


def _read(found: HuntImport, held: Hold) -> None:
    access.require_review(found.requested_by)
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    with TemporaryDirectory(prefix="import-", dir=settings.SPOOL_DIR) as folder:
        held.progress(phase="reading")
        out = _child(found, Path(folder), held)
        with out.open(encoding="ascii") as lines:
            whole = _whole(lines.readline())
            held.progress(phase="comparing")
            judge = keeping.Judge(whole)
            items = []
            for number, line in enumerate(lines, 1):
                items.append(judge.item(found, number, json.loads(line)))
                if number % 50 == 0:
                    held.check()
                    held.progress(items=number)
    _settle(found, whole, items)


def _child(found: HuntImport, folder: Path, held: Hold) -> Path:
    request, out = folder / "request.json", folder / "out.ndjson"
    request.write_text(json.dumps(_request(found)), encoding="utf-8")
    command = [sys.executable, "-m", "hunting.importing.child", str(request), str(out)]
    said = folder / "stderr"
    with said.open("wb") as errors, subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    ) as child:  # fmt: skip
        try:
            _wait(child, held)
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        tail = said.read_bytes()[-500:].decode("utf-8", "replace")
        logger.warning("import.child_ended", extra={"row": str(found.uuid), "code": child.returncode, "stderr": tail})
        raise Refused(
            "Reading it took more memory or time than an import may have. Split the source, and import the parts."
        )
    return out


def _wait(child: subprocess.Popen[bytes], held: Hold) -> None:
    deadline = time.monotonic() + SECONDS
    while child.poll() is None:
        held.check()
        if time.monotonic() > deadline:
            raise Refused(f"Reading it took longer than {SECONDS} seconds. Split the source, and import the parts.")
        time.sleep(_LOOK_EVERY)


def _request(found: HuntImport) -> dict[str, Any]:
    """What the child reads. A path is checked once more: a link may have been laid since."""
    asked: dict[str, Any] = {
        "name": found.source, "licence": found.said_licence, "megabytes": MEGABYTES, "seconds": SECONDS,
    }  # fmt: skip
    if found.path:
        return asked | {"path": str(importing.allowed_path(found.path))}
    try:
        files = [[str(store.local_path(file["sha256"])), file["name"]] for file in found.files]
    except store.NotStored as error:
        raise Refused("The store no longer has the file. Import it again.") from error
    except store.StoreError as error:
        raise Refused(f"{error} Import it again later.") from error
    return asked | {"files": files}


def _whole(line: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(line or '{"refused": "Nothing came of it."}')
    if "refused" in whole:
        raise Refused(str(whole["refused"]))
    return whole


def _settle(found: HuntImport, whole: dict[str, Any], items: list[ImportItem]) -> None:
    with transaction.atomic():
        mine = HuntImport.objects.select_for_update().filter(pk=found.pk, owner=found.owner, state=JobState.RUNNING)
        if not mine.exists():
            return
        ImportItem.objects.filter(of=found).delete()
        ImportItem.objects.bulk_create(items, batch_size=_BATCH)
        HuntImport.objects.end(
            found.pk,
            found.owner,
            JobState.DONE,
            kind=whole["kind"],
            licence=str(whole["licence"])[:100],
            commit=str(whole["commit"])[:64],
            address=str(whole["address"])[:500],
            notes=whole["notes"][:100],
            counts=whole["counts"],
            progress={},
        )
    logger.info("import.read", extra={"row": str(found.uuid), "items": len(items)})


# --- keeping


def _keep(found: HuntImport, held: Hold) -> None:
    """One transaction for each, so that a worker that dies leaves what it kept, and the next goes on with the rest."""
    actor = found.kept_by or found.requested_by
    access.require_review(actor)
    for number, item in enumerate(_wanted(found), 1):
        held.check()
        keeping.keep_item(item, actor)
        held.progress(phase="keeping", items=number)
    with transaction.atomic():
        items = ImportItem.objects.filter(of=found)
        kept = items.exclude(kept_hunt=None, kept_pack=None).count()
        left = items.exclude(problem="").count()
        if HuntImport.objects.end(found.pk, found.owner, JobState.DONE, reason="", progress={}):
            log.record(
                "library.imported", actor=actor, title=found.source, subject=str(found.uuid), kept=kept,
                problems=left, licence=found.licence,
            )  # fmt: skip
    logger.info("import.kept", extra={"row": str(found.uuid), "kept": kept})


def _wanted(found: HuntImport) -> Iterator[ImportItem]:
    """The ticked ones that are not kept yet: hunts first, for packs name them."""
    wanted = ImportItem.objects.filter(of=found, is_wanted=True, kept_hunt=None, kept_pack=None)
    for kind in (ImportItem.Kind.HUNT, ImportItem.Kind.PACK):
        # By key, not by cursor: each is written in between.
        for pk in list(wanted.filter(kind=kind).order_by("number").values_list("pk", flat=True)):
            yield ImportItem.objects.select_related("of").get(pk=pk)
