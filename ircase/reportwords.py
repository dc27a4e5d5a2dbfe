"""The log's codes of reports and of masks, in words."""

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]
_ANSWERS = {"accepted": "accepted", "changes": "wants changes of"}
ICONS = {"redaction": "eye-off", "notification": "file-text"}
TONES: dict[str, str] = {}
SENTENCES: dict[str, Callable[[Detail], str]] = {
    "report.reviewed": lambda d: (
        f"read over and {_ANSWERS.get(str(d.get('answer')), 'answered')} the report {d.get('report')}"
    ),
    "report.signed": lambda d: f"signed off the report {d.get('report')}, sealed as {d.get('exhibit')}",
    "report.look_saved": lambda d: f"saved version {d.get('number')} of the reports' look",
    "notification.answered": lambda d: f"answered {len(d.get('fields') or [])} of an authority's questions",
    "redaction.key_read": lambda d: "read the key to the masked documents of the case",
}
