"""The sections of reports: each makes pieces of the data set, and says where there is nothing or a list was cut."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from ircase.report import document as doc
from ircase.report.document import Piece
from ircase.report.shape import ReportData


def cut(data: ReportData, *whats: str) -> Iterator[Piece]:
    """A sentence where a list is longer than a report prints."""
    for one in data.cuts:
        if one.what in whats:
            said = _("Cut: the first %(shown)s of %(total)s %(what)s are printed. All of them are in IRCase.")
            yield doc.note(said % {"shown": one.shown, "total": one.total, "what": one.what}, "warn")


def listed(
    header: tuple[str, ...], widths: tuple[int, ...], rows: Iterable[tuple[Any, ...]], none: str
) -> Iterator[Piece]:
    """A table, or a sentence where there is nothing."""
    made = doc.table(header, widths, rows)
    yield made if made.rows else doc.note(none)


def signed(name: str, at: str) -> doc.Cell:
    return doc.stack(name, doc.quiet(doc.at(at)) if at else "")
