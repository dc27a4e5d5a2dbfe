"""What was learnt, and what becomes of it."""

from collections.abc import Mapping, Sequence
from typing import Final

from django.db.models import Count, F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from ircase.dashboard.cards import case_cell
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Panel, Table, Tile, columns, words
from ircase.models import Improvement

SHOWN: Final = 8
_HEADS: Final = columns("Improvement", "Case", "Owner", "Due", "State")
_OPEN: Final = Q(state__in=[Improvement.State.OPEN, Improvement.State.DOING])


def _parts(scope: Scope) -> dict[str, tuple[str, Q]]:
    ended = Q(ended_at__gte=scope.period.start, ended_at__lt=scope.period.end)
    return {
        "open": ("Open improvements", _OPEN),
        "late": ("Late", _OPEN & Q(due_on__lt=timezone.localdate(scope.now))),
        "done": ("Done in the period", Q(state=Improvement.State.DONE) & ended),
        "dropped": ("Dropped in the period", Q(state=Improvement.State.DROPPED) & ended),
    }


def _items(scope: Scope) -> QuerySet[Improvement]:
    return Improvement.objects.filter(case__in=scope.keys)


class Improving:
    key, section = "improvements", "work"

    def panel(self, scope: Scope) -> Panel:
        parts = _parts(scope)
        counts = (
            _items(scope).order_by().aggregate(**{name: Count("pk", filter=part) for name, (_, part) in parts.items()})
        )
        tiles = tuple(
            Tile(label, f"{counts[name]:,}", "", scope.behind(self.key, part=name),
                 "danger" if name == "late" and counts[name] else "", counts[name])
            for name, (label, _) in parts.items()
        )  # fmt: skip
        shown = self._listed(_items(scope).filter(_OPEN))[:SHOWN]
        table = Table("improvements", "Improvements due next", _HEADS, tuple(_rows(shown)), total=counts["open"],
                      empty="No improvement is open.")  # fmt: skip
        about = "Improvements learnt on cases, of any time."
        return Panel(self.key, "Improvements", about, tiles=tiles, tables=(table,))

    def _listed(self, rows: QuerySet[Improvement]) -> QuerySet[Improvement]:
        return rows.select_related("case", "owner").order_by(F("due_on").asc(nulls_last=True), "pk")

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        label, chosen = _parts(scope)[part.get("part", "open")]
        title = label if label.startswith("Open") else f"Improvements, {label.lower()}"
        return Behind(title, _HEADS, self._listed(_items(scope).filter(chosen)), _rows)


def _rows(items: Sequence[Improvement] | QuerySet[Improvement]) -> list[tuple[Cell, ...]]:
    return [
        (
            words(item.title, reverse("ircase:improvement", args=[item.uuid])),
            case_cell(item.case.reference, "ircase:case_improvements"),
            words(item.owner.name if item.owner else "Nobody"),
            words(item.due_on.isoformat() if item.due_on else "–", late=item.is_late),
            Cell(str(Improvement.State(item.state).label), item.state),
        )
        for item in items
    ]
