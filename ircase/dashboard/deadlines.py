"""Deadlines at risk: clocks and checklist items that are late or soon will be."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from ircase.dashboard.cards import case_cell, severity_cell
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Panel, Table, Tile, columns, moment, span, words
from ircase.models import ChecklistItem, Clock, Phase, User

AHEAD: Final = timedelta(hours=72)
SHOWN: Final = 10
_CLOCKS: Final = columns("Deadline", "Case", "Severity", "Ends", "#Left")
_ITEMS: Final = columns("Item", "Case", "Severity", "Owner", "Due", "#Left")


def _clocks(scope: Scope) -> QuerySet[Clock]:
    running = Clock.objects.running().filter(case__in=scope.keys, due_at__lt=scope.now + AHEAD)
    return running.select_related("case").order_by("due_at", "pk")


def _items(scope: Scope) -> QuerySet[ChecklistItem]:
    live = ChecklistItem.objects.live().filter(case__in=scope.cases.open().values("pk"))
    due = live.filter(due_at__lt=scope.now + AHEAD).exclude(phase=Phase.PREPARATION)
    # What the rows are made of and no more: thousands of whole cases are sorted slowly.
    shown = ("title", "due_at", "case__reference", "case__severity", *(f"owner__{name}" for name in User.NAMED))
    return due.select_related("case", "owner").only(*shown).order_by("due_at", "pk")


class Deadlines:
    key, section = "deadlines", "overview"

    def panel(self, scope: Scope) -> Panel:
        counts = [self._counts(scope, rows) for rows in (_clocks(scope), _items(scope))]
        made = [
            self._tile(scope, "clocks", "Clocks missed", "Clocks end within 72 hours", counts[0]),
            self._tile(scope, "items", "Items overdue", "Items due within 72 hours", counts[1]),
        ]
        tables = (
            Table("clocks", "Clocks that end next", _CLOCKS, tuple(clock_rows(_clocks(scope)[:SHOWN], scope.now)),
                  empty="No clock ends within 72 hours.", total=sum(counts[0])),
            Table("items", "Checklist items due next", _ITEMS, tuple(item_rows(_items(scope)[:SHOWN], scope.now)),
                  empty="Nothing is due within 72 hours.", total=sum(counts[1])),
        )  # fmt: skip
        about = "Clocks of laws and service levels, and checklist items of open cases, late or due within 72 hours."
        return Panel(self.key, "Deadlines at risk", about, tiles=tuple(t for pair in made for t in pair), tables=tables)

    def _counts(self, scope: Scope, rows: QuerySet[Any]) -> tuple[int, int]:
        """Late, and soon."""
        late = Q(due_at__lt=scope.now)
        found = rows.order_by().aggregate(late=Count("pk", filter=late), soon=Count("pk", filter=~late))
        return found["late"], found["soon"]

    def _tile(self, scope: Scope, of: str, late: str, soon: str, counts: tuple[int, int]) -> tuple[Tile, Tile]:
        url = {part: scope.behind(self.key, of=of, part=part) for part in ("late", "soon")}
        return (
            Tile(late, f"{counts[0]:,}", "", url["late"], "danger" if counts[0] else "", counts[0]),
            Tile(soon, f"{counts[1]:,}", "", url["soon"], "warn" if counts[1] else "", counts[1]),
        )

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        of, which = part.get("of", "items"), part.get("part", "late")
        if of not in ("clocks", "items") or which not in ("late", "soon"):
            raise LookupError(f"{of} {which}")
        rows: QuerySet[Any] = _clocks(scope) if of == "clocks" else _items(scope)
        rows = rows.filter(due_at__lt=scope.now) if which == "late" else rows.filter(due_at__gte=scope.now)
        write = clock_rows if of == "clocks" else item_rows
        noun = "Clocks" if of == "clocks" else "Checklist items"
        title = f"{noun} past their time" if which == "late" else f"{noun} that are due within 72 hours"
        return Behind(title, _CLOCKS if of == "clocks" else _ITEMS, rows, lambda page: write(page, scope.now))


def clock_rows(clocks: Sequence[Clock] | QuerySet[Clock], now: datetime) -> list[tuple[Cell, ...]]:
    return [
        (
            words(clock.title, reverse("ircase:clock", args=[clock.case.reference, clock.uuid])),
            case_cell(clock.case.reference, "ircase:clocks"),
            severity_cell(clock.case.severity),
            moment(clock.due_at),
            _left(clock.due_at, now),
        )
        for clock in clocks
    ]


def item_rows(items: Sequence[ChecklistItem] | QuerySet[ChecklistItem], now: datetime) -> list[tuple[Cell, ...]]:
    return [
        (
            words(item.title, reverse("ircase:checklist_item", args=[item.case.reference, item.pk])),
            case_cell(item.case.reference, "ircase:checklist"),
            severity_cell(item.case.severity),
            words(item.owner.name if item.owner else "Nobody"),
            moment(item.due_at),
            _left(item.due_at, now),
        )
        for item in items
    ]


def _left(due: datetime | None, now: datetime) -> Cell:
    if due is None:
        return Cell("–", None)
    left = (due - now).total_seconds()
    return Cell(f"{span(-left)} late" if left < 0 else span(left), round(left), late=left < 0)
