"""Exports of the super-timeline handed out."""

from collections.abc import Iterator
from typing import BinaryIO, Final

from ircase.models import JobState, TimelineExport, User
from ircase.services import log
from ircase.services.vault import delivery

_CHUNK: Final = 256 * 1024
_ENDINGS: Final = {"jsonl": "jsonl", "csv": "csv", "csv-safe": "spreadsheet.csv"}


class ExportGone(Exception):
    """There is no file to hand out; the message says why."""


def name_of(export: TimelineExport) -> str:
    """`IR-2026-0001_super-timeline.jsonl`."""
    return delivery.safe_text(f"{export.case.reference}_super-timeline.{_ENDINGS[export.kind]}")


def is_there(export: TimelineExport) -> bool:
    return export.state == JobState.DONE and export.path.is_file()


def hand_out(export: TimelineExport, *, actor: User) -> Iterator[bytes]:
    """The file's bytes; the case log hears of it first. Raises ExportGone."""
    if export.state != JobState.DONE:
        raise ExportGone("The export is not ready.")
    try:
        file = export.path.open("rb")
    except OSError:
        raise ExportGone("The file's time is over. Ask for the export again: it is made from the case.") from None
    title = export.get_kind_display()
    log.record("timeline.downloaded", case=export.case, actor=actor, title=title, sha256=export.manifest["sha256"])
    return _chunks(file)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
