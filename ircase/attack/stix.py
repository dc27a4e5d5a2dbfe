"""ATT&CK for Enterprise out of MITRE's STIX 2.1 bundle, object by object: the file is never in memory as a whole.

https://github.com/mitre-attack/attack-stix-data/blob/master/USAGE.md
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import ijson

from artifacts.jsonfiles import too_deep
from ircase.attack.model import ID, TACTICS, AttackError, Former, Release, Technique, make, tactic_name, with_parents

MOST_OBJECTS: Final = 200_000
_NAME: Final = 200


@dataclass
class _Seen:
    version: str = ""
    techniques: dict[str, Technique] = field(default_factory=dict)
    gone: dict[str, Former] = field(default_factory=dict)
    by_ref: dict[str, str] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)
    tactics: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


def read(path: Path, source: str) -> Release:
    """The release in a bundle. Raises AttackError with a sentence where the file is not such a bundle."""
    if too_deep(path):
        raise AttackError("Its values nest deeper than any bundle's of STIX.")
    seen = _Seen()
    with path.open("rb") as file:
        for number, one in enumerate(_objects(file)):
            if number >= MOST_OBJECTS:
                raise AttackError(f"The bundle has more than {MOST_OBJECTS:,} objects, ten times what ATT&CK has.")
            _take(one, seen)
    if len(seen.techniques) < 50 or len({t for one in seen.techniques.values() for t in one.tactics}) < 5:
        raise AttackError(
            f"The bundle holds {len(seen.techniques)} techniques of ATT&CK for Enterprise; that cannot be all of it. "
            "Upload enterprise-attack.json from MITRE's attack-stix-data."
        )
    if not seen.version:
        raise AttackError("The bundle does not say which version of ATT&CK it is (x-mitre-collection is missing).")
    former = [Former(one.id, one.name, _successor(ref, seen)) for ref, one in seen.gone.items()]
    order = tuple(seen.tactics[ref] for ref in seen.order if ref in seen.tactics) or TACTICS
    return make(f"v{seen.version}", source, with_parents(list(seen.techniques.values())), former, order)


def _objects(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    try:
        for one in ijson.items(file, "objects.item", use_float=True):
            if isinstance(one, dict):
                yield one
    except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise AttackError(f"The file is no JSON that can be read to its end: {str(error)[:120]}") from None


def _take(one: Mapping[str, Any], seen: _Seen) -> None:
    match one.get("type"):
        case "attack-pattern":
            _pattern(one, seen)
        case "x-mitre-collection":
            seen.version = str(one.get("x_mitre_version", ""))[:20]
        case "x-mitre-tactic":
            seen.tactics[str(one.get("id", ""))] = tactic_name(str(one.get("x_mitre_shortname", ""))[:40])
        case "x-mitre-matrix":
            seen.order = [str(ref) for ref in one.get("tactic_refs", [])[:50]]
        case "relationship" if one.get("relationship_type") == "revoked-by":
            seen.instead[str(one.get("source_ref", ""))] = str(one.get("target_ref", ""))


def _pattern(one: Mapping[str, Any], seen: _Seen) -> None:
    number = next(
        (
            str(ref.get("external_id", ""))
            for ref in one.get("external_references", [])
            if isinstance(ref, dict) and ref.get("source_name") == "mitre-attack"
        ),
        "",
    )
    if not ID.fullmatch(number):
        return
    name, ref = str(one.get("name", ""))[:_NAME], str(one.get("id", ""))
    seen.by_ref[ref] = number
    if one.get("revoked") or one.get("x_mitre_deprecated"):
        seen.gone[ref] = Former(number, name)
        return
    phases = [p for p in one.get("kill_chain_phases", []) if isinstance(p, dict)]
    tactics = [str(p.get("phase_name", ""))[:40] for p in phases if p.get("kill_chain_name") == "mitre-attack"]
    if tactics:
        seen.techniques[number] = Technique(number, name, tuple(dict.fromkeys(map(tactic_name, tactics))))


def _successor(ref: str, seen: _Seen) -> str:
    return seen.by_ref.get(seen.instead.get(ref, ""), "")
