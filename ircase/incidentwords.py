"""What the log says of incidents, their sources and what is kept the same with Defender, in words for people."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Detail = Mapping[str, Any]


def _came(d: Detail) -> str:
    return f"{d.get('assets', 0)} assets, {d.get('indicators', 0)} indicators, {d.get('events', 0)} events"


def _kept(d: Detail) -> str:
    fields = [*(d.get("fields") or []), *(["comments"] if d.get("comments") else [])]
    return ", ".join(fields) if fields and d.get("enabled") else "nothing"


SENTENCES: Final[Mapping[str, Callable[[Detail], str]]] = {
    "incident.imported": lambda d: f"took over incident {d.get('incident')}: {_came(d)}",
    "incident.merged": lambda d: f"merged incident {d.get('incident')} into the case: {_came(d)}",
    "incident.unmerged": lambda d: (
        f"took incident {d.get('incident')} out of the case again: {d.get('left', 0)} rows left, "
        f"{len(d.get('stayed') or [])} stayed"
    ),
    "incident.dismissed": lambda d: f"decided that incident {d.get('incident')} needs no case",
    "incident.taken_back": lambda d: f"took back the dismissal of incident {d.get('incident')}",
    "incident.returned": lambda d: f"put incident {d.get('incident')} back into the queue: {d.get('why')}",
    "incident.source_made": lambda d: f"made the source of incidents {d.get('name')}",
    "incident.source_changed": lambda d: f"changed the source of incidents {d.get('name')}",
    "incident.source_secret": lambda d: f"gave the source of incidents {d.get('name')} a new secret",
    "incident.file_asked": lambda d: f"had incidents read from {d.get('name')}",
    "incident.file_taken": lambda d: f"read {d.get('taken', 0)} incidents from {d.get('name')}",
    "incident.sync_set": lambda d: f"set what is kept the same with Defender on {d.get('connection')}: {_kept(d)}",
    "incident.sync_allowed": lambda d: (
        "allowed telling Defender of this confidential case"
        if d.get("allowed")
        else "forbade telling Defender of this case"
    ),
    "incident.sync_sent": lambda d: (
        f"told Defender the {d.get('field')} of incident {d.get('incident')}: {d.get('value')}"
    ),
    "incident.sync_taken": lambda d: (
        f"took the {d.get('field')} over from incident {d.get('incident')}: {d.get('value')}"
    ),
    "incident.sync_conflict": lambda d: (
        f"found the {d.get('field')} of incident {d.get('incident')} changed on both sides: "
        f"here {d.get('ours')}, in Defender {d.get('theirs')}"
    ),
    "incident.sync_chosen": lambda d: (
        f"chose {d.get('choice')} for the {d.get('field')} of incident {d.get('incident')}"
    ),
    "incident.assigned": lambda d: f"assigned incident {d.get('incident')} to {d.get('to') or 'nobody'}",
    "incident.commented": lambda d: f"commented on incident {d.get('incident')} in Defender",
    "incident.comment_sent": lambda d: f"sent a comment to incident {d.get('incident')}",
}
