"""The pictures of exhibits that a report's texts show, as a worker drew them anew (ircase.services.vault.looking)."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ircase.markdown.naming import pictures_in
from ircase.models import Case, Comment, Evidence, Note, User
from ircase.report.lifeshape import PictureRow
from ircase.report.shape import ReportData
from ircase.services.vault import looking, previews

MOST: Final = 20
MOST_BYTES: Final = 12_000_000
_MOST_TEXTS: Final = 500


def read(case: Case, actor: User, *, comments: bool) -> tuple[PictureRow, ...]:
    """Those that the case's texts name, up to MOST and MOST_BYTES. Custody hears of each: ask before it is read."""
    numbers = {number for text in _texts(case, comments=comments) for number in pictures_in(text)}
    found: list[PictureRow] = []
    left = MOST_BYTES
    for item in Evidence.objects.filter(case=case, number__in=sorted(numbers)[:MOST]).order_by("number"):
        data = b"" if item.is_destroyed else looking.picture(item)
        if data and len(data) <= left:
            left -= len(data)
            previews.note(item, actor=actor, what="report: picture")
            found.append(PictureRow(item.exhibit, base64.b64encode(data).decode("ascii")))
    return tuple(found)


def _texts(case: Case, *, comments: bool) -> Iterator[str]:
    yield from (case.summary, case.lessons)
    yield from _some(Note.objects.there().filter(case=case).values_list("body", flat=True))
    if comments:
        yield from _some(Comment.objects.filter(case=case).values_list("body", flat=True))


def _some(bodies: Iterable[str]) -> Iterator[str]:
    for place, body in enumerate(bodies):
        if place >= _MOST_TEXTS:
            return
        yield body


def place(data: ReportData, folder: Path) -> tuple[str, ...]:
    """Write each as FOLDER/E012.png; the exhibits."""
    for row in data.pictures:
        (folder / f"{row.exhibit}.png").write_bytes(base64.b64decode(row.png))
    return tuple(row.exhibit for row in data.pictures)
