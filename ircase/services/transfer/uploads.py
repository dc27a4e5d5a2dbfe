"""Files that people hand in: received onto our own disk, under a cap, and sealed one by one."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload
from django.db import transaction
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from ircase.models import Case, Evidence, User
from ircase.services import evidence
from ircase.services.analysis import tables
from ircase.services.vault import quotas

_FORM_BYTES = 2**20  # what the fields and the multipart frame may take beside the files
MAX_FILES = 50
Upload: TypeAlias = "UploadedFile[Any]"


class UploadTooLarge(RequestDataTooBig):
    """More bytes than `UPLOAD_MAX_BYTES`. Nothing was kept."""


class UploadCutShort(ValidationError):
    """The connection ended before the whole request had arrived. Nothing was sealed."""


@dataclass(frozen=True)
class Outcome:
    """What became of an upload: the exhibits, and a sentence for each file that could not be sealed."""

    sealed: tuple[Evidence, ...]
    problems: tuple[str, ...]


def limit_text() -> str:
    """What one file may have; a form without script, which sends all files at once, may have less in all."""
    file, form = filesizeformat(settings.UPLOAD_RESUMABLE_MAX_BYTES), filesizeformat(settings.UPLOAD_MAX_BYTES)
    return f"Up to {file} a file, in parts that survive a cut line (without script: {form} in all)"


class NoFile(ValidationError):
    """The form came without a file: where its text may be typed as well, that is no fault."""


def receive(request: HttpRequest, case: Case | None = None) -> list[Upload]:
    """The files of the field `file`, all of them complete. The first thing that touches the request's body. `case`: the
    one whose quota they must fit.

    Raises UploadTooLarge before a byte is read, UploadCutShort where bytes are missing at the end (Django itself would
    hand over a file without its tail), NoFile.
    """
    declared = int(request.META.get("CONTENT_LENGTH") or 0)
    if declared > settings.UPLOAD_MAX_BYTES + _FORM_BYTES:
        raise UploadTooLarge(
            f"This is {filesizeformat(declared)}; an upload may have {filesizeformat(settings.UPLOAD_MAX_BYTES)}. "
            "Split it, or raise IRCASE_UPLOAD_MAX_BYTES."
        )
    if case is not None:
        _require_quota(case, declared)
    handler = SpoolHandler(request)
    request.upload_handlers = [handler]
    files: list[Upload] = request.FILES.getlist("file")
    if handler.received < handler.expected:
        raise UploadCutShort("The upload ended before it was complete. Nothing was sealed; send it again.")
    if not files:
        raise NoFile("Choose at least one file.")
    if len(files) > MAX_FILES:
        raise ValidationError(f"At most {MAX_FILES} files at a time. Put them into a zip: it is read like a folder.")
    return files


def receive_one(request: HttpRequest, most: int) -> Upload:
    """The one file of a form that is no evidence, of `most` bytes. Raises as `receive` does."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > most + _FORM_BYTES:
        raise ValidationError(f"The file is larger than {filesizeformat(most)}.")
    return receive(request)[0]


def _require_quota(case: Case, declared: int) -> None:
    try:
        quotas.require_room(case, max(0, declared - _FORM_BYTES))
    except quotas.QuotaFull as error:
        raise ValidationError(str(error)) from None


class SpooledFile(UploadedFile):  # type: ignore[type-arg]
    """A received file in SPOOL_DIR, which vanishes when it is closed."""


class RefuseHandler(FileUploadHandler):
    """Skips every file: the handler of all pages but the evidence doors, which put `SpoolHandler` in its place."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        return None

    def file_complete(self, file_size: int) -> None:
        return None


class SpoolHandler(FileUploadHandler):
    """Writes what arrives into SPOOL_DIR, which lies on the disk that evidence is kept on, and counts every byte."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.expected = self.received = self._kept = 0
        self._file: Any = None

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        """Count what the parser reads: a body that ends early is otherwise taken for the whole."""
        self.expected, read = content_length, input_data.read

        def counted(*size: int) -> bytes:
            data: bytes = read(*size)
            self.received += len(data)
            return data

        input_data.read = counted

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = tempfile.NamedTemporaryFile(prefix="upload-", dir=settings.SPOOL_DIR)  # noqa: SIM115

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._kept += len(raw_data)
        if self._kept > settings.UPLOAD_MAX_BYTES:
            raise StopUpload(connection_reset=True)
        self._file.write(raw_data)

    def file_complete(self, file_size: int) -> SpooledFile:
        file, self._file = self._file, None
        file.seek(0)
        return SpooledFile(file, self.file_name, self.content_type, file_size, self.charset, self.content_type_extra)

    def upload_interrupted(self) -> None:
        if self._file is not None:
            self._file.close()


def seal_all(*, case: Case, actor: User, files: Sequence[Upload], description: str = "", read: bool = True) -> Outcome:
    """Seal each file as evidence and, with `read`, have it read into tables. One that fails undoes no other."""
    if not case.is_open:
        raise ValidationError("The case is closed. Reopen it before adding evidence.")
    sealed, problems = [], []
    for file in files:
        try:
            sealed.append(_seal_one(case, actor, file, description, read))
        except evidence.StoreError as error:
            problems.append(f"{file.name}: {error}")
        finally:
            file.close()
    return Outcome(tuple(sealed), tuple(problems))


def _seal_one(case: Case, actor: User, file: Upload, description: str, read: bool) -> Evidence:
    quotas.require_room(case, file.size or 0)
    said = Said(file.name or "", file.content_type or "", description, read)
    return seal_stored(case=case, actor=actor, stored=evidence.put(quotas.metered(case, _chunks(file))), said=said)


@dataclass(frozen=True)
class Said:
    """What stands beside a file that is handed in. `begun_at`: where it came in parts, when the first was asked for."""

    name: str
    declared_type: str = ""
    description: str = ""
    read: bool = True
    begun_at: datetime | None = None


@transaction.atomic
def seal_stored(*, case: Case, actor: User, stored: evidence.Stored, said: Said) -> Evidence:
    """Make stored bytes an exhibit, with the manifest of an upload, and have it read into tables if that was asked."""
    manifest = {
        "origin": "upload",
        "name": said.name,
        "declared_type": said.declared_type,
        "size": stored.size,
        "sha256": stored.sha256,
        "uploaded_by": actor.username,
        "received_at": timezone.now().isoformat(),
    }
    if said.begun_at is not None:
        manifest["begun_at"] = said.begun_at.isoformat()
    item = evidence.seal(
        case=case,
        stored=stored,
        kind=Evidence.Kind.UPLOAD,
        name=said.name or "unnamed",
        manifest=manifest,
        actor=actor,
        description=said.description,
    )
    if said.read and stored.size:
        tables.queue_parse(evidence=item, actor=actor)
    return item


def _chunks(file: Upload) -> Iterable[bytes]:
    return file.chunks(2**20)
