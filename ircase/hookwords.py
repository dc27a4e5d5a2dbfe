"""The log's codes of hooks and of what leaves IRCase, in words."""

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]
ICONS = {"hook": "bell", "delivery": "bell"}
SENTENCES: dict[str, Callable[[Detail], str]] = {
    "hook.made": lambda d: f"has another system told, at {d.get('host')}, by the hook",
    "hook.changed": lambda d: f"{'changed' if d.get('enabled') else 'switched off'} the hook to {d.get('host')}:",
    "hook.secret": lambda d: "made a new secret for the hook",
    "hook.removed": lambda d: "removed the hook",
    "delivery.again": lambda d: f"had a message sent again by {d.get('channel')}",
    "case.telling": lambda d: (
        "lets messages that leave IRCase say what the case is about"
        if d.get("names")
        else "keeps messages that leave IRCase from saying what the case is about"
    ),
}
