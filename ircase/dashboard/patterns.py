"""What comes again: causes, techniques, assets and indicators of the cases of a period.

What is in several cases is counted over those that the reader may see: two readers may find different numbers, and
neither learns of a case of the other's.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet

from ircase import attack, charts
from ircase.dashboard.cards import CASE_COLUMNS, case_rows, listed
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Behind, Cell, Chart, Panel, Table, columns, difference, number, words
from ircase.models import Asset, Determination, EventTechnique, Indicator

MOST: Final = 20
DRAWN: Final = 8


class Causes:
    key, section = "causes", "patterns"

    def panel(self, scope: Scope) -> Panel:
        now = _by(scope.of(scope.period), "determination")
        past = _by(scope.of(scope.before), "determination") if scope.before else {}
        heads = ["Determination", "#Cases", *(["#Before", "#Difference"] if scope.before else [])]
        rows = []
        for value in sorted({*now, *past}, key=lambda v: (-now.get(v, 0), v)):
            link = scope.behind(self.key, determination=value)
            cells = [_cause(value), number(now.get(value, 0), link)]
            if scope.before:
                back = scope.behind_of(scope.before, self.key, determination=value)
                cells += [number(past.get(value, 0), back), difference(now.get(value, 0), past.get(value, 0))]
            rows.append(tuple(cells))
        title = "Cases by cause"
        bars = [
            charts.Bar(_cause(value).text, {"accent": many}, link=scope.behind(self.key, determination=value))
            for value, many in sorted(now.items(), key=lambda pair: (-pair[1], pair[0]))[:DRAWN]
        ]
        drawn = (Chart(title, charts.bars(title, bars, {"accent": "Cases"}, label=200)),) if bars else ()
        table = Table("causes", "By determination", columns(*heads), tuple(rows))
        about = "What the cases of the period turned out to be. It is set at the latest when a case is closed."
        return Panel(self.key, "Causes", about, charts=drawn, tables=(table,))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        value = Determination(part.get("determination", ""))
        found = scope.of(scope.period).filter(determination=value)
        return Behind(f"Cases: {value.label}", CASE_COLUMNS, listed(found), case_rows)


def _by(cases: QuerySet[Any], name: str) -> dict[str, int]:
    return dict(cases.order_by().values_list(name).annotate(n=Count("pk")))


def _cause(value: str) -> Cell:
    return Cell(str(Determination(value).label), value)


class Techniques:
    key, section = "techniques", "patterns"

    def panel(self, scope: Scope) -> Panel:
        found = self._rows_of(scope).values_list("technique").annotate(
            cases=Count("event__case", distinct=True), events=Count("event", distinct=True)
        )  # fmt: skip
        top = list(found.order_by("-cases", "-events", "technique")[:MOST])
        rows = []
        for technique, cases, events in top:
            link = scope.behind(self.key, technique=technique)
            rows.append((words(named(technique)), number(cases, link), number(events)))
        title = "Cases by ATT&CK technique"
        bars = [
            charts.Bar(_fit(named(technique)), {"accent": cases}, link=scope.behind(self.key, technique=technique))
            for technique, cases, _ in top[:DRAWN]
        ]
        drawn = (Chart(title, charts.bars(title, bars, {"accent": "Cases"}, label=260)),) if bars else ()
        heads = columns("Technique", "#Cases", "#Events")
        table = Table("techniques", "Techniques", heads, tuple(rows), note=f"The {MOST} in the most cases.")
        about = "ATT&CK techniques of the events on the timelines of the cases of the period."
        return Panel(self.key, "Techniques", about, charts=drawn, tables=(table,))

    def _rows_of(self, scope: Scope) -> QuerySet[EventTechnique]:
        keys = scope.of(scope.period).values("pk")
        return EventTechnique.objects.filter(event__case__in=keys).order_by()

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        technique = part.get("technique", "")
        if not technique:
            raise LookupError("technique")
        keys = self._rows_of(scope).filter(technique=technique).values("event__case")
        found = scope.cases.filter(pk__in=keys)
        return Behind(f"Cases with {named(technique)}", CASE_COLUMNS, listed(found), case_rows)


def named(technique: str) -> str:
    known = attack.techniques().get(technique)
    return f"{technique} {known.name}" if known else technique


def _fit(text: str, letters: int = 32) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


class Assets:
    key, section = "assets", "patterns"

    def panel(self, scope: Scope) -> Panel:
        found = self._of(scope).values_list("kind", "name").annotate(
            cases=Count("case", distinct=True),
            confirmed=Count("case", distinct=True, filter=Q(compromise=Asset.Compromise.CONFIRMED)),
        )  # fmt: skip
        rows = []
        for kind, name, cases, confirmed in found.filter(cases__gt=1).order_by("-cases", "name", "kind")[:MOST]:
            link = scope.behind(self.key, kind=kind, name=name)
            rows.append((words(name), Cell(str(Asset.Kind(kind).label), kind), number(cases, link), number(confirmed)))
        table = Table("assets", "Assets in more than one case", columns("Asset", "Kind", "#Cases", "#Compromised in"),
                      tuple(rows), note=f"The {MOST} in the most cases.",
                      empty="No asset is in more than one case of the period.")  # fmt: skip
        about = "Devices, accounts and other assets that several cases of the period have in common."
        return Panel(self.key, "Assets", about, tables=(table,))

    def _of(self, scope: Scope) -> QuerySet[Asset]:
        return Asset.objects.filter(case__in=scope.of(scope.period).values("pk")).order_by()

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        kind, name = part.get("kind", ""), part.get("name", "")
        keys = self._of(scope).filter(kind=kind, name=name).values("case")
        return Behind(f"Cases with {name}", CASE_COLUMNS, listed(scope.cases.filter(pk__in=keys)), case_rows)


class Indicators:
    key, section = "indicators", "patterns"

    def panel(self, scope: Scope) -> Panel:
        found = self._of(scope).values_list("kind", "value_digest").annotate(
            value=Max("value"), cases=Count("case", distinct=True),
            bad=Count("case", distinct=True, filter=Q(verdict=Indicator.Verdict.MALICIOUS)),
        )  # fmt: skip
        rows = []
        for kind, digest, value, cases, bad in found.filter(cases__gt=1).order_by("-cases", "value_digest")[:MOST]:
            link = scope.behind(self.key, kind=kind, digest=digest)
            rows.append((words(value), Cell(str(Indicator.Kind(kind).label), kind), number(cases, link), number(bad)))
        table = Table("indicators", "Indicators in more than one case",
                      columns("Indicator", "Kind", "#Cases", "#Malicious in"), tuple(rows),
                      note=f"The {MOST} in the most cases; benign ones are left out.",
                      empty="No indicator is in more than one case of the period.")  # fmt: skip
        about = "Indicators that several cases of the period have in common."
        return Panel(self.key, "Indicators", about, tables=(table,))

    def _of(self, scope: Scope) -> QuerySet[Indicator]:
        rows = Indicator.objects.filter(case__in=scope.of(scope.period).values("pk"))
        return rows.exclude(verdict=Indicator.Verdict.BENIGN).order_by()

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        kind, digest = part.get("kind", ""), part.get("digest", "")
        rows = self._of(scope).filter(kind=kind, value_digest=digest)
        value = rows.values_list("value", flat=True).first() or ""
        found = scope.cases.filter(pk__in=rows.values("case"))
        return Behind(f"Cases with {value}", CASE_COLUMNS, listed(found), case_rows)
