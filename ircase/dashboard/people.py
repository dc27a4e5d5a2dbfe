"""Who carries what: open cases and checklist items, by person and by team."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet

from ircase.dashboard.cards import CASE_COLUMNS, case_rows, listed
from ircase.dashboard.deadlines import item_rows
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Panel, Table, columns, number, words
from ircase.models import CaseMember, CaseRole, CaseTeam, ChecklistItem, Phase, Severity, User

MOST: Final = 25
_SEVERE: Final = (Severity.CRITICAL.value, Severity.HIGH.value)
_HEADS: Final = ("#Open cases", "#Critical and high", "#Open items", "#Overdue items")
_ITEMS: Final = columns("Item", "Case", "Severity", "Owner", "Due", "#Left")
# How a row of either table says whose it is.
_TEAM: Final = "case__teams__team__name"


def _items(scope: Scope) -> QuerySet[ChecklistItem]:
    """Live items of open cases; Preparation is the organisation's."""
    live = ChecklistItem.objects.live().filter(case__in=scope.cases.open().values("pk"))
    return live.exclude(phase=Phase.PREPARATION)


def _of_team(items: QuerySet[ChecklistItem]) -> QuerySet[ChecklistItem]:
    """Items whose owner is in a team that is on the case."""
    return items.filter(case__teams__team__members__user=F("owner"))


class People:
    key, section = "people", "work"

    def panel(self, scope: Scope) -> Panel:
        return Panel(
            self.key,
            "Who carries what",
            "Open cases and their open checklist items, now.",
            tables=(self._persons(scope), self._teams(scope)),
        )

    def _persons(self, scope: Scope) -> Table:
        open_cases = scope.cases.open().values("pk")
        leads = CaseMember.objects.filter(case__in=open_cases, role=CaseRole.LEAD).order_by()
        led = _tally(leads, [f"user__{name}" for name in User.NAMED], Q(case__severity__in=_SEVERE))
        items = _items(scope).exclude(owner=None).order_by()
        owned = _tally(items, [f"owner__{name}" for name in User.NAMED], Q(due_at__lt=scope.now))
        rows = self._rows(scope, "person", led, owned)
        nobodys = _items(scope).filter(owner=None).aggregate(n=Count("pk"), late=Count("pk", filter=_late(scope)))
        if nobodys["n"]:
            rows.append(self._row(scope, "person", ("", "Nobody"), (0, 0), (nobodys["n"], nobodys["late"])))
        return Table("people", "By person", columns("Person", *_HEADS), tuple(rows[:MOST]), total=len(rows),
                     empty="No open case has a lead or an owner.",
                     note="A case counts for each of its leads.")  # fmt: skip

    def _teams(self, scope: Scope) -> Table:
        on = CaseTeam.objects.filter(case__in=scope.cases.open().values("pk")).order_by()
        cases = _tally(on, ["team__name"], Q(case__severity__in=_SEVERE))
        owned = _tally(_of_team(_items(scope)).order_by(), [_TEAM], _late(scope))
        rows = self._rows(scope, "team", cases, owned)
        return Table("teams", "By team", columns("Team", *_HEADS), tuple(rows[:MOST]), total=len(rows),
                     empty="No team is on an open case.",
                     note="Cases that the team is on; items that one of its people owns there.")  # fmt: skip

    def _rows(
        self, scope: Scope, kind: str, cases: Mapping[tuple[str, ...], Any], items: Mapping[tuple[str, ...], Any]
    ) -> list[tuple[Cell, ...]]:
        """The busiest first."""
        keys = sorted({*cases, *items}, key=lambda k: (-cases.get(k, _NONE)[0] - items.get(k, _NONE)[0], k))
        return [
            self._row(scope, kind, (key[0], _name(key)), cases.get(key, _NONE), items.get(key, _NONE)) for key in keys
        ]

    def _row(
        self, scope: Scope, kind: str, who: tuple[str, str], cases: tuple[int, int], items: tuple[int, int]
    ) -> tuple[Cell, ...]:
        key, name = who
        links = [
            scope.behind(self.key, of=kind, who=key or "-", part=part) for part in ("cases", "severe", "items", "late")
        ]
        values = (*cases, *items)
        return (words(name), *(number(value, link) for value, link in zip(values, links, strict=True)))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        kind, who, which = part.get("of", "person"), part.get("who", ""), part.get("part", "cases")
        if kind not in ("person", "team") or which not in ("cases", "severe", "items", "late") or not who:
            raise LookupError(f"{kind} {which}")
        if which in ("items", "late"):
            return self._items_behind(scope, kind, who, late=which == "late")
        if kind == "person":
            members: QuerySet[Any] = CaseMember.objects.filter(role=CaseRole.LEAD, user__username=who).values("case")
        else:
            members = CaseTeam.objects.filter(team__name=who).values("case")
        found = scope.cases.open().filter(pk__in=members)
        if which == "severe":
            found = found.filter(severity__in=_SEVERE)
        verb = "led by" if kind == "person" else "with the team"
        return Behind(f"Open cases {verb} {who}", CASE_COLUMNS, listed(found), case_rows)

    def _items_behind(self, scope: Scope, kind: str, who: str, *, late: bool) -> Behind:
        rows = _items(scope)
        if kind == "team":
            rows = rows.filter(case__teams__team__name=who, case__teams__team__members__user=F("owner"))
        else:
            rows = rows.filter(owner=None) if who == "-" else rows.filter(owner__username=who)
        if late:
            rows = rows.filter(due_at__lt=scope.now)
        rows = rows.select_related("case", "owner").order_by(F("due_at").asc(nulls_last=True), "pk")
        title = f"{'Overdue' if late else 'Open'} items of {'nobody' if who == '-' else who}"
        return Behind(title, _ITEMS, rows, lambda page: item_rows(page, scope.now))


_NONE: Final = (0, 0)


def _late(scope: Scope) -> Q:
    return Q(due_at__lt=scope.now)


def _tally(rows: QuerySet[Any], names: list[str], part: Q) -> dict[tuple[str, ...], tuple[int, int]]:
    """By `names`: how many rows, and how many of them are `part`; one query."""
    counted = rows.values_list(*names).annotate(
        n=Count("pk", distinct=True), part=Count("pk", filter=part, distinct=True)
    )
    return {tuple(row[:-2]): (row[-2], row[-1]) for row in counted}


def _name(key: tuple[str, ...]) -> str:
    """A team's name, or a person's, in full where there is one."""
    return " ".join(part for part in key[1:] if part) or key[0]
