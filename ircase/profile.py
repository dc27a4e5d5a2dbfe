"""What SP 800-61r3 expects of an incident's response, and what of it a case has done.

The revision 3 is a community profile of CSF 2.0: a table of the outcomes that matter in a response (Detect, Respond,
Recover) and in what is learnt from it (ID.IM), https://doi.org/10.6028/NIST.SP.800-61r3, section 3. `nist.yaml` lists
them in our own words. Monitoring (DE.CM) and preparation (GV, PR, the rest of ID) belong to the organisation, not to a
case.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ircase.models import ChecklistItem
from ircase.nist import frameworks

State = ChecklistItem.State


@dataclass(frozen=True)
class Outcome:
    """One outcome of the profile with the case's items that serve it. `state` is done (at least one is), open, skipped
    (all of them are) or none (there is no item)."""

    number: str
    words: str
    items: tuple[ChecklistItem, ...]

    @property
    def state(self) -> str:
        states = {item.state for item in self.items}
        if State.DONE in states:
            return "done"
        if states - {State.SKIPPED}:
            return "open"
        return "skipped" if states else "none"

    @property
    def is_gap(self) -> bool:
        return self.state != "done"


@dataclass(frozen=True)
class Function:
    key: str
    title: str
    outcomes: tuple[Outcome, ...]

    @property
    def done(self) -> int:
        return sum(not one.is_gap for one in self.outcomes)


def coverage(items: Iterable[ChecklistItem]) -> list[Outcome]:
    """Every outcome of the profile, in its order, with those of `items` that serve it. Preparation's are left out."""
    found: dict[str, list[ChecklistItem]] = {}
    for item in items:
        if item.phase != "preparation":
            found.setdefault(item.csf_outcome, []).append(item)
    known = frameworks()
    return [Outcome(number, known.outcomes[number], tuple(found.get(number, ()))) for number in known.profile]


def by_function(outcomes: Iterable[Outcome]) -> list[Function]:
    """The same under the functions of CSF 2.0."""
    every = list(outcomes)
    groups = [
        Function(key, title, tuple(one for one in every if one.number.startswith(f"{key}.")))
        for key, title in frameworks().functions.items()
    ]
    return [group for group in groups if group.outcomes]
