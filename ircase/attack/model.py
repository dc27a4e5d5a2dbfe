"""What ATT&CK data is to IRCase: techniques in tactics, and which id took the place of which."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

ID: Final = re.compile(r"T\d{4}(\.\d{3})?")
# The columns of the Enterprise matrix in MITRE's order; data that names others puts them behind.
# https://attack.mitre.org/matrices/enterprise/
TACTICS: Final = (
    "Reconnaissance", "Resource development", "Initial access", "Execution", "Persistence", "Privilege escalation",
    "Defense evasion", "Credential access", "Discovery", "Lateral movement", "Collection", "Command and control",
    "Exfiltration", "Impact",
)  # fmt: skip


class AttackError(Exception):
    """Data that is none of ATT&CK for Enterprise. The text is a sentence for people."""


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


@dataclass(frozen=True, slots=True)
class Former:
    """An id that is no technique any more. `successor` is empty where nothing took its place."""

    id: str
    name: str
    successor: str = ""


@dataclass(frozen=True)
class Release:
    """One state of the matrix: `techniques` in order of id, `tactics` in the matrix's order."""

    version: str
    source: str
    techniques: Mapping[str, Technique]
    tactics: tuple[str, ...]
    former: Mapping[str, Former] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "source": self.source,
            "tactics": list(self.tactics),
            "techniques": [asdict(one) for one in self.techniques.values()],
            "former": [asdict(one) for one in self.former.values()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Release":
        found = [Technique(one["id"], one["name"], tuple(one["tactics"])) for one in data["techniques"]]
        former = [Former(one["id"], one["name"], one["successor"]) for one in data["former"]]
        return make(data["version"], data["source"], found, former, tuple(data["tactics"]))


def make(
    version: str,
    source: str,
    techniques: list[Technique],
    former: list[Former],
    tactics: tuple[str, ...] = TACTICS,
) -> Release:
    """A release of what was read; tactics that nothing names are left out, unknown ones come last."""
    techniques = sorted(techniques, key=lambda one: one.id)
    used = dict.fromkeys(tactic for one in techniques for tactic in one.tactics)
    order = [name for name in tactics if name in used]
    return Release(
        version,
        source,
        {one.id: one for one in techniques},
        tuple(dict.fromkeys([*order, *used])),
        {one.id: one for one in former if one.id not in {t.id for t in techniques}},
    )


def tactic_name(slug: str) -> str:
    """ "privilege-escalation" as people read it."""
    return slug.replace("-", " ").capitalize()


def with_parents(found: list[Technique]) -> list[Technique]:
    """Sub-techniques under names that begin with their parents'."""
    names = {one.id: one.name for one in found}
    return [_with_parent(one, names) for one in found]


def _with_parent(one: Technique, names: Mapping[str, str]) -> Technique:
    parent = names.get(one.id.split(".")[0], "")
    return Technique(one.id, f"{parent}: {one.name}", one.tactics) if "." in one.id and parent else one
