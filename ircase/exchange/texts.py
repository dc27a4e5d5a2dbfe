"""Texts as other systems take them."""

import json
from datetime import UTC, datetime
from typing import Any


def plain(text: str) -> str:
    """A text that is valid UTF-8 and holds no NUL and no other control character but line ends and tabs."""
    kept = "".join(letter if letter >= " " or letter in "\n\t" else "\ufffd" for letter in text)
    return kept.encode("utf-8", "replace").decode()


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as STIX writes times."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(value: Any) -> bytes:
    """The same bytes for the same value. Unindented: the encoder that indents is the slow one."""
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")
