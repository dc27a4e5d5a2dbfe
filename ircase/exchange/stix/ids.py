"""Identifiers that are the same each time the same case leaves."""

import hashlib
import json
import uuid
from typing import Any, Final

_OBSERVABLES: Final = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace of section 2.9 of STIX 2.1."""


def derived(kind: str, *parts: object) -> str:
    """An id of the form that STIX asks of domain objects (UUIDv4), made of what the object is about."""
    words = "\x1f".join(["ircase", kind, *map(str, parts)])
    digest = hashlib.sha256(words.encode("utf-8", "replace")).digest()
    return f"{kind}--{uuid.UUID(bytes=digest[:16], version=4)}"


def of(kind: str, own: uuid.UUID) -> str:
    """The id of an object that is one of ours."""
    return f"{kind}--{own}"


def observable(kind: str, contributing: dict[str, Any]) -> str:
    """Section 2.9: UUIDv5 over the contributing properties as canonical JSON (RFC 8785; they are texts and whole
    numbers, for which sorted keys and no blanks are enough)."""
    text = json.dumps(contributing, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{kind}--{uuid.uuid5(_OBSERVABLES, text)}"
