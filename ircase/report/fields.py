"""The fields that a text of the organisation may name: a fixed list, put in by name. No code, no format string."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ircase.report.shape import CaseFacts, ReportData

_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Told:
    """What the fields are of, where no whole data set is read."""

    case: CaseFacts
    generated_at: str
    prepared_by: str


FIELDS: Mapping[str, Callable[[ReportData | Told], str]] = {
    "case.reference": lambda d: d.case.reference,
    "case.title": lambda d: d.case.title,
    "case.severity": lambda d: d.case.severity_words,
    "case.status": lambda d: d.case.status,
    "case.tlp": lambda d: d.case.tlp_words,
    "case.phase": lambda d: d.case.phase,
    "case.tenant": lambda d: d.case.tenant,
    "case.opened": lambda d: d.case.opened_at[:10],
    "case.closed": lambda d: d.case.closed_at[:10],
    "case.lead": lambda d: ", ".join(m.name for m in d.case.members if m.role == "Lead"),
    "report.date": lambda d: d.generated_at[:10],
    "report.author": lambda d: d.prepared_by,
}


class UnknownFieldError(ValueError):
    """A text names a field that there is not; the message names those that there are."""


def check(text: str) -> None:
    """Raises UnknownFieldError."""
    unknown = sorted({name for name in _FIELD.findall(text) if name not in FIELDS})
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in unknown)
        raise UnknownFieldError(f"{names}: there is no such field. There are {', '.join(f'{{{n}}}' for n in FIELDS)}.")
    rest = _FIELD.sub("", text)
    if "{" in rest or "}" in rest:
        raise UnknownFieldError("A brace stands alone. A field is written as {case.reference}.")


def fill(text: str, data: ReportData | Told) -> str:
    """`text` with its fields filled in; a field that there is not stays as it is written."""

    def value(found: re.Match[str]) -> str:
        made = FIELDS.get(found.group(1))
        return made(data) if made else found.group()

    return _FIELD.sub(value, text)
