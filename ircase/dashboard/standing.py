"""Where the cases stand: open ones by phase, severity and age, and what came in the period."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from django.db.models import Case as When_
from django.db.models import CharField, Value, When

from ircase import charts
from ircase.dashboard import times
from ircase.dashboard.cards import CASE_COLUMNS, case_rows, listed, short
from ircase.dashboard.measured import cases, within
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Chart, Panel, Table, Tile, columns, difference, number, words
from ircase.models import Phase, Severity
from ircase.models.cases import CaseQuerySet

# code: (label, older than so many days, at most so many days old)
AGES: Mapping[str, tuple[str, int | None, int | None]] = {
    "day": ("Up to 1 day", None, 1),
    "week": ("1 to 7 days", 1, 7),
    "month": ("7 to 30 days", 7, 30),
    "quarter": ("30 to 90 days", 30, 90),
    "older": ("More than 90 days", 90, None),
}
_ORDER = tuple(reversed(Severity.values))
_LEGEND = tuple({"label": str(Severity(value).label), "class": f"sev-{value}"} for value in _ORDER)
Tally = Counter[tuple[str, str, str]]


def _tally(scope: Scope) -> Tally:
    """Open cases by phase, severity and age; one query."""
    older = [(code, most) for code, (_, _, most) in AGES.items() if most is not None]
    ages = [When(opened_at__gte=scope.now - timedelta(days=most), then=Value(code)) for code, most in older]
    age = When_(*ages, default=Value("older"), output_field=CharField())
    rows = scope.cases.open().order_by().annotate(age=age).values_list("phase", "severity", "age")
    return Counter(rows)


class Standing:
    key, section = "standing", "overview"

    def panel(self, scope: Scope) -> Panel:
        tally = _tally(scope)
        return Panel(
            self.key,
            "Open cases",
            "Open now, whenever they were detected.",
            tiles=self._tiles(scope, tally),
            charts=(self._phases(scope, tally), self._ages(scope, tally)) if tally else (),
            tables=(self._board(scope, tally, 0), self._board(scope, tally, 2)),
        )

    def _tiles(self, scope: Scope, tally: Tally) -> tuple[Tile, ...]:
        open_now = sum(tally.values())
        made = [Tile("Open cases", f"{open_now:,}", "", scope.behind(self.key), number=open_now)]
        for severity in (Severity.CRITICAL, Severity.HIGH):
            many = sum(count for (_, value, _), count in tally.items() if value == severity)
            # Where the reader narrowed it to another severity, the rows behind would be of this one all the same.
            url = scope.behind(self.key, severity=severity.value) if many else ""
            made.append(Tile(str(severity.label), f"{many:,}", "open", url, number=many))
        now = len(within(cases(scope), scope.period))
        note = "by Detected, else by when they were opened"
        if scope.before:
            past = len(within(cases(scope), scope.before))
            note = f"{difference(now, past).text} against {past:,}"
        url = scope.behind(self.key, of="period")
        made.append(Tile("Detected in the period", f"{now:,}", note, url, number=now))
        return tuple(made)

    def _phases(self, scope: Scope, tally: Tally) -> Chart:
        rows = [
            charts.Bar(short(phase), _parts(tally, 0, phase), link=scope.behind(self.key, phase=phase))
            for phase in Phase.values
        ]
        title = "Open cases by phase and severity"
        return Chart(title, charts.bars(title, rows, {s: str(Severity(s).label) for s in _ORDER}), _LEGEND)

    def _ages(self, scope: Scope, tally: Tally) -> Chart:
        rows = [
            charts.Bar(label, _parts(tally, 2, code), link=scope.behind(self.key, age=code))
            for code, (label, _, _) in AGES.items()
        ]
        title = "Open cases by age and severity"
        return Chart(title, charts.bars(title, rows, {s: str(Severity(s).label) for s in _ORDER}), _LEGEND)

    def _board(self, scope: Scope, tally: Tally, place: int) -> Table:
        """By phase (place 0) or by age (place 2) and severity."""
        key, name = ("phase", "Phase") if place == 0 else ("age", "Age")
        labels = {p.value: str(p.label) for p in Phase} if place == 0 else {code: a[0] for code, a in AGES.items()}
        rows = []
        for code, label in labels.items():
            parts = _parts(tally, place, code)
            cells: list[Cell] = [number(parts[s], scope.behind(self.key, **{key: code, "severity": s})) for s in _ORDER]
            rows.append((words(label), *cells, number(sum(parts.values()), scope.behind(self.key, **{key: code}))))
        heads = columns(name, *(f"#{Severity(s).label}" for s in _ORDER), "#All")
        return Table(key, f"Open cases by {name.lower()} and severity", heads, tuple(rows))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        if part.get("of") == "period":
            found, title = scope.of(scope.period), "Cases of the period"
        else:
            found, title = self._open(scope, part)
        return Behind(title, CASE_COLUMNS, listed(found), case_rows)

    def _open(self, scope: Scope, part: Mapping[str, str]) -> tuple[CaseQuerySet, str]:
        found, title = scope.cases.open(), "Open cases"
        if phase := part.get("phase"):
            found, title = found.filter(phase=phase), f"{title}, {short(Phase(phase).value)}"
        if age := part.get("age"):
            label, over, most = AGES[age]
            if over is not None:
                found = found.filter(opened_at__lt=scope.now - timedelta(days=over))
            if most is not None:
                found = found.filter(opened_at__gte=scope.now - timedelta(days=most))
            title = f"{title}, {label.lower()}"
        return found, title


def _parts(tally: Tally, place: int, code: str) -> dict[str, float]:
    """Counts by severity, the worst first."""
    found = dict.fromkeys(_ORDER, 0.0)
    for key, count in tally.items():
        if key[place] == code:
            found[key[1]] += count
    return found


class Pace:
    """The four medians, for who looks at the first page alone."""

    key, section = "pace", "overview"

    def panel(self, scope: Scope) -> Panel:
        about = "Medians over the cases of the period; everything about them stands under Times."
        return Panel(self.key, "How long it takes", about, tiles=times.tiles(scope, times.Times.key))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        return times.Times().behind(scope, part)
