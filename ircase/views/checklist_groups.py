"""The same items in two orders: the four phases of SP 800-61r2, or the functions and outcomes of CSF 2.0."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from ircase.models import Case, ChecklistItem, Phase
from ircase.nist import frameworks


@dataclass(frozen=True)
class Group:
    """Items under one heading. `key` is the phase, or the two letters of a CSF function."""

    key: str
    title: str
    items: tuple[ChecklistItem, ...]
    current: bool

    @property
    def ended(self) -> int:
        return sum(1 for item in self.items if not item.is_open)

    @property
    def total(self) -> int:
        return len(self.items)

    @property
    def required_open(self) -> int:
        return sum(1 for item in self.items if item.required and item.is_open)


def items_of(case: Case) -> QuerySet[ChecklistItem]:
    """The items of a case with what a row shows, in three queries."""
    items = ChecklistItem.objects.filter(case=case).select_related("owner", "ended_by")
    return items.annotate(proof_count=Count("proofs")).prefetch_related("depends_on").order_by("position", "pk")


def groups_of(case: Case, view: str) -> list[Group]:
    """`view` is "r2" or "csf"; groups without items are left out, save the phases themselves."""
    items = list(items_of(case))
    if view == "r2":
        return [
            Group(phase.value, phase.label, tuple(i for i in items if i.phase == phase), phase == case.phase)
            for phase in Phase
        ]
    words = frameworks().functions
    groups = [
        Group(key, f"{title} ({key})", tuple(i for i in items if i.csf_outcome.startswith(f"{key}.")), False)
        for key, title in words.items()
    ]
    rest = tuple(i for i in items if i.csf_outcome.split(".")[0] not in words)
    return [group for group in [*groups, Group("none", "Without an outcome", rest, False)] if group.items]
