"""The log's codes of readiness, contacts and exercises, in words."""

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]
ICONS = {"readiness": "shield-check", "contact": "users", "exercise": "flag"}
_ANSWERS = {"yes": "as it should be", "no": "NOT as it should be", "unused": "not applying here"}


def _answered(detail: Detail) -> str:
    answer = str(detail.get("answer", ""))
    return f"found “{detail.get('setting')}” {_ANSWERS.get(answer, answer)} on"


def _judged(detail: Detail) -> str:
    word = {True: "met", False: "not met"}.get(detail.get("met"), "as the case shows")  # type: ignore[arg-type]
    return f"judged “{detail.get('expected')}” as {word} in"


SENTENCES: dict[str, Callable[[Detail], str]] = {
    "readiness.planned": lambda d: "planned the readiness of",
    "readiness.answered": _answered,
    "readiness.tables_asked": lambda d: f"had {d.get('tables', 0)} tables asked for rows on",
    "contact.added": lambda d: "added to the contacts",
    "contact.changed": lambda d: "changed the contact",
    "contact.confirmed": lambda d: "confirmed the contact",
    "contact.moved": lambda d: "moved the contact",
    "contact.removed": lambda d: "took off the contacts",
    "contact.printed": lambda d: "took as a PDF",
    "exercise.begun": lambda d: "began the exercise",
    "exercise.released": lambda d: "released in the exercise",
    "exercise.clock": lambda d: "let the clock release injects of" if d.get("on") else "stopped the clock of",
    "exercise.judged": _judged,
    "exercise.ended": lambda d: f"ended, with {d.get('met')} of {d.get('expected')} met, the exercise",
    "exercise.debriefed": lambda d: "wrote the debrief of",
}
