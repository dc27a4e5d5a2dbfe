"""ATT&CK ids and addresses in running text."""

import re
from typing import Final

_TECHNIQUE: Final = re.compile(r"(?<![A-Za-z0-9])[Tt](\d{4})(?:[./](\d{3}))?(?![A-Za-z0-9])")
_ADDRESS: Final = re.compile(r"https://[^\s<>\"'`\]|)]{4,490}")


def techniques(text: str) -> tuple[str, ...]:
    """ATT&CK technique ids in order, as `T1059.001`; `attack.t1059.001` and addresses of techniques count."""
    found = (f"T{m[1]}.{m[2]}" if m[2] else f"T{m[1]}" for m in _TECHNIQUE.finditer(text[:200_000]))
    return tuple(dict.fromkeys(found))[:50]


def addresses(text: str) -> tuple[str, ...]:
    """https addresses in order, without what a sentence puts after them."""
    found = (m[0].rstrip(".,;:!*") for m in _ADDRESS.finditer(text[:200_000]))
    return tuple(dict.fromkeys(found))[:50]
