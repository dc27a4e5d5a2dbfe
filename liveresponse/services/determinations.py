"""What Defender was heard to say of a file, as a reason to hand its bytes out only in a zip."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.db.models import Q

from ircase.models import Case
from ircase.services.vault.handling import Why
from liveresponse.models import FileAnalysis, Lookup

_HARMLESS: Final = ("", "clean", "unknown", "notmalicious", "none", "no threats found")
MOST: Final = 20
"""Answers about one hash that are read; more add nothing."""


def against(case: Case, hashes: Sequence[str]) -> dict[str, tuple[Why, ...]]:
    """Defender's determinations and its analyses of these hashes, as far as the case has asked."""
    found: dict[str, dict[Why, None]] = {}
    for sha256, why in (*_looked_up(case, hashes), *_analysed(case, hashes)):
        found.setdefault(sha256, {})[why] = None
    return {sha256: tuple(whys) for sha256, whys in found.items()}


def _looked_up(case: Case, hashes: Sequence[str]) -> Iterator[tuple[str, Why]]:
    about = Q(key__in=hashes) | Q(answers__file__data__sha256__in=hashes)
    rows = Lookup.objects.for_case(case).filter(about, kind=Lookup.Kind.FILE)
    for key, answers in rows.values_list("key", "answers")[: MOST * len(hashes)]:
        data = (answers.get("file") or {}).get("data") or {}
        # It may have been asked for by another hash of the same file.
        sha256 = key if key in hashes else str(data.get("sha256") or "")
        said, threat = str(data.get("determination") or ""), str(data.get("threat") or "")
        if said.lower() not in _HARMLESS or threat.lower() not in _HARMLESS:
            words = " ".join(part for part in (said, threat) if part)[:120]
            yield sha256, Why("defender:determination", f"Defender determined it as {words}")


def _analysed(case: Case, hashes: Sequence[str]) -> Iterator[tuple[str, Why]]:
    rows = FileAnalysis.objects.for_case(case).filter(file_hash__in=hashes)
    for sha256, document in rows.values_list("file_hash", "document")[: MOST * len(hashes)]:
        threat = str((document or {}).get("threat_type") or "")
        if threat.lower() not in _HARMLESS:
            yield sha256, Why("defender:analysis", f"Defender's file analysis found {threat[:120]}")
