"""The hunts of the library that take a value of a case."""

from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError

from hunting import shelf
from hunting.catalogue import Hunt, Parameter
from hunting.values import ParameterError, parse
from ircase import recognition
from ircase.models import Asset, Indicator

LABELS: Final = {recognition.TECHNIQUE: "ATT&CK technique", **dict(Asset.Kind.choices), **dict(Indicator.Kind.choices)}
"""Every kind that a value may be of, with its name on screen."""
MOST_CHARACTERS: Final = 4096


@dataclass(frozen=True)
class Suiting:
    """A hunt and the parameter that takes the value; None where the hunt looks for that technique by itself."""

    hunt: Hunt
    parameter: Parameter | None


def hunts_for(kind: str, value: str) -> list[Suiting]:
    """Raises ValidationError for a kind that is none, or no value."""
    if kind not in LABELS or not value or len(value) > MOST_CHARACTERS:
        raise ValidationError("Say what the value is (kind) and the value itself.")
    found = []
    for hunt in shelf.hunts().values():
        parameter = _parameter(hunt, kind, value)
        if parameter is not None or (kind == recognition.TECHNIQUE and value in hunt.techniques):
            found.append(Suiting(hunt, parameter))
    return found


def _parameter(hunt: Hunt, kind: str, value: str) -> Parameter | None:
    """The parameter that takes a value of this kind, and this value at that."""
    fills = {f"asset.{kind}.name", f"indicator.{kind}"}
    for parameter in hunt.parameters:
        if parameter.fill in fills:
            try:
                parse(parameter.kind, [value] if parameter.kind.many else value)
            except ParameterError:
                continue
            return parameter
    return None
