"""Text from outside as it may be shown: nothing invisible, nothing that turns the line round."""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def visible(text: str, most: int = 2_000) -> str:
    """Control characters as pictures (``␀``), direction and other hidden ones as ``⟨U+202E⟩``, a tab as it is."""
    kept = "".join(_letter(letter) for letter in text[:most])
    return kept if len(text) <= most else f"{kept}… ({len(text):,} characters)"


def _letter(letter: str) -> str:
    code = ord(letter)
    if 32 <= code < 127 or letter == "\t":
        return letter
    if code < 32:
        return chr(0x2400 + code)
    if code == 127:
        return "␡"
    return f"⟨U+{code:04X}⟩" if unicodedata.category(letter) in _HIDDEN else letter
