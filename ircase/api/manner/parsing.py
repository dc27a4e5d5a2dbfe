"""What a body may not hold, whatever operation it is for: text that no database keeps, numbers that JSON has not."""

import json
from typing import Any, Final, NoReturn, cast

from django.http import Http404, HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.errors import HttpError
from ninja.parser import Parser

DEEPEST: Final = 40
# The widest whole number that the databases keep.
MOST: Final = 2**63 - 1


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


class StrictParser(Parser):
    """Raises HttpError 400 for what is no JSON, and for NUL and half surrogates in any text: PostgreSQL refuses the
    one, UTF-8 the other (https://www.postgresql.org/docs/current/datatype-character.html)."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        try:
            found = json.loads(request.body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise HttpError(400, f"The body is no JSON: {str(error)[:200]}.") from None
        _check(found)
        return cast(dict[str, Any], found)

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        for key in data:
            for value in data.getlist(key):
                check_text(value)
        return super().parse_querydict(data, list_fields, request)


def check_text(value: Any) -> None:
    if isinstance(value, str) and not _is_sound(value):
        raise HttpError(400, "A text holds a NUL or half a surrogate pair, which cannot be stored.")


def check_path(values: dict[str, Any]) -> None:
    """Raises Http404: no address of ours holds such a text."""
    if not all(_is_sound(value) for value in values.values() if isinstance(value, str)):
        raise Http404("No such address.")


def _is_sound(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise HttpError(400, f"The body is nested deeper than {DEEPEST} levels.")
    check_text(value)
    if isinstance(value, int) and abs(value) > MOST:
        raise HttpError(400, "A number is too large to be stored.")
    if isinstance(value, dict):
        for key, part in value.items():
            check_text(key)
            _check(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _check(part, depth + 1)
