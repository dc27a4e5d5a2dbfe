"""Collections and response actions on the dashboard: by outcome, and the time from ask to approval to done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from ircase import charts, dashboard
from ircase.dashboard.cards import case_cell
from ircase.dashboard.scope import Epoch, Scope, in_period
from ircase.dashboard.shape import (
    Behind,
    Cell,
    Chart,
    Panel,
    Table,
    Tile,
    columns,
    difference,
    moment,
    number,
    took,
    words,
)
from ircase.dashboard.summary import summary
from ircase.metrics import Period
from ircase.models import Approval
from liveresponse.models import ActionKind, ActionState, Collection, CollectionState, Effect, ResponseAction

_SUCCEEDED: Final = ("done", "partial")
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "done": _SUCCEEDED,
    "left": ("requested", "approved", "queued", "submitted", "running", "fetching", "confirming"),
    "skipped": ("failed", "cancelled", "expired", "refused"),
}
_NAMES: Final = {"done": "Done", "left": "Under way", "skipped": "Without success"}
_SPANS: Final = ("Ask to approval", "Approval to done", "Ask to done")


class Taken(NamedTuple):
    """One collection or action; the times in seconds since 1970, None where there is none (yet, or none was needed)."""

    name: str
    state: str
    asked: float
    approved: float | None
    ended: float | None

    @property
    def spans(self) -> tuple[float | None, float | None, float | None]:
        """As _SPANS; of what did not succeed only the approval is a time that says something."""
        end = self.ended if self.state in _SUCCEEDED else None
        begin = self.approved
        return (
            None if begin is None else begin - self.asked,
            None if begin is None or end is None else end - begin,
            None if end is None else end - self.asked,
        )


def _approved(*subjects: str) -> Any:
    """When the approval of a row, or of the batch it is of, was given."""
    found = Approval.objects.filter(state=Approval.State.APPROVED).order_by("-decided_at")
    at = [Subquery(found.filter(subject=OuterRef(subject)).values("decided_at")[:1]) for subject in subjects]
    return at[0] if len(at) == 1 else Coalesce(*at)


def _taken(rows: QuerySet[Any], name: str, approved: Any) -> list[Taken]:
    """One query."""
    found = rows.order_by().values_list(name, "state", Epoch("requested_at"))
    timed = found.annotate(_approved=Epoch(approved), _ended=Epoch(F("activity__ended_at")))
    return [Taken(*row) for row in timed]


class _Responses:
    """What the two panels have in common."""

    key, section, title, about, noun = "", "response", "", "", ""
    states: Mapping[str, str] = {}

    def rows(self, scope: Scope, period: Period) -> QuerySet[Any]:
        raise NotImplementedError

    def taken(self, rows: QuerySet[Any]) -> list[Taken]:
        raise NotImplementedError

    def label(self, name: str) -> str:
        return name

    def panel(self, scope: Scope) -> Panel:
        found = self.taken(self.rows(scope, scope.period))
        past = self.taken(self.rows(scope, scope.before)) if scope.before else None
        tables = (self._outcomes(scope, found, past), self._times(scope, found), *self.more(scope))
        return Panel(
            self.key, self.title, self.about, self._tiles(scope, found, past), self._chart(scope, found), tables
        )

    def more(self, scope: Scope) -> tuple[Table, ...]:
        return ()

    def _tiles(self, scope: Scope, found: list[Taken], past: list[Taken] | None) -> tuple[Tile, ...]:
        note = "" if past is None else f"{difference(len(found), len(past)).text} against {len(past):,}"
        tiles = [Tile("Asked for", f"{len(found):,}", note, scope.behind(self.key), number=len(found))]
        for place, name in enumerate(_SPANS):
            made = summary(_known(found, place))
            said = f"median, n = {made.n}"
            if past is not None:
                before = summary(_known(past, place))
                change = difference(made.median, before.median, spans=True).text
                said += (
                    f", {change} against {took(before.median).text} (n = {before.n})" if before.n else ", none before"
                )
            tiles.append(
                Tile(name, took(made.median).text, said, scope.behind(self.key, group="done"), number=made.median)
            )
        return tuple(tiles)

    def _chart(self, scope: Scope, found: list[Taken]) -> tuple[Chart, ...]:
        counts = Counter((row.name, _group_of(row.state)) for row in found)
        names = sorted({row.name for row in found}, key=lambda n: (-sum(counts[n, g] for g in _GROUPS), n))[:10]
        if not names:
            return ()
        rows = [
            charts.Bar(
                self.label(name)[:26],
                {group: float(counts[name, group]) for group in _NAMES},
                f"{counts[name, 'done']:,} done",
                scope.behind(self.key, name=name),
            )
            for name in names
        ]
        legend = tuple({"label": label, "class": charts.CLASSES[group]} for group, label in _NAMES.items())
        title = f"{self.noun} by outcome"
        return (Chart(title, charts.bars(title, rows, _NAMES, label=190, value=110), legend),)

    def _outcomes(self, scope: Scope, found: list[Taken], past: list[Taken] | None) -> Table:
        counts = Counter((row.name, row.state) for row in found)
        before = Counter(row.name for row in past or ())
        used = [state for state in self.states if any(counts[name, state] for name, _ in counts)]
        heads = ["What", *(f"#{self.states[state]}" for state in used), "#All"]
        heads += ["#Before", "#Difference"] if past is not None else []
        rows = []
        for name in sorted({row.name for row in [*found, *(past or ())]}):
            whole = sum(counts[name, state] for state in used)
            cells = [number(counts[name, state], scope.behind(self.key, name=name, state=state)) for state in used]
            cells.append(number(whole, scope.behind(self.key, name=name)))
            if scope.before:
                back = scope.behind_of(scope.before, self.key, name=name)
                cells += [number(before[name], back), difference(whole, before[name])]
            rows.append((words(self.label(name)), *cells))
        return Table("outcomes", "By state", columns(*heads), tuple(rows))

    def _times(self, scope: Scope, found: list[Taken]) -> Table:
        rows = []
        for name in sorted({row.name for row in found}):
            mine = [row for row in found if row.name == name]
            cells: list[Cell] = []
            for place in range(len(_SPANS)):
                made = summary(_known(mine, place))
                link = scope.behind(self.key, name=name, group="done") if place else scope.behind(self.key, name=name)
                cells += [took(made.median, link), took(made.p90, link), number(made.n, link)]
            rows.append((words(self.label(name)), *cells))
        heads = [head for name in _SPANS for head in (f"#{name}", "#90th", "#n")]
        note = "Medians. What needed no approval has no first span; what did not succeed has no end."
        return Table("times", "From ask to approval to done", columns("What", *heads), tuple(rows), note=note)

    def chosen(self, scope: Scope, part: Mapping[str, str]) -> tuple[QuerySet[Any], str]:
        """The rows that a part names, and a title in words."""
        rows, title = self.rows(scope, scope.period), self.noun
        if state := part.get("state"):
            rows, title = rows.filter(state=state), f"{title}, {self.states[state].lower()}"
        if group := part.get("group"):
            rows, title = rows.filter(state__in=_GROUPS[group]), f"{title}, {_NAMES[group].lower()}"
        return rows.select_related("case", "activity", "requested_by").order_by("-requested_at", "-pk"), title


class Collections(_Responses):
    key, title, noun = "collections", "Collections", "Collections"
    about = "Live Response collections that were asked for in the period, one for each device."
    states = {value: str(label) for value, label in CollectionState.choices}

    def rows(self, scope: Scope, period: Period) -> QuerySet[Collection]:
        return Collection.objects.filter(in_period(period, "requested_at"), case__in=scope.keys)

    def taken(self, rows: QuerySet[Any]) -> list[Taken]:
        return _taken(rows, "definition", _approved("uuid", "batch__uuid"))

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        rows, title = self.chosen(scope, part)
        if name := part.get("name"):
            rows, title = rows.filter(definition=name), f"{title}, {name}"
        light = rows.defer("plan", "transcript", "activity__detail", "files", "found")
        heads = columns("Collection", "Case", "Asked by", "Asked", "Ended", "State", "Outcome")
        return Behind(title, heads, light, lambda page: _behind(page, "liveresponse:collection", self.states))


class Actions(_Responses):
    key, title, noun = "actions", "Response actions", "Response actions"
    about = "Actions on devices and blocks of indicators that were asked for in the period, one for each target."
    states = {value: str(label) for value, label in ActionState.choices}

    def rows(self, scope: Scope, period: Period) -> QuerySet[ResponseAction]:
        return ResponseAction.objects.filter(in_period(period, "requested_at"), case__in=scope.keys)

    def taken(self, rows: QuerySet[Any]) -> list[Taken]:
        return _taken(rows, "kind", _approved("batch"))

    def label(self, name: str) -> str:
        return str(ActionKind(name).label)

    def more(self, scope: Scope) -> tuple[Table, ...]:
        """What became of those that are done, as Defender was seen to have it."""
        done = self.rows(scope, scope.period).filter(state=ActionState.DONE).order_by()
        counts = Counter({(kind, effect): n for kind, effect, n in _by_effect(done)})
        used = [effect for effect in Effect if any(of == effect for _, of in counts)]
        rows = [
            (
                words(self.label(kind)),
                *(number(counts[kind, e], scope.behind(self.key, name=kind, effect=e.value or "-")) for e in used),
            )
            for kind in sorted({kind for kind, _ in counts})
        ]
        heads = columns("What", *(f"#{effect.label}" for effect in used))
        return (Table("effects", "Effect of those done", heads, tuple(rows), empty="None is done."),)

    def behind(self, scope: Scope, part: Mapping[str, str]) -> Behind:
        rows, title = self.chosen(scope, part)
        if name := part.get("name"):
            rows, title = rows.filter(kind=name), f"{title}, {self.label(name)}"
        if effect := part.get("effect"):
            value = Effect("" if effect == "-" else effect)
            rows, title = rows.filter(state=ActionState.DONE, effect=value), f"{title}, {str(value.label).lower()}"
        heads = columns("Action", "Case", "Asked by", "Asked", "Ended", "State", "Outcome")
        light = rows.defer("parameters", "activity__detail")
        return Behind(title, heads, light, lambda page: _behind(page, "liveresponse:action", self.states))


def _by_effect(rows: QuerySet[ResponseAction]) -> Any:
    return rows.values_list("kind", "effect").annotate(n=Count("pk"))


def _known(rows: Sequence[Taken], place: int) -> list[float]:
    return [span for row in rows if (span := row.spans[place]) is not None]


def _group_of(state: str) -> str:
    return next(group for group, states in _GROUPS.items() if state in states)


def _behind(page: Sequence[Any], page_name: str, states: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    return [
        (
            words(row.activity.title, reverse(page_name, args=[row.case.reference, row.uuid])),
            case_cell(row.case.reference),
            words(row.requested_by.name),
            moment(row.requested_at),
            moment(row.activity.ended_at),
            Cell(states[row.state], row.state),
            words(row.activity.outcome),
        )
        for row in page
    ]


def register() -> None:
    dashboard.register(Collections())
    dashboard.register(Actions())
