"""Values in a form that the query spells out: ``format_datetime`` and its kin.

https://learn.microsoft.com/en-us/kusto/query/format-datetime-function. How a run of letters is cut, and that ``F``
keeps its zeros at the end, was measured on Microsoft's emulator by the authors of duckdb-kql.
"""

from __future__ import annotations

from collections.abc import Mapping

from kql.sql import quote_text
from kql.translate.functions.maths import real
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, maybe_null, of_type

_DELIMITERS = " /-:,._[]"
_MOMENT = {
    "d": "%-d", "dd": "%d", "h": "%-I", "hh": "%I", "H": "%-H", "HH": "%H", "m": "%-M", "mm": "%M", "M": "%-m",
    "MM": "%m", "s": "%-S", "ss": "%S", "y": "%-y", "yy": "%y", "yyyy": "%Y", "tt": "%p",
}  # fmt: skip
_MOMENT_RUNS = {"d": 2, "h": 2, "H": 2, "m": 2, "M": 2, "s": 2, "y": 4, "t": 2, "f": 7, "F": 7}
_SPAN_RUNS = {"d": 8, "h": 2, "H": 2, "m": 2, "s": 2, "f": 7, "F": 7}
_UNITS = ("Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def _elements(call: Invocation, runs: Mapping[str, int]) -> list[str]:
    """A format cut into elements, as long as there are, and delimiters. Raises KqlUnsupported for anything else."""
    form = call.constant_text(1)
    if not form:
        raise call.unsupported(f"{call.name}() needs a format.", "Write one such as 'yyyy-MM-dd'.")
    found: list[str] = []
    for letter in form:
        if letter not in runs and letter not in _DELIMITERS:
            raise call.unsupported(
                f"{letter} is no element of a format.",
                f"Delimiters are {_DELIMITERS!r}; join other texts with strcat().",
            )
        if found and letter in runs and found[-1][0] == letter and len(found[-1]) < runs[letter]:
            found[-1] += letter
        else:
            found.append(letter)
    odd = next((each for each in found if each in ("t", "yyy")), None)
    if odd is not None:
        raise call.unsupported(f"{odd} is no element of a format.", "Write tt, yy or yyyy.")
    return found


@scalar("format_datetime", 2, note="Times are kept in whole microseconds: the seventh digit is 0.")
def format_datetime(call: Invocation) -> Sql:
    value = call.as_type(0, "datetime")
    pieces: list[str] = []
    plain = ""
    for element in [*_elements(call, _MOMENT_RUNS), ""]:
        if element and element[0] not in "fF":
            plain += _MOMENT.get(element, element)
            continue
        if plain:
            pieces.append(f"strftime({value.text}, {quote_text(plain)})")
            plain = ""
        if element:
            pieces.append(_fraction(f"strftime({value.text}, '%f0')", element))
    return of_type(f"({' || '.join(pieces)})", "string", value)


def _fraction(digits: str, element: str) -> str:
    """The first digits of a second's fraction; ``F``: nothing where they are all 0."""
    size = len(element)
    cut = f"substring({digits}, 1, {size})"
    return cut if element[0] == "f" else f"CASE {cut} WHEN '{'0' * size}' THEN '' ELSE {cut} END"


@scalar("format_timespan", 2, note="Times are kept in whole microseconds: the seventh digit is 0.")
def format_timespan(call: Invocation) -> Sql:
    value = call.as_type(0, "timespan")
    size = f"abs({value.text})"
    units = {"h": "3600000000 % 24", "m": "60000000 % 60", "s": "1000000 % 60", "d": "86400000000"}
    pieces = []
    for element in _elements(call, _SPAN_RUNS):
        letter = element[0].lower()
        if letter == "f":
            pieces.append(_fraction(f"printf('%06d0', {size} % 1000000)", element))
        elif letter in units:
            pieces.append(f"printf('%0{len(element)}d', {size} // {units[letter]})")
        else:
            pieces.append(quote_text(element))
    return of_type(f"({' || '.join(pieces)})", "string", value)


@scalar("format_bytes", 1, 3, note="Without digits after the point: how many zeros Kusto keeps there is not published.")
def format_bytes(call: Invocation) -> Sql:
    value = real(call)
    unit = call.constant_text(2)
    if call.integer(1) != 0:
        raise call.unsupported("format_bytes() with digits after the point.", "strcat(round(Size / 1024.0, 2), ' KB').")
    if unit and unit not in _UNITS:
        raise call.unsupported(f"format_bytes() has no unit {unit}.", f"Write one of {', '.join(_UNITS)}.")
    if unit:
        return of_type(_bytes(value.text, _UNITS.index(unit)), "string", value)
    arms = [
        f"WHEN {value.text} < {1024 ** (step + 1)} THEN {_bytes(value.text, step)}" for step in range(len(_UNITS) - 1)
    ]
    return maybe_null(f"CASE {' '.join(arms)} ELSE {_bytes(value.text, len(_UNITS) - 1)} END", "string", value)


def _bytes(value: str, step: int) -> str:
    return f"printf('%.0f', round({value} / {1024**step})) || ' {_UNITS[step]}'"
