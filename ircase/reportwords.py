"""The log's codes of reports and of masks, in words."""

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]
ICONS = {"redaction": "eye-off"}
TONES: dict[str, str] = {}
SENTENCES: dict[str, Callable[[Detail], str]] = {
    "redaction.key_read": lambda d: "read the key to the masked documents of the case",
}
