"""The certificate of a destruction: what went, who asked and approved, how; as JSON and as a PDF."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from django.utils import timezone

from ircase.models import Approval, ChainHead, Destruction, Evidence
from ircase.report.typeset import HERE, TypesetError, typeset
from ircase.report.words import when

FORMAT: Final = "ircase-destruction-1"
HOW: Final = (
    "From the moment given, this exhibit's bytes can no longer be read by anybody through this case: not downloaded, "
    "previewed, verified, read into tables or exported. The tables that were read from it were deleted. The stored "
    "file was given up; the store erases it, with its own key where it was encrypted, as soon as no other "
    "record of this system needs a file of the same content. So that nothing is told of other cases, no certificate "
    "says whether one does. Backups of the store are not reached by this; they end by their own schedule."
)
STAYS: Final = (
    "What stays: the exhibit's entry in the register with its hash, its manifest, its whole custody chain, the case's "
    "log, and what people wrote from it (events, indicators, notes, reports)."
)


def certificate_of(row: Destruction, approval: Approval) -> dict[str, Any]:
    """The certificate's content. Every time is UTC."""
    items = list(row.exhibits.select_related("sealed_by").order_by("number"))
    heads = {head.key: head for head in ChainHead.objects.filter(key__in=[f"evidence:{item.uuid}" for item in items])}
    return {
        "format": FORMAT,
        "certificate": str(row.uuid),
        "case": row.case.reference,
        "case_uuid": str(row.case.uuid),
        "closed_at": when(row.case.closed_at),
        "why": row.why,
        "asked_by": row.requested_by.name,
        "asked_at": when(row.requested_at),
        "approved_by": approval.decided_by.name if approval.decided_by else "",
        "approved_at": when(approval.decided_at),
        "comment": approval.comment,
        "binding": approval.binding,
        "begun_at": when(row.begun_at),
        "finished_at": when(timezone.now()),
        "how": HOW,
        "stays": STAYS,
        "exhibits": [_exhibit(item, heads.get(f"evidence:{item.uuid}")) for item in items],
    }


def _exhibit(item: Evidence, head: ChainHead | None) -> dict[str, Any]:
    return {
        "exhibit": item.exhibit,
        "uuid": str(item.uuid),
        "name": item.name,
        "kind": f"{item.get_kind_display()}{', the record of it' if item.is_record else ''}",
        "size": item.size,
        "sha256": item.sha256,
        "manifest_sha256": item.manifest_sha256,
        "sealed_at": when(item.sealed_at),
        "sealed_by": item.sealed_by.name,
        "destroyed_at": when(item.destroyed_at),
        "custody_entries": head.sequence if head else 0,
        "custody_digest": head.digest if head else "",
    }


def write_pdf(certificate: dict[str, Any], folder: Path) -> Path:
    """FOLDER/report.pdf. Raises TypesetError."""
    (folder / "data.json").write_text(json.dumps(certificate, ensure_ascii=True), encoding="ascii")
    shutil.copyfile(HERE / "certificate.typ", folder / "template.typ")
    return typeset(folder)


__all__ = ["FORMAT", "TypesetError", "certificate_of", "write_pdf"]
