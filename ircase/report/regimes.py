"""What authorities ask for, by law and stage, and what the case answers. What nobody answered is named as missing."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from django.utils import timezone

from ircase import attack, casehead
from ircase.models import (
    Activity,
    Asset,
    Case,
    Classification,
    Determination,
    Event,
    Improvement,
    Indicator,
    Milestone,
    NotificationFact,
    ReportLook,
)
from ircase.redaction import Redaction
from ircase.report.data import facts_of
from ircase.report.fields import Told, fill
from ircase.report.lifeshape import FactRow
from ircase.report.prose import prose
from ircase.report.shape import Block
from ircase.report.words import clip, when
from ircase.services.reporting.notifying import LONGEST

FOLDER = Path(__file__).resolve().parent
STAGES = ("initial", "update", "final")
MOST_NAMED = 100
_TEXT = {"type": "string", "minLength": 1}
_FIELDS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "required": ["label", "articles"],
        "properties": {
            "label": _TEXT,
            "known": _TEXT,
            "articles": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        },
    },
}
_STAGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "fields"],
    "properties": {"title": _TEXT, "fields": {"type": "array", "minItems": 1, "items": _TEXT}},
}
_REGIMES = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "title", "law", "source", "to", "stages"],
        "properties": {
            **dict.fromkeys(("id", "title", "law", "source", "to"), _TEXT),
            "stages": {"type": "object", "required": list(STAGES), "additionalProperties": _STAGE},
        },
    },
}


@dataclass(frozen=True)
class Field:
    """`known`: what of the case answers it, "" where only people can."""

    id: str
    label: str
    known: str
    articles: Mapping[str, str]


@dataclass(frozen=True)
class Stage:
    id: str
    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Regime:
    id: str
    title: str
    law: str
    source: str
    to: str
    stages: Mapping[str, Stage]


def _read(path: Path, schema: dict[str, Any]) -> Any:
    """A file of ours, checked. Raises jsonschema.ValidationError: a fault of this program."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.validate(found, schema)
    return found


@functools.cache
def fields() -> Mapping[str, Field]:
    rows = _read(FOLDER / "notificationfields.yaml", _FIELDS)
    return {name: Field(name, row["label"], row.get("known", ""), row["articles"]) for name, row in rows.items()}


@functools.cache
def regimes() -> Mapping[str, Regime]:
    """By id. Raises KeyError where a stage names a field that there is not."""
    known = fields()

    def stage_of(name: str, row: Mapping[str, Any]) -> Stage:
        return Stage(name, row["title"], tuple(known[one] for one in row["fields"]))

    return {
        row["id"]: Regime(
            row["id"],
            row["title"],
            row["law"],
            row["source"],
            row["to"],
            {name: stage_of(name, stage) for name, stage in row["stages"].items()},
        )
        for row in _read(FOLDER / "notifications.yaml", _REGIMES)
    }


def answers(
    case: Case, regime: str, stage: str, redaction: Redaction | None = None, *, author: str = ""
) -> tuple[FactRow, ...]:
    """Each field with its answer: what a person wrote, else what the case knows, else "". `author` prepares it."""
    asked = regimes()[regime].stages[stage].fields
    written = dict(NotificationFact.objects.filter(case=case).values_list("field", "text"))
    known = _Known(case, redaction or Redaction(), author)
    return tuple(
        FactRow(
            one.id, one.label, one.articles.get(regime, ""), clip(written.get(one.id) or known.of(one.known), LONGEST)
        )
        for one in asked
    )


def plain(text: str) -> str:
    """What people wrote in markdown, without its marks."""
    lines = (f"{block.marker} {_line(block)}".strip() for block in prose(text).blocks)
    return "\n".join(line for line in lines if line)


def _line(block: Block) -> str:
    """A row of a table has its cells side by side."""
    cells = ["".join(span.text for span in cell).strip() for cell in (block.spans, *block.cells)]
    return " · ".join(cell for cell in cells if cell)


class _Known:
    """What a case can say by itself."""

    def __init__(self, case: Case, redaction: Redaction, author: str) -> None:
        self.case, self.author = case, author
        # What is stricter than AMBER stays inside, whoever the reader is.
        self.tlps = [tlp for tlp in ("amber", "green", "clear") if redaction.allows(tlp)]
        self.milestones = dict(Milestone.objects.filter(case=case).values_list("kind", "at"))
        self.look = ReportLook.objects.order_by("-number").defer("logo").first()

    def of(self, known: str) -> str:
        if known in Milestone.Kind.values:
            at = self.milestones.get(known)
            return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""
        return _KNOWN[known](self) if known else ""

    def organisation(self) -> str:
        return self.look.organisation if self.look else ""

    def contact(self) -> str:
        """The organisation's, with its fields filled in as on the cover."""
        text = self.look.contact if self.look else ""
        if "{" not in text:
            return text
        now = timezone.now()
        facts = facts_of(self.case, casehead.head_of(self.case, now))
        return fill(text, Told(facts, when(now), self.author))

    def malicious(self) -> str:
        if self.case.classification == Classification.TRUE_POSITIVE:
            return f"Yes: {self.case.get_classification_display()}, {self.case.get_determination_display()}"
        if self.case.classification == Classification.UNKNOWN:
            return ""
        return f"No: {self.case.get_classification_display()}"

    def threat(self) -> str:
        known = self.case.determination != Determination.UNKNOWN
        return self.case.get_determination_display() if known else ""

    def techniques(self) -> str:
        known = attack.techniques()
        found = Event.objects.filter(case=self.case, in_report=True).exclude(techniques__technique=None)
        ids = sorted(set(found.values_list("techniques__technique", flat=True)))
        return ", ".join(f"{one} {known[one].name}" if one in known else one for one in ids)

    def indicators(self) -> str:
        found = Indicator.objects.filter(case=self.case, verdict=Indicator.Verdict.MALICIOUS, tlp__in=self.tlps)
        rows = list(found.values_list("kind", "value")[: MOST_NAMED + 1])
        said = "\n".join(f"{Indicator.Kind(kind).label}: {value}" for kind, value in rows[:MOST_NAMED])
        return said + ("\nMore are in the technical report." if len(rows) > MOST_NAMED else "")

    def assets(self) -> str:
        found = Asset.objects.filter(case=self.case, compromise__in=("confirmed", "suspected", "recovered"))
        names = list(found.values_list("name", flat=True)[: MOST_NAMED + 1])
        return ", ".join(names[:MOST_NAMED]) + (", and more" if len(names) > MOST_NAMED else "")

    def measures(self) -> str:
        found = Activity.objects.filter(case=self.case, kind=Activity.Kind.ACTION, state="done").order_by("ended_at")
        return "\n".join(
            f"{at:%Y-%m-%d %H:%M} UTC {title}" for at, title in found.values_list("ended_at", "title")[:MOST_NAMED]
        )

    def ongoing(self) -> str:
        found = Improvement.objects.filter(case=self.case, state__in=("open", "doing"))
        return "\n".join(found.values_list("title", flat=True)[:MOST_NAMED])

    def discovered(self) -> str:
        if self.case.incident_id:
            return f"Microsoft Defender incident {self.case.incident_id}"
        return self.case.description[:500]


_KNOWN: Mapping[str, Callable[[_Known], str]] = {
    "organisation": _Known.organisation,
    "contact": _Known.contact,
    "reference": lambda known: known.case.reference,
    "summary": lambda known: plain(known.case.summary),
    "severity": lambda known: known.case.get_severity_display(),
    "malicious": _Known.malicious,
    "threat": _Known.threat,
    "techniques": _Known.techniques,
    "indicators": _Known.indicators,
    "assets": _Known.assets,
    "measures": _Known.measures,
    "ongoing": _Known.ongoing,
    "discovered": _Known.discovered,
}
