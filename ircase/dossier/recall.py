"""What an export says of itself, its exhibits and its case, read with distrust."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ircase.dossier.reading import Row, choice, text
from ircase.models import Classification, Determination, Evidence, Phase, Severity, Tlp

MOST_ROWS: Final = 100_000
"""Of one area."""

MOST_OF_ALL: Final = 300_000
MOST_AREAS: Final = 100
_AREA: Final = re.compile(r"case/([a-z_]{1,40})\.json")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9-]{1,40}")
_EXHIBIT: Final = re.compile(r"E\d{3,9}")


class NotAnExport(ValueError):
    """The register or an area has not the shape of an export."""


@dataclass(frozen=True)
class Exhibit:
    """An exhibit as the register has it. `file` is "" where its bytes did not come."""

    exhibit: str
    uuid: str
    name: str
    kind: str
    media_type: str
    description: str
    partial: bool
    sha256: str
    file: str
    manifest: str
    custody: str
    chain: str


@dataclass(frozen=True)
class Facts:
    """`opening`: what a case is opened with; `rest`: what is set on it after that."""

    opening: dict[str, Any]
    rest: dict[str, Any]


def reference_of(register: Any) -> str:
    """The case's old reference; "" where this is no register."""
    case = register.get("case") if isinstance(register, dict) else None
    found = case.get("reference") if isinstance(case, dict) else None
    items = register.get("exhibits") if isinstance(register, dict) else None
    good = isinstance(found, str) and _REFERENCE.fullmatch(found) and isinstance(items, list)
    return str(found) if good else ""


def exhibits_of(register: Any) -> list[Exhibit]:
    """Raises NotAnExport."""
    found, seen = [], set()
    for row in register["exhibits"]:
        label = text(row, "exhibit", 20) if isinstance(row, dict) else ""
        if not _EXHIBIT.fullmatch(label) or label in seen:
            raise NotAnExport("An exhibit of the register has no number, or one twice.")
        seen.add(label)
        found.append(
            Exhibit(
                exhibit=label,
                uuid=text(row, "uuid", 36),
                name=text(row, "name", 255) or "unnamed",
                kind=choice(row, "kind", Evidence.Kind, Evidence.Kind.UPLOAD),
                media_type=text(row, "media_type", 100) or "application/octet-stream",
                description=text(row, "description"),
                partial=row.get("partial") is True,
                sha256=text(row, "sha256", 64),
                file=text(row, "file", 200),
                manifest=text(row, "manifest", 200),
                custody=text(row, "custody", 200),
                chain=text(row, "chain", 80),
            )
        )
    return found


def areas_of(names: Iterable[str]) -> list[str]:
    """The areas among an export's files. Raises NotAnExport where there are more than any IRCase writes."""
    found = sorted(match[1] for name in names if (match := _AREA.fullmatch(name)))
    if len(found) > MOST_AREAS:
        raise NotAnExport(f"It has more than {MOST_AREAS} kinds of rows.")
    return found


def rows_of(found: Any, name: str) -> list[dict[str, Any]]:
    """An area's rows. Raises NotAnExport."""
    if found is None:
        return []  # the verifier has said that it cannot be read, and a person took that over
    if not isinstance(found, list) or len(found) > MOST_ROWS or not all(isinstance(row, dict) for row in found):
        raise NotAnExport(f"case/{name}.json is no list of at most {MOST_ROWS:,} rows.")
    return found


def origin_of(register: Any) -> UUID | None:
    """The case's uuid where it came from."""
    case = register.get("case") if isinstance(register, dict) else None
    try:
        return UUID(text(case, "uuid", 36)) if isinstance(case, dict) else None
    except ValueError:
        return None


def manifest_of(content: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"origin": "import", "problem": "the manifest could not be read"}


def lines_of(content: bytes | None) -> list[str]:
    """A chain's lines as they came; bytes that are no UTF-8 are shown as such."""
    return [line.decode("utf-8", "backslashreplace").replace("\x00", "") for line in (content or b"").splitlines()]


def sha256_of_lines(lines: list[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def digest_of_line(line: str) -> str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return text(found, "digest", 64) if isinstance(found, dict) else ""


def case_facts(rows: list[dict[str, Any]], reference: str) -> Facts:
    row: Row = rows[0] if rows else {}
    opening = {
        "title": text(row, "title", 200) or f"Exhibits of {reference}",
        "severity": choice(row, "severity", Severity, Severity.MEDIUM),
        "tlp": choice(row, "tlp", Tlp, Tlp.AMBER),
        "exercise": row.get("exercise") is True,
        "description": text(row, "description"),
    }
    rest = {
        "summary": text(row, "summary"),
        "lessons": text(row, "lessons"),
        "classification": choice(row, "classification", Classification, Classification.UNKNOWN),
        "determination": choice(row, "determination", Determination, Determination.UNKNOWN),
        "phase": choice(row, "phase", Phase, Phase.DETECTION),
        "incident_id": text(row, "incident_id", 64),
        "incident_url": url if (url := text(row, "incident_url", 500)).startswith("https://") else "",
    }
    return Facts(opening, rest)
