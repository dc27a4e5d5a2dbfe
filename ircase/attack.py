"""Names and tactics of MITRE ATT&CK techniques, from the galaxy data of the pymispgalaxies package: no look-up leaves.

https://attack.mitre.org/techniques/enterprise/
"""

import functools
import importlib.resources
import json
import re
from dataclasses import dataclass
from typing import Any

_ID = re.compile(r"T\d{4}(\.\d{3})?")


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique of ATT&CK for Enterprise. The name of a sub-technique begins with its parent's."""

    id: str
    name: str
    tactics: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"https://attack.mitre.org/techniques/{self.id.replace('.', '/')}/"

    @property
    def label(self) -> str:
        return f"{self.id} {self.name}"


@functools.cache
def techniques() -> dict[str, Technique]:
    """Every current enterprise technique by id, in order of id. Read once per process, from 2.5 MB of JSON."""
    path = importlib.resources.files("pymispgalaxies") / "data/misp-galaxy/clusters/mitre-attack-pattern.json"
    values = json.loads(path.read_text(encoding="utf-8"))["values"]
    found = sorted(filter(None, map(_read, values)), key=lambda one: one.id)
    names = {one.id: one.name for one in found}
    return {one.id: _with_parent(one, names) for one in found}


def _read(value: dict[str, Any]) -> Technique | None:
    meta = value.get("meta", {})
    number = str(meta.get("external_id", ""))
    # "attack-Windows:persistence"; the mobile and the retired PRE-ATT&CK matrices have chains of their own.
    chains = [chain.split(":", 1) for chain in meta.get("kill_chain", []) if chain.startswith("attack-")]
    if value.get("revoked") or not chains or not _ID.fullmatch(number):
        return None
    tactics = dict.fromkeys(chain[-1].replace("-", " ").capitalize() for chain in chains)
    return Technique(number, str(value["value"]).removesuffix(f" - {number}"), tuple(tactics))


def _with_parent(one: Technique, names: dict[str, str]) -> Technique:
    parent = names.get(one.id.split(".")[0], "")
    return Technique(one.id, f"{parent}: {one.name}", one.tactics) if "." in one.id and parent else one


def find(text: str) -> Technique | None:
    """The technique that `text` means: an id, "id name" as the form offers it, or a name in any letter case."""
    text = text.strip()
    number = _ID.match(text.upper())
    if number:
        return techniques().get(number.group())
    wanted = text.lower()
    return next((t for t in techniques().values() if wanted and wanted in (t.name.lower(), _own(t).lower())), None)


def _own(technique: Technique) -> str:
    return technique.name.split(": ", 1)[-1]


def of_tactic(tactic: str) -> list[Technique]:
    """The techniques of one tactic ("Persistence", in any letter case)."""
    return [t for t in techniques().values() if tactic.lower() in (name.lower() for name in t.tactics)]
