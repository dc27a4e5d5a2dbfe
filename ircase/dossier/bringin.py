"""The work behind one import: verify the export, keep its exhibits with the custody they had, rebuild the case.

What comes is hostile: the container is read by the verifier, which refuses compression, duplicates and names that
IRCase does not give; every JSON has a cap; no name from outside becomes a path.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction

from ircase import secrets
from ircase.dossier import locked, recall, verify
from ircase.dossier.container import ZipWriter
from ircase.dossier.recalling.origins import BY_UUID
from ircase.dossier.recalling.people import People
from ircase.dossier.recalling.rebuild import rebuild
from ircase.dossier.recalling.scene import Scene
from ircase.models import Case, CaseImport, CustodyBefore, Evidence, JobState, RecordBefore
from ircase.search import index
from ircase.services import cases, evidence, log
from ircase.services.analysis import tables
from ircase.services.casework.opening import require_opener
from ircase.services.transfer import caseimports
from ircase.services.vault import before, packing
from ircase.store import StoreError, digest_of
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
LONGEST_JSON: Final = 32 << 20
LOG: Final = "log.ndjson"
MOST_EXHIBITS: Final = 20_000
MOST_FAULTS: Final = 500
_RETRY: Final = 60.0
_UNREAD: Final = (Evidence.Kind.REPORT, *Evidence.RECORDS)


class NotUsable(Exception):
    """It cannot become a case. The message says why."""


def bring_in(job: CaseImport) -> None:
    """Take one claimed import over. Ends the row, or leaves it to be tried again where the store could not write."""
    try:
        with hold(CaseImport.objects.all(), job) as held:
            _bring_in(job, held)
    except Stopped:
        return  # another worker has it
    except locked.Locked as error:
        CaseImport.objects.end(job.pk, job.owner, JobState.FAILED, reason=str(error), locked=True, progress={})
    except (
        verify.Unreadable,
        locked.NotLocked,
        recall.NotAnExport,
        NotUsable,
        ValidationError,
        PermissionDenied,
    ) as error:
        _fail(job, " ".join(getattr(error, "messages", [str(error)])))
    except StoreError as error:
        if job.attempt >= settings.MAX_ATTEMPTS:
            _fail(job, str(error))
        else:
            CaseImport.objects.hand_back(job.pk, job.owner, reason=str(error), wait=_RETRY)
    except DatabaseError:
        raise
    except OSError as error:
        _fail(job, f"The file could not be read: {error.strerror or error}. Send it again.")
    except Exception:
        logger.exception("import.fault", extra={"job": str(job.uuid)})
        _fail(job, "A fault in IRCase stopped this import; no case was made. The worker's log has the details.")


def _bring_in(job: CaseImport, held: Hold) -> None:
    require_opener(job.requested_by)
    path = caseimports.path_of(job)
    _unlock(job, path, held)
    held.progress(step="Verifying every file, chain and signature")
    verifier = verify.Verifier(str(path), job.expected_key, longest=LONGEST_JSON)
    verifier.run()
    areas = _areas(verifier)
    faults = [{"place": place[:500], "message": message[:500]} for place, message in verifier.faults]
    register = verifier.json("export.json")
    known = {
        "faults": faults[:MOST_FAULTS],
        "notes": [note[:500] for note in verifier.notes],
        "public_key": verifier.public_key,
        "reference": recall.reference_of(register),
        "origin": recall.origin_of(register),
        "sha256": digest_of(path),
    }
    CaseImport.objects.filter(pk=job.pk, owner=job.owner).update(**known)
    held.check()
    if not known["reference"]:
        raise NotUsable("It is no export of IRCase: its register cannot be read.")
    if faults and not job.accepted:
        raise NotUsable(f"Verification failed: {len(faults)} fault{'s' if len(faults) > 1 else ''}. No case was made.")
    for name, value in known.items():
        setattr(job, name, value)
    came = _Arrival(job, verifier, register, areas, held)
    came.store()
    held.beat_now()
    held.check()
    came.keep()


def _areas(verifier: verify.Verifier) -> dict[str, list[dict[str, Any]]]:
    """Every area's rows. One that cannot be read is a fault like any other, and without rows. Raises NotAnExport."""
    names = recall.areas_of(verifier.source.names)
    found: dict[str, list[dict[str, Any]]] = {}
    left = recall.MOST_OF_ALL
    for name in names:
        found[name] = recall.rows_of(verifier.json(f"case/{name}.json"), name)
        left -= len(found[name])
        if left < 0:
            raise recall.NotAnExport(f"It has more than {recall.MOST_OF_ALL:,} rows.")
    return found


def _unlock(job: CaseImport, path: Path, held: Hold) -> None:
    """In place of an encrypted zip put the export that is in it."""
    if not locked.is_locked(path):
        return
    held.progress(step="Opening the encrypted zip")
    part = path.with_suffix(".unlocked")
    part.unlink(missing_ok=True)
    try:
        locked.unlock(path, secrets.decrypt(job.password) or packing.PASSWORD, part, check=held.check)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    CaseImport.objects.filter(pk=job.pk, owner=job.owner).update(password="", locked=False)


class _Arrival:
    """One verified export on its way to become a case."""

    def __init__(
        self,
        job: CaseImport,
        verifier: verify.Verifier,
        register: Any,
        areas: dict[str, list[dict[str, Any]]],
        held: Hold,
    ) -> None:
        self.job, self.verifier, self.areas, self.held = job, verifier, areas, held
        self.items = recall.exhibits_of(register)
        if len(self.items) > MOST_EXHIBITS:
            raise NotUsable(f"It has more than {MOST_EXHIBITS:,} exhibits.")
        self.stored: dict[str, evidence.Stored] = {}
        self.records: evidence.Stored | None = None

    def store(self) -> None:
        """Bytes first: an orphan may stay where the transaction after it fails, a row without its file may not."""
        for place, item in enumerate(self.items, 1):
            self.held.progress(step=f"Storing {item.exhibit}, {place} of {len(self.items)}")
            if item.file in self.verifier.source.names:
                self.stored[item.exhibit] = evidence.put(self._watched(item.file))
        self.records = self._put_records()

    def _watched(self, name: str) -> Iterator[bytes]:
        for chunk in self.verifier.source.chunks(name):
            self.held.check()
            yield chunk

    def _put_records(self) -> evidence.Stored:
        """Everything that is no exhibit, as it came: register, log, content, chains, signatures."""
        part = caseimports.path_of(self.job).with_suffix(".records")
        try:
            with part.open("wb+") as file:
                writer = ZipWriter(file)
                for name in sorted(self.verifier.source.names):
                    if not name.startswith("evidence/") and verify.SAFE_NAME.fullmatch(name):
                        writer.add(name, self._watched(name))
                writer.close()
            return evidence.put_file(part)
        finally:
            part.unlink(missing_ok=True)

    @transaction.atomic
    def keep(self) -> None:
        """The case, its exhibits and its content, and the end of the import, in one transaction."""
        job = self.job
        case = self._open()
        if not CaseImport.objects.end(job.pk, job.owner, JobState.DONE, case=case, progress={}, reason=""):
            raise Stopped
        exhibits = {item.exhibit: self._seal(case, item) for item in self.items if item.exhibit in self.stored}
        self._seal_records(case)
        scene = Scene(case, job.requested_by, People(job), self.areas, exhibits, job.reference)
        scene.known[BY_UUID].update(
            {item.uuid: exhibits[item.exhibit] for item in self.items if item.exhibit in exhibits}
        )
        rebuild(scene)
        self._log_before(scene)
        self._note(scene)
        index.index_case(case)
        for item in exhibits.values():
            if item.kind not in _UNREAD and item.size:
                tables.queue_parse(evidence=item, actor=job.requested_by)

    def _open(self) -> Case:
        facts = recall.case_facts(self.areas.get("case", []), self.job.reference)
        case = cases.open_case(actor=self.job.requested_by, confidential=self.job.confidential, **facts.opening)
        Case.objects.filter(pk=case.pk).update(**facts.rest)
        case.refresh_from_db()
        return case

    def _log_before(self, scene: Scene) -> None:
        """The log of the case as it was, entry by entry."""
        if LOG in self.verifier.source.names:
            for line in recall.lines_of(self.verifier.read(LOG)):
                scene.record("log", line)
        scene.flush()

    def _note(self, scene: Scene) -> None:
        """The case's log says what came, and keeps the digest of what stays as a record."""
        lost = [item.exhibit for item in self.items if item.exhibit not in self.stored]
        count, sha256 = before.seal_of(scene.case)
        log.record(
            "case.brought_in",
            case=scene.case,
            actor=self.job.requested_by,
            reference=self.job.reference,
            sha256=self.job.sha256,
            public_key=self.job.public_key,
            faults=len(self.job.faults),
            reason=self.job.accepted,
            not_brought=lost,
            records=count,
            records_sha256=sha256,
            kept_aside=RecordBefore.objects.filter(case=scene.case).exclude(reason="").count(),
        )

    def _seal(self, case: Case, item: recall.Exhibit) -> Evidence:
        stored = self.stored[item.exhibit]
        lines = recall.lines_of(self.verifier.read(item.custody))
        altered = "" if stored.sha256 == item.sha256 else f"ALTERED before import: the register says {item.sha256}. "
        sealed = evidence.seal(
            case=case,
            stored=stored,
            kind=Evidence.Kind(item.kind),
            name=item.name,
            description=altered + item.description,
            media_type=item.media_type,
            manifest=recall.manifest_of(self.verifier.read(item.manifest)),
            actor=self.job.requested_by,
            partial=item.partial or bool(altered),
            act="imported",
            about={
                "from_case": self.job.reference,
                "from_exhibit": item.exhibit,
                "from_chain": item.chain,
                "entries": len(lines),
                "chain_sha256": recall.sha256_of_lines(lines),
                "last_digest": recall.digest_of_line(lines[-1]) if lines else "",
                "holder": self.job.requested_by.name,
            },
        )
        rows = [CustodyBefore(evidence=sealed, sequence=number, line=line) for number, line in enumerate(lines, 1)]
        CustodyBefore._base_manager.bulk_create(rows, batch_size=1000)
        return sealed

    def _seal_records(self, case: Case) -> None:
        if self.records is None:
            return
        evidence.seal(
            case=case,
            stored=self.records,
            kind=Evidence.Kind.UPLOAD,
            name=f"{self.job.reference}_before_import.zip",
            description="The register, log, custody, content and signatures of the case as they came.",
            media_type="application/zip",
            manifest={"origin": "import", "name": self.job.name, "sha256": self.job.sha256, "from": self.job.reference},
            actor=self.job.requested_by,
        )


def _fail(job: CaseImport, reason: str) -> None:
    CaseImport.objects.end(job.pk, job.owner, JobState.FAILED, reason=reason, progress={})
