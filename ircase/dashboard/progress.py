"""How far the checklists are, by phase and playbook."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.db.models import Count, Q, QuerySet

from ircase import charts
from ircase.dashboard.cards import short
from ircase.dashboard.deadlines import item_rows
from ircase.dashboard.measured import PHASES
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Chart, Panel, Table, columns, number, share, words
from ircase.models import ChecklistItem, Phase

_DONE: Final = Q(state=ChecklistItem.State.DONE)
_SKIPPED: Final = Q(state=ChecklistItem.State.SKIPPED)
_LEFT: Final = Q(state__in=ChecklistItem.LIVE)
_PARTS: Final = {"done": _DONE, "skipped": _SKIPPED, "left": _LEFT, "required": _LEFT & Q(required=True)}
_NAMES: Final = {"done": "Done", "skipped": "Skipped", "left": "Open"}
_LEGEND: Final = tuple({"label": label, "class": charts.CLASSES[part]} for part, label in _NAMES.items())
_NONE_NAMED: Final = "-"
Counts = dict[str, int]


def _items(scope: Scope) -> QuerySet[ChecklistItem]:
    return ChecklistItem.objects.filter(case__in=scope.of(scope.period).values("pk"), phase__in=PHASES).order_by()


class Progress:
    key, section = "progress", "work"

    def panel(self, scope: Scope) -> Panel:
        found: dict[tuple[str, str], Counts] = {}
        parts = {name: Count("pk", filter=part) for name, part in _PARTS.items()}
        for playbook, phase, *counts in _items(scope).values_list("case__playbook", "phase").annotate(**parts):
            found[playbook, phase] = dict(zip(_PARTS, counts, strict=True))
        return Panel(
            self.key,
            "Checklists",
            "Items of the cases of the period. Skipped ones count neither as done nor as open.",
            charts=(self._chart(scope, found),) if found else (),
            tables=(self._by_phase(scope, found), self._by_playbook(scope, found)),
        )

    def _chart(self, scope: Scope, found: Mapping[tuple[str, str], Counts]) -> Chart:
        rows = []
        for phase in PHASES:
            sums = _sum(counts for (_, at), counts in found.items() if at == phase)
            parts = {name: float(sums[name]) for name in _NAMES}
            done = f"{sums['done']:,} of {_whole(sums):,} done"
            rows.append(charts.Bar(short(phase), parts, done, scope.behind(self.key, phase=phase.value)))
        title = "Checklist items by phase"
        return Chart(title, charts.bars(title, rows, _NAMES, value=140), _LEGEND)

    def _by_phase(self, scope: Scope, found: Mapping[tuple[str, str], Counts]) -> Table:
        rows = []
        for phase in PHASES:
            sums = _sum(counts for (_, at), counts in found.items() if at == phase)
            links = {name: scope.behind(self.key, phase=phase.value, part=name) for name in _PARTS}
            done = share(sums["done"], _whole(sums), links["done"])
            others = (number(sums[name], links[name]) for name in ("skipped", "left", "required"))
            rows.append((words(str(phase.label)), done, *others))
        heads = columns("Phase", "#Done", "#Skipped", "#Open", "#Open and required")
        return Table("checklist", "By phase", heads, tuple(rows))

    def _by_playbook(self, scope: Scope, found: Mapping[tuple[str, str], Counts]) -> Table:
        by_book: dict[str, dict[str, Counts]] = defaultdict(dict)
        for (playbook, phase), counts in found.items():
            by_book[playbook][phase] = counts
        rows = []
        for playbook, phases in sorted(by_book.items()):
            chosen = {"playbook": playbook} if playbook else {"book": _NONE_NAMED}
            cells: list[Cell] = []
            for phase in PHASES:
                counts = phases.get(phase, _sum(()))
                url = scope.behind(self.key, phase=phase.value, part="done", **chosen)
                cells.append(share(counts["done"], _whole(counts), url))
            sums = _sum(phases.values())
            left = scope.behind(self.key, part="required", **chosen)
            rows.append((words(playbook or "No playbook"), *cells, number(sums["required"], left)))
        heads = columns("Playbook", *(f"#{short(phase)}" for phase in PHASES), "#Open and required")
        return Table("playbooks", "Done by playbook and phase", heads, tuple(rows))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        rows, title = _items(scope), "Checklist items"
        if which := part.get("part"):
            rows, title = rows.filter(_PARTS[which]), f"{title}, {_WORDS[which]}"
        if phase := part.get("phase"):
            rows, title = rows.filter(phase=phase), f"{title}, {short(Phase(phase).value)}"
        if part.get("book") == _NONE_NAMED:
            rows = rows.filter(case__playbook="")
        rows = rows.select_related("case", "owner").order_by("-case__opened_at", "position", "pk")
        heads = columns("Item", "Case", "Severity", "Owner", "Due", "#Left", "State")
        return Behind(title, heads, rows, lambda page: _rows(page, scope))


_WORDS: Final = {"done": "done", "skipped": "skipped", "left": "open", "required": "open and required"}


def _rows(page: Sequence[ChecklistItem], scope: Scope) -> list[tuple[Cell, ...]]:
    states = {item.pk: Cell(str(ChecklistItem.State(item.state).label), item.state) for item in page}
    made = item_rows(page, scope.now)
    # What has ended is never late.
    return [
        (*(cells if item.is_open else (*cells[:5], Cell("–", None))), states[item.pk])
        for item, cells in zip(page, made, strict=True)
    ]


def _sum(rows: Iterable[Counts]) -> Counts:
    found = dict.fromkeys(_PARTS, 0)
    for row in rows:
        for name in found:
            found[name] += row[name]
    return found


def _whole(counts: Counts) -> int:
    """Of which the done ones are a share."""
    return counts["done"] + counts["left"]
