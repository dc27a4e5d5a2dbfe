"""Whether a device says that it is isolated or restricted: DeviceInfo's column MitigationStatus.

Microsoft documents the column as a text, "the mitigation action applied to the device", and none of its values
(https://learn.microsoft.com/defender-xdr/advanced-hunting-deviceinfo-table). So both a JSON object of flags and plain
words are read, and anything else counts as not known.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_MACHINE_ID: Final = re.compile(r"[0-9a-f]{40}")
_NO: Final = frozenset({"", "0", "false", "no", "none", "null", "notisolated", "notrestricted"})
_ISOLATED: Final = re.compile(r"(?<!un)(?<!not )(?<!not)isolat", re.IGNORECASE)
_RESTRICTED: Final = re.compile(r"(?<!un)(?<!not )(?<!not)restrict", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mitigation:
    """What the newest report of a device says; `at` is UTC text as sent. None: it does not say."""

    at: str
    isolated: bool | None
    restricted: bool | None
    text: str


def question(machine_id: str) -> str:
    """KQL for the newest report of one device."""
    if not _MACHINE_ID.fullmatch(machine_id):
        raise ValueError("A device id has 40 hex digits.")
    return (
        f'DeviceInfo | where Timestamp > ago(7d) and DeviceId == "{machine_id}" '
        "| summarize arg_max(Timestamp, MitigationStatus) by DeviceId"
    )


def read_mitigation(row: Mapping[str, Any]) -> Mitigation:
    """A row of `question`. Never raises."""
    value = row.get("MitigationStatus")
    flags = _flags(value)
    words = "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return Mitigation(
        at=str(row.get("Timestamp") or ""),
        isolated=_said(flags, words, "isolat", _ISOLATED),
        restricted=_said(flags, words, "restrict", _RESTRICTED),
        text=words[:500],
    )


def _flags(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, str) and value.strip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) else None


def _said(flags: Mapping[str, Any] | None, words: str, stem: str, pattern: re.Pattern[str]) -> bool | None:
    if flags is not None:
        named = [given for key, given in flags.items() if stem in str(key).lower()]
        return any(str(given).strip().lower() not in _NO for given in named) if named else False
    # An empty column is what a device without any mitigation reports.
    return bool(pattern.search(words))
