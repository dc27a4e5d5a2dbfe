"""The log's codes of clocks, decisions, hand-overs, improvements and links, in words."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from ircase.models import CaseLink, Improvement

Detail = Mapping[str, Any]
ICONS = {"clock": "hourglass", "decision": "gavel", "handover": "arrow-left-right", "improvement": "lightbulb",
         "dashboard": "layout-dashboard"}  # fmt: skip
TONES = {"clock.not_applicable": "warn", "handover.refused": "warn", "case.close_overtaken": "warn"}


def _moment(value: Any) -> str:
    try:
        return timezone.localtime(datetime.fromisoformat(str(value))).strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError):
        return str(value or "")


def _named(choices: Any, detail: Detail, name: str) -> str:
    value = str(detail.get(name, ""))
    return str(dict(choices.choices).get(value, value)).lower()


def _decided(detail: Detail) -> str:
    instead = f" instead of {detail['supersedes']}" if detail.get("supersedes") else ""
    return f"recorded the decision {detail.get('number')}{instead} (by {detail.get('decided_by')}):"


def _delivered(detail: Detail) -> str:
    late = ", AFTER its time," if detail.get("late") else ""
    shown = f" with {detail['proof']}" if detail.get("proof") else ""
    return f"ended as delivered on {_moment(detail.get('at'))}{late}{shown} the clock"


def _split(detail: Detail) -> str:
    exhibits = detail.get("exhibits", 0)
    many = len(exhibits) if isinstance(exhibits, list) else exhibits
    counts = ", ".join(f"{detail.get(name, 0)} {name}" for name in ("events", "indicators", "assets", "notes", "items"))
    return f"{counts}; {many} exhibits stay where they are"


SENTENCES: dict[str, Callable[[Detail], str]] = {
    "clock.started": lambda d: f"started the clock that ends {_moment(d.get('due'))}:",
    "clock.moved": lambda d: f"moved the end from {_moment(d.get('before'))} to {_moment(d.get('due'))} of the clock",
    "clock.delivered": _delivered,
    "clock.not_applicable": lambda d: "ended as not applicable the clock",
    "clock.policy": lambda d: (
        "lets start by themselves the clocks of" if d.get("automatic") else "has leads start the clocks of"
    ),
    "clock.level_made": lambda d: "made the service level",
    "clock.level_changed": lambda d: "changed the service level",
    "decision.recorded": _decided,
    "handover.offered": lambda d: f"offered to hand the case over to {d.get('receiver')}",
    "handover.confirmed": lambda d: f"took the case over from {d.get('giver')}, sealed as {d.get('exhibit')}:",
    "handover.refused": lambda d: f"did not take the case over from {d.get('giver')}:",
    "handover.withdrawn": lambda d: f"took back the hand-over to {d.get('receiver')}",
    "dashboard.targets": lambda d: "set the targets of the dashboard:",
    "dashboard.assumption": lambda d: "set what a finished hunt is taken to save:",
    "dashboard.asked": lambda d: "had the dashboard made into a PDF:",
    "dashboard.downloaded": lambda d: "downloaded the dashboard:",
    "dashboard.monthly_begun": lambda d: "gets by mail each month the dashboard of:",
    "dashboard.monthly_stopped": lambda d: "does not get by mail any more the dashboard of:",
    "dashboard.monthly_asked": lambda d: "had sent by mail the last month of the dashboard of:",
    "dashboard.mailed": lambda d: f"got by mail{'' if d.get('attached') else ', without the file'}:",
    "dashboard.exported": lambda d: "exported from the dashboard as CSV:",
    "improvement.added": lambda d: "wrote down the improvement",
    "improvement.changed": lambda d: "changed the improvement",
    "improvement.moved": lambda d: f"set to {_named(Improvement.State, d, 'state')} the improvement",
    "case.linked": lambda d: f"linked the case with another ({_named(CaseLink.Kind, d, 'kind')})",
    "case.unlinked": lambda d: f"removed a link of the case ({_named(CaseLink.Kind, d, 'kind')})",
    "case.merged_in": lambda d: (
        f"merged a duplicate into the case: {d.get('assets', 0)} assets, {d.get('indicators', 0)} indicators, "
        f"{d.get('events', 0)} events, {d.get('notes', 0)} notes, {d.get('items', 0)} checklist items, "
        f"{d.get('incidents', 0)} incidents were new"
    ),
    "case.split_off": lambda d: f"split another case off, with copies of {_split(d)}",
    "case.split_from": lambda d: f"opened it by a split from another case, with copies of {_split(d)}",
    "case.merge_undone": lambda d: "took a merged duplicate out of the case again",
    "case.from_template": lambda d: f"opened it after the pattern of another case: {d.get('items', 0)} items",
    "case.close_overtaken": lambda d: "did not close the case as asked",
}
