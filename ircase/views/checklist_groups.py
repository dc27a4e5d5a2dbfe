"""The same items in two orders: the four phases of SP 800-61r2, or the functions and outcomes of CSF 2.0."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from ircase.models import Asset, Case, ChecklistItem, Phase
from ircase.nist import frameworks


@dataclass(frozen=True)
class AssetGroup:
    """The steps for one asset within a group. `asset` is None where it has left the case."""

    name: str
    items: tuple[ChecklistItem, ...]

    @property
    def asset(self) -> Asset | None:
        return self.items[0].asset

    @property
    def ended(self) -> int:
        return sum(1 for item in self.items if not item.is_open)

    @property
    def total(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Group:
    """Items under one heading. `key` is the phase, or the two letters of a CSF function."""

    key: str
    title: str
    items: tuple[ChecklistItem, ...]
    current: bool

    @property
    def plain(self) -> list[ChecklistItem]:
        """Those that are there once."""
        return [item for item in self.items if not item.repeat_of]

    @property
    def per_asset(self) -> list["AssetGroup"]:
        """Those that repeat, an asset each, by its name; in the playbook's order within."""
        found: dict[str, list[ChecklistItem]] = {}
        for item in self.items:
            if item.repeat_of:
                found.setdefault(item.asset_name, []).append(item)
        return [AssetGroup(name, tuple(found[name])) for name in sorted(found)]

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
    items = ChecklistItem.objects.filter(case=case).select_related("owner", "ended_by", "reviewer", "asset")
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
