"""Handing evidence out: always as a download that no browser opens, never without a custody entry; what could do harm
only in an encrypted zip."""

import unicodedata
from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from ircase import store
from ircase.models import CaseExport, Evidence, User
from ircase.services import evidence
from ircase.services.transfer import caseexports
from ircase.services.vault import handling, packing

_NAME_LENGTH = 180


class FileGone(Exception):
    """The bytes are not in the store. The evidence is marked as missing."""


def safe_name(item: Evidence) -> str:
    """`IR-2026-0001_E003_name`: no path, no control or direction characters, not too long for a file system."""
    return f"{item.case.reference}_{item.exhibit}_{safe_text(item.name) or 'unnamed'}"


def safe_text(text: str) -> str:
    """The end of a text as part of a file's name; empty where nothing of it may stay."""
    kept = "".join("_" if _is_unsafe(letter) else letter for letter in text).strip(" .")
    return kept[-_NAME_LENGTH:]


def _is_unsafe(letter: str) -> bool:
    return letter in '/\\:*?"<>|' or unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def response(item: Evidence, *, actor: User, by: str = "browser", password: str | None = None) -> StreamingHttpResponse:
    """The bytes as an attachment, or as a zip under a password where `handling` says so or a `password` is given (the
    empty one is the usual word). The custody entry is written before the first of them.

    Raises FileGone, ValidationError for a password that is none, and StoreError where the store does not answer.
    """
    if item.is_destroyed:
        raise FileGone(f"{item.exhibit} was destroyed, as its custody and a certificate say.")
    secret = packing.password_of(password or "")
    try:
        size = store.size(item.sha256)
    except store.NotStored:
        evidence.verify(item, actor=actor)
        raise FileGone(f"The file of {item.exhibit} is not in the evidence store. It is marked as missing.") from None
    if password is None and not handling.rule_of(item).packed:
        return attachment(evidence.deliver(item, actor=actor, by=by, form="plain"), name=safe_name(item), size=size)
    own = "own" if secret != packing.PASSWORD else secret
    chunks: Iterator[bytes] = evidence.deliver(item, actor=actor, by=by, form="aes-256 zip", password=own)
    name = f"{item.case.reference}_{item.exhibit}.zip"
    reply = attachment(packing.packed(chunks, name=safe_name(item), password=secret), name=name)
    reply["X-IRCase-Packed"] = "aes-256-zip"
    return reply


def export_response(
    export: CaseExport, *, actor: User, by: str = "browser", password: str | None = None
) -> StreamingHttpResponse:
    """An export's zip; with harmful exhibits in it, or where a `password` is given (the empty one is the usual word),
    inside an AES-256 zip, as `response` does with one exhibit. The log entry is written before the first byte.

    Raises caseexports.ExportGone, and ValidationError for a password that is none.
    """
    secret = packing.password_of(password or "")
    caseexports.require_file(export)
    caseexports.judge(export.case, [export])
    name = caseexports.name_of(export)
    if password is None and not export.harmful:
        plain = caseexports.chunks(export=export, actor=actor, by=by, form="plain")
        return attachment(plain, name=name, size=export.size)
    own = "own" if secret != packing.PASSWORD else secret
    chunks = caseexports.chunks(export=export, actor=actor, by=by, form="aes-256 zip", password=own)
    reply = attachment(
        packing.packed(chunks, name=name, password=secret), name=f"{name.removesuffix('.zip')}_locked.zip"
    )
    reply["X-IRCase-Packed"] = "aes-256-zip"
    return reply


def attachment(chunks: Iterator[bytes], *, name: str, size: int | None = None) -> StreamingHttpResponse:
    """Bytes that a browser saves and never shows: no type to guess, no script, no frame, no cache."""
    reply = StreamingHttpResponse(chunks, content_type="application/octet-stream")
    reply["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Content-Security-Policy"] = "default-src 'none'; sandbox"
    reply["Cache-Control"] = "private, no-store"
    if size is not None:
        reply["Content-Length"] = str(size)
    return reply
