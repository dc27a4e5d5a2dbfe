"""Indicators as the CSV that Defender for Endpoint imports.

https://learn.microsoft.com/defender-endpoint/indicator-manage#import-a-list-of-iocs
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from django.utils import timezone

from ircase.indicators.extract import is_private
from ircase.indicators.harmless import Known
from ircase.models import Case, Indicator
from ircase.recognition import is_elsewhere
from ircase.services.transfer.exports import safe_cell

BATCH: Final = 500
"""So many rows of a file Defender takes."""
HEADER: Final = (
    "IndicatorType", "IndicatorValue", "ExpirationTime", "Action", "Severity", "Title", "Description",
    "RecommendedActions", "RbacGroups", "Category", "MitreTechniques", "GenerateAlert",
)  # fmt: skip
TYPES: Final = {
    Indicator.Kind.SHA256: "FileSha256",
    Indicator.Kind.SHA1: "FileSha1",
    Indicator.Kind.IP: "IpAddress",
    Indicator.Kind.DOMAIN: "DomainName",
    Indicator.Kind.URL: "Url",
}
ACTIONS: Final = {"audit": "Audit", "warn": "Warn", "block": "Block"}
_FILES: Final = ("FileSha256", "FileSha1")


@dataclass(frozen=True)
class Handout:
    """The file, how many indicators are in it, and those that are not, with the reason."""

    data: bytes
    count: int
    left_out: tuple[tuple[str, str], ...]


def handout(case: Case, indicators: Iterable[Indicator], action: str, known: Known) -> Handout:
    """Suspicious and malicious indicators as rows of `action` (of `ACTIONS`). What Defender has no type for, what has
    expired, private addresses and what the organisation knows to be harmless are left out by name."""
    text, count, left = io.StringIO(), 0, []
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    for one in indicators:
        if reason := _not(one, known):
            left.append((one.value, reason))
        elif count == BATCH:
            left.append((one.value, f"Defender takes {BATCH} rows of a file"))
        else:
            writer.writerow([safe_cell(cell) for cell in _row(case, one, action)])
            count += 1
    return Handout(text.getvalue().encode("utf-8", "replace"), count, tuple(left))


def _not(one: Indicator, known: Known) -> str:
    if one.kind not in TYPES:
        return "Defender has no indicator of this kind"
    if one.verdict not in (Indicator.Verdict.SUSPICIOUS, Indicator.Verdict.MALICIOUS):
        return f"its verdict is “{one.get_verdict_display().lower()}”"
    if one.expires_at and one.expires_at <= timezone.now():
        return "it has expired"
    if one.kind == Indicator.Kind.IP and not is_elsewhere(one.value):
        return "it is an address of every device"
    if one.kind == Indicator.Kind.IP and is_private(one.value):
        return "it is an address of inside networks"
    entry = known.of(one.kind, one.value)
    return f"known to be harmless: {entry.reason}" if entry else ""


def _row(case: Case, one: Indicator, action: str) -> list[str]:
    kind = TYPES[Indicator.Kind(one.kind)]
    # Only files are remediated, which is what blocking one means there.
    act = "BlockAndRemediate" if action == "block" and kind in _FILES else ACTIONS[action]
    until = one.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0Z") if one.expires_at else ""
    severity = "High" if one.verdict == Indicator.Verdict.MALICIOUS else "Medium"
    words = (one.verdict_reason or one.description or "Found in an incident")[:200]
    return [
        kind, one.value, until, act, severity, f"{case.reference}: {one.get_kind_display()}", words, "", "", "", "",
        "true",
    ]  # fmt: skip
