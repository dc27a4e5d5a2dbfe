"""What Defender was heard to say of a file, as a reason to hand its bytes out only in a zip."""

from collections.abc import Iterator
from typing import Final

from django.db.models import Q

from ircase.models import Case
from ircase.services.handling import Why
from liveresponse.models import FileAnalysis, Lookup

_HARMLESS: Final = ("", "clean", "unknown", "notmalicious", "none", "no threats found")
MOST: Final = 20


def against(case: Case, sha256: str) -> tuple[Why, ...]:
    """Defender's determination and its analysis of this hash, as far as the case has asked."""
    return tuple(dict.fromkeys((*_looked_up(case, sha256), *_analysed(case, sha256))))


def _looked_up(case: Case, sha256: str) -> Iterator[Why]:
    about = Q(key=sha256) | Q(answers__file__data__sha256=sha256)
    rows = Lookup.objects.for_case(case).filter(about, kind=Lookup.Kind.FILE)
    for answers in rows.values_list("answers", flat=True)[:MOST]:
        data = (answers.get("file") or {}).get("data") or {}
        said, threat = str(data.get("determination") or ""), str(data.get("threat") or "")
        if said.lower() not in _HARMLESS or threat.lower() not in _HARMLESS:
            words = " ".join(part for part in (said, threat) if part)[:120]
            yield Why("defender:determination", f"Defender determined it as {words}")


def _analysed(case: Case, sha256: str) -> Iterator[Why]:
    rows = FileAnalysis.objects.for_case(case).filter(file_hash=sha256)
    for document in rows.values_list("document", flat=True)[:MOST]:
        threat = str((document or {}).get("threat_type") or "")
        if threat.lower() not in _HARMLESS:
            yield Why("defender:analysis", f"Defender's file analysis found {threat[:120]}")
