"""The debrief of an exercise as one data set: for the page, the PDF and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from ircase.exercises import counting
from ircase.exercises.counting import Counted
from ircase.models import CaseMember, Exercise, Inject

_TIME = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class Totals:
    """How many of what was expected were met in time, done too late, missed, or are still open."""

    met: int
    late: int
    missed: int
    open: int


def totals_of(counted: Sequence[Counted]) -> Totals:
    words = [outcome(row) for row in counted]
    return Totals(words.count("Met"), words.count("Late"), words.count("Missed"), words.count("Open"))


@dataclass(frozen=True)
class Debrief:
    """What was played, by whom, what was released when, and how each expectation went."""

    exercise: Exercise
    players: tuple[str, ...]
    injects: tuple[Inject, ...]
    counted: tuple[Counted, ...]
    totals: Totals
    made_at: datetime


def debrief_of(exercise: Exercise) -> Debrief:
    """As it stands; the count of the end once it has ended."""
    members = CaseMember.objects.filter(case=exercise.case).select_related("user").order_by("added_at", "pk")
    players = tuple(f"{member.user.name} ({member.duty or member.get_role_display()})" for member in members)
    injects = tuple(exercise.injects.select_related("released_by"))
    rows = tuple(counting.of(exercise))
    return Debrief(exercise, players, injects, rows, totals_of(rows), timezone.now())


def outcome(row: Counted, *, ended: bool = False) -> str:
    """How it went: Met, Late, Missed, or Open, which after the end is Not played."""
    if row.met:
        return "Met"
    if row.late:
        return "Late"
    if row.open:
        return "Not played" if ended else "Open"
    return "Missed"


def as_json(found: Debrief) -> dict[str, Any]:
    """For the typesetter and the API: texts only, times in UTC."""
    exercise = found.exercise
    return {
        "reference": exercise.case.reference,
        "title": exercise.title,
        "scenario": f"{exercise.scenario}, version {exercise.version}",
        "summary": str(exercise.plan.get("summary", "")),
        "goals": [str(goal) for goal in exercise.plan.get("goals", [])],
        "started_at": exercise.started_at.strftime(_TIME),
        "ended_at": exercise.ended_at.strftime(_TIME) if exercise.ended_at else "",
        "made_at": found.made_at.strftime(_TIME),
        "players": list(found.players),
        **asdict(found.totals),
        "injects": [_inject(row, exercise) for row in found.injects],
        "counted": [_counted(row, exercise) for row in found.counted],
        "went_well": exercise.went_well,
        "to_improve": exercise.to_improve,
    }


def _inject(row: Inject, exercise: Exercise) -> dict[str, str]:
    released = ""
    if row.released_at:
        minutes = round((row.released_at - exercise.started_at).total_seconds() / 60)
        released = f"minute {minutes}" + (f", by {row.released_by.name}" if row.released_by else ", by the clock")
    return {"planned": f"minute {row.minute}", "released": released, "sender": row.sender, "title": row.title}


def _counted(row: Counted, exercise: Exercise) -> dict[str, str]:
    took = f"{row.minutes} min" if row.minutes is not None else ""
    return {
        "title": row.title,
        "outcome": outcome(row, ended=not exercise.is_running),
        "took": took,
        "within": f"{row.within} min" if row.within else "",
        "how": row.how,
        "why": row.why,
    }


def as_markdown(found: Debrief) -> str:
    """The debrief as Markdown."""
    data = as_json(found)
    lines = [
        f"# Debrief: {_flat(data['title'])}", "",
        f"EXERCISE {data['reference']} · scenario {data['scenario']} · {data['started_at']} to "
        f"{data['ended_at'] or 'now, still running'}", "",
        f"{data['met']} met, {data['late']} late, {data['missed']} missed, {data['open']} open or not played.", "",
        "Played by: " + ", ".join(_flat(name) for name in data["players"]), "", "## Goals", "",
        *(f"- {_flat(goal)}" for goal in data["goals"]), "", "## What was expected", "",
        "| Expected | Outcome | Took | Within | How |", "|---|---|---|---|---|",
        *(_row(row) for row in data["counted"]), "", "## What happened", "",
        "| Planned | Released | From | What |", "|---|---|---|---|",
        *(f"| {row['planned']} | {row['released'] or 'not'} | {_flat(row['sender'])} | {_flat(row['title'])} |"
          for row in data["injects"]), "",
    ]  # fmt: skip
    for title, text in (("What went well", data["went_well"]), ("What has to be better", data["to_improve"])):
        lines += [f"## {title}", "", text or "Not written yet.", ""]
    return "\n".join(lines)


def _row(row: Mapping[str, str]) -> str:
    return f"| {_flat(row['title'])} | {row['outcome']} | {row['took']} | {row['within']} | {_flat(row['how'])} |"


def _flat(text: str) -> str:
    """Text from people in a cell of a table: on one line, and no mark of a cell in it."""
    return " ".join(text.split()).replace("|", r"\|")
