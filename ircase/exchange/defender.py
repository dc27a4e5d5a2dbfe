"""Indicators as files that Defender for Endpoint imports, as many as they need.

Columns, values and the 500 rows of a file: https://learn.microsoft.com/defender-endpoint/indicator-manage
"""

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from ircase.exchange.model import LeftOut, Product, ShareData, SharedIndicator
from ircase.exchange.texts import plain
from ircase.models import Indicator, Pap
from ircase.recognition import is_elsewhere, is_private

BATCH: Final = 500
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
_WEB: Final = ("http", "https")
_JUDGED: Final = (Indicator.Verdict.SUSPICIOUS, Indicator.Verdict.MALICIOUS)
_ACTIVE: Final = (Pap.CLEAR, Pap.GREEN)
"""Blocking and warning are seen by who is blocked: PAP:GREEN allows it, PAP:AMBER does not.
https://www.misp-project.org/taxonomies.html#_pap"""


def make(data: ShareData, *, action: str, now: datetime) -> Product:
    """Rows of `action` (of `ACTIONS`), 500 a file; more than one file is a zip of them."""
    rows: list[tuple[str, ...]] = []
    left: list[LeftOut] = []
    for one in data.indicators:
        if reason := _not(one, action, now):
            left.append(LeftOut("indicator", one.value, reason))
        else:
            rows.append(_row(data, one, action))
    files = [_csv(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)] or [_csv([])]
    counts = (("rows", len(rows)), ("files", len(files)))
    if len(files) == 1:
        return Product(files[0], ".csv", counts, tuple(left))
    return Product(_zip(files), ".zip", counts, tuple(left))


def _not(one: SharedIndicator, action: str, now: datetime) -> str:
    """Why it is no row; empty where it is one."""
    if one.kind not in TYPES:
        return "Defender has no indicator of this kind"
    if one.verdict not in _JUDGED:
        return f"its verdict is “{Indicator.Verdict(one.verdict).label.lower()}”"
    if one.expires_at and one.expires_at <= now:
        return "it has expired"
    if one.kind == Indicator.Kind.IP and not is_elsewhere(one.value):
        return "it is an address of every device"
    if one.kind == Indicator.Kind.IP and is_private(one.value):
        return "it is an address of inside networks"
    if one.kind == Indicator.Kind.URL and not _is_web(one.value):
        return "Defender takes URLs of http and https"
    if action != "audit" and one.pap not in _ACTIVE:
        return f"{Pap(one.pap).label} forbids what the attacker could notice; audit alone would do"
    return ""


def _is_web(value: str) -> bool:
    try:
        found = urlsplit(value)
    except ValueError:
        return False
    return found.scheme.lower() in _WEB and bool(found.hostname)


def _row(data: ShareData, one: SharedIndicator, action: str) -> tuple[str, ...]:
    kind = TYPES[Indicator.Kind(one.kind)]
    # Files are remediated; a network indicator with that action would not be imported.
    act = "BlockAndRemediate" if action == "block" and kind in _FILES else ACTIONS[action]
    until = one.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0Z") if one.expires_at else ""
    severity = "High" if one.verdict == Indicator.Verdict.MALICIOUS else "Medium"
    words = " ".join(plain(one.words).split())[:200] or "Found in an incident"
    title = f"{plain(data.case.reference)}: {Indicator.Kind(one.kind).label}"
    techniques = ",".join(one.techniques)
    return (kind, one.value, until, act, severity, title, words, "", "", "", techniques, "True")


def _csv(rows: Sequence[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _safe(cell: str) -> str:
    """Words that a spreadsheet would read as a formula lose what makes them one; values begin with none of it."""
    return cell.lstrip("=+-@\t\r\n") if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else cell


def _zip(files: Sequence[bytes]) -> bytes:
    """The same bytes for the same files: their dates are zip's first."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(files, 1):
            archive.writestr(zipfile.ZipInfo(f"indicators_{number:02d}_of_{len(files):02d}.csv"), data)
    return out.getvalue()
