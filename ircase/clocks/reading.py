"""The laws and calendars that come with the program, read from YAML and checked when the system starts."""

import functools
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ircase.catalogue import CatalogueError, read_yaml
from ircase.clocks.times import Calendar, Span
from ircase.models import Milestone, SpanUnit

FOLDER = Path(__file__).resolve().parent
_WITHIN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount", "unit"],
    "properties": {
        "amount": {"type": "integer", "minimum": 1, "maximum": 1000},
        "unit": {"enum": SpanUnit.values},
        "calendar": {"type": "string"},
    },
}
_CLOCK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "title", "article", "starts", "within", "deliver"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{3,64}$"},
        "title": {"type": "string", "maxLength": 200},
        "article": {"type": "string", "maxLength": 200},
        "starts": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {"milestone": {"enum": Milestone.Kind.values}, "delivered": {"type": "string"}},
        },
        "within": _WITHIN,
        "no_later_than": {
            "type": "object",
            "additionalProperties": False,
            "required": ["milestone", "amount", "unit"],
            "properties": {
                "milestone": {"enum": Milestone.Kind.values},
                "amount": {"type": "integer", "minimum": 1},
                "unit": {"enum": ["hours", "days"]},
            },
        },
        "deliver": {"type": "string"},
        "note": {"type": "string"},
    },
}
_REGIME = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "law", "applies", "source", "clocks"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,40}$"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string"},
        "law": {"type": "string", "maxLength": 200},
        "applies": {"type": "string"},
        "source": {"type": "string", "pattern": "^https://"},
        "clocks": {"type": "array", "minItems": 1, "items": _CLOCK},
    },
}
_CALENDAR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "title", "zone", "closes", "source", "known_until", "holidays"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,40}$"},
        "title": {"type": "string"},
        "zone": {"type": "string"},
        "closes": {"type": "string", "pattern": r"^\d\d:\d\d$"},
        "source": {"type": "string"},
        "known_until": {},
        "holidays": {"type": "object"},
    },
}


@dataclass(frozen=True)
class Limit:
    """The end may not lie later than this after another milestone, unless the start itself does."""

    milestone: str
    span: Span


@dataclass(frozen=True)
class Rule:
    """One deadline. It starts from a `milestone` or from the delivery of the rule `after`; the other is empty."""

    id: str
    regime: str
    title: str
    law: str
    article: str
    source: str
    applies: str
    milestone: str
    after: str
    span: Span
    limit: Limit | None
    deliver: str
    note: str

    @property
    def counted(self) -> str:
        """How it is counted, in words."""
        begun = Milestone.Kind(self.milestone).label if self.milestone else ""
        start = begun or f"Delivery of the {rules()[self.after].title}"
        said = f"{self.span.words} from: {start}"
        if self.limit is None:
            return said
        return f"{said}; no later than {self.limit.span.words} from: {Milestone.Kind(self.limit.milestone).label}"

    def due(self, start: datetime, milestones: dict[str, datetime]) -> datetime:
        """When it ends for a start at `start`. `milestones` are those of the case, by kind."""
        due = self.span.after(start)
        if self.limit is None or self.limit.milestone not in milestones:
            return due
        latest = self.limit.span.after(milestones[self.limit.milestone])
        return min(due, latest) if start <= latest else due


@dataclass(frozen=True)
class Regime:
    id: str
    title: str
    law: str
    applies: str
    source: str
    rules: tuple[Rule, ...]


@functools.cache
def calendars() -> dict[str, Calendar]:
    """By id. Raises CatalogueError."""
    return {path.stem: _calendar(path) for path in sorted((FOLDER / "calendars").glob("*.yaml"))}


@functools.cache
def regimes() -> dict[str, Regime]:
    """By id. Raises CatalogueError."""
    found = {path.stem: _regime(path) for path in sorted((FOLDER / "regimes").glob("*.yaml"))}
    known = [rule for regime in found.values() for rule in regime.rules]
    ids = [rule.id for rule in known]
    for rule in known:
        if ids.count(rule.id) > 1 or (rule.after and rule.after not in ids):
            raise CatalogueError(f"{rule.regime}.yaml: {rule.id}: given twice, or starts after a clock there is not.")
    return found


def rules() -> dict[str, Rule]:
    """Every law's deadlines by id."""
    return {rule.id: rule for regime in regimes().values() for rule in regime.rules}


def span_of(amount: int, unit: str, calendar: str = "") -> Span:
    """A span of data. Raises CatalogueError for a calendar that there is not."""
    if unit != SpanUnit.BUSINESS_DAYS:
        return Span(amount, unit)
    if calendar not in calendars():
        raise CatalogueError(f"There is no calendar {calendar!r}. There are: {', '.join(calendars())}.")
    return Span(amount, unit, calendars()[calendar])


def _calendar(path: Path) -> Calendar:
    data = read_yaml(path, _CALENDAR)
    try:
        ZoneInfo(data["zone"])
        holidays = {date.fromisoformat(str(day)): str(name) for day, name in data["holidays"].items()}
        until = date.fromisoformat(str(data["known_until"]))
        closes = time.fromisoformat(data["closes"])
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise CatalogueError(f"{path.name}: {error}") from error
    if max(holidays, default=until) > until + timedelta(days=1):
        raise CatalogueError(f"{path.name}: a holiday after known_until.")
    return Calendar(data["id"], data["title"], data["zone"], closes, data["source"], until, holidays)


def _regime(path: Path) -> Regime:
    data = read_yaml(path, _REGIME)
    made = tuple(_rule(data, one) for one in data["clocks"])
    return Regime(data["id"], data["title"], data["law"], data["applies"], data["source"], made)


def _rule(regime: dict[str, Any], data: dict[str, Any]) -> Rule:
    starts, limit = data["starts"], data.get("no_later_than")
    return Rule(
        id=data["id"],
        regime=regime["id"],
        title=data["title"],
        law=regime["law"],
        article=data["article"],
        source=regime["source"],
        applies=regime["applies"],
        milestone=starts.get("milestone", ""),
        after=starts.get("delivered", ""),
        span=span_of(**data["within"]),
        limit=Limit(limit["milestone"], Span(limit["amount"], limit["unit"])) if limit else None,
        deliver=data["deliver"].strip(),
        note=data.get("note", "").strip(),
    )
