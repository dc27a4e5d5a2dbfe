"""The custody form: one exhibit on paper, with its hashes, its chain, and lines for signatures."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from django.utils import timezone

from ircase.models import CustodyEntry, Evidence
from ircase.report.typeset import TypesetError, set_pdf
from ircase.report.words import clip, when
from ircase.runner import spool_folder
from ircase.services.vault import custody, signing
from ircase.wording import key_words, said_of

TEMPLATE: Final = Path(__file__).resolve().parent / "form.typ"
MOST: Final = 2000
"""Entries that are printed: more would hold up the request. The form says what it leaves out."""

SECONDS: Final = 60
MEGABYTES: Final = 1024


def pdf_of(item: Evidence, *, prepared_by: str) -> bytes:
    """The form as PDF. Raises TypesetError."""
    folder = spool_folder("custody")
    try:
        (folder / "data.json").write_text(json.dumps(data_of(item, prepared_by), ensure_ascii=True), encoding="ascii")
        return set_pdf(folder, TEMPLATE, seconds=SECONDS, size=MEGABYTES).read_bytes()
    except OSError as error:
        raise TypesetError(f"The form could not be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def data_of(item: Evidence, prepared_by: str) -> dict[str, Any]:
    """What the template is given."""
    rows, total = _entries(item)
    holding = custody.holding_of(item)
    manifest = item.manifest if item.is_record else {}
    return {
        "case": {"reference": item.case.reference, "tlp": item.case.tlp, "tlp_words": item.case.get_tlp_display()},
        "exhibit": item.exhibit,
        "name": clip(item.name),
        "kind": item.get_kind_display(),
        "record": item.is_record,
        "description": clip(item.description),
        "serial": clip(str(manifest.get("serial", ""))),
        "source": clip(str(manifest.get("source", ""))),
        "acquired_by": clip(str(manifest.get("acquired_by", ""))),
        "stated_sha256": item.stated_sha256,
        "size": f"{item.size:,} bytes",
        "sha256": item.sha256,
        "manifest_sha256": item.manifest_sha256,
        "sealed_at": when(item.sealed_at),
        "sealed_by": item.sealed_by.name,
        "integrity": item.get_integrity_display(),
        "holder": clip(holding.holder),
        "since": when(holding.since),
        "place": clip(holding.place),
        "seal": clip(holding.seal),
        "waiting": f"Handed to {holding.waiting.receiver_name}, not confirmed yet" if holding.waiting else "",
        "entries": [_entry(row) for row in rows],
        "total": total,
        "digest": rows[-1].digest if rows else "",
        "public_key": signing.active_key().public_key,
        "prepared_by": prepared_by,
        "prepared_at": when(timezone.now()),
    }


def _entries(item: Evidence) -> tuple[list[CustodyEntry], int]:
    """The first and the newest ones, MOST in all, and how many there are."""
    rows = CustodyEntry.objects.filter(evidence=item).order_by("sequence")
    total = rows.count()
    if total <= MOST:
        return list(rows), total
    return [*rows[: MOST // 2], *rows[total - MOST // 2 :]], total


def _entry(row: CustodyEntry) -> dict[str, Any]:
    return {
        "number": row.sequence,
        "at": when(row.at),
        "what": key_words(row.action),
        "who": clip(row.actor_name),
        "said": [[name, clip(value)] for name, value in said_of(row)],
        "digest": row.digest,
    }
