"""The normal form of a query, by which the same hunt is recognised in another coat."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from hunting.values import Kind
from kql.errors import KqlError
from kql.syntax.literals import string_value
from kql.syntax.tokens import Token, tokens

_SAME: Final = {"filter": "where", "limit": "take", "order": "sort", "<>": "!="}


class Declared(Protocol):
    """A parameter as the library, an import or a saved hunt has it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def default(self) -> Any: ...
    @property
    def fill(self) -> str: ...


def fingerprint(kql: str, parameters: Iterable[Declared] = ()) -> str:
    """SHA-256, hexadecimal, of the query's words: without comments, spaces, the spelling of quotes and the names of
    its parameters, which are numbered as they occur. A default counts where it is a part of the question (a list of
    tools, a threshold), not where it is a time or stands for what the case fills in. A text that is no KQL is taken
    as it stands, spaces aside."""
    names = {parameter.name.casefold(): _constant(parameter) for parameter in parameters}
    numbers: dict[str, int] = {}
    try:
        words = [_word(token, names, numbers) for token in tokens(kql)[:-1]]
    except KqlError:
        words = kql.split()
    while words and words[-1] == ";":
        words.pop()
    return hashlib.sha256("\x1f".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def _constant(parameter: Declared) -> str:
    value = parameter.default
    if parameter.kind.name in ("timespan", "datetime") or parameter.fill.startswith("asset.") or value in (None, ""):
        return ""
    values = value if isinstance(value, list | tuple) else [value]
    return "\x1e".join(f"={str(item).casefold()}" for item in values)


def _word(token: Token, names: Mapping[str, str], numbers: dict[str, int]) -> str:
    if token.kind == "string":
        return f'"{string_value(token.text)}'
    if token.kind == "name" and token.text.casefold() in names:
        name = token.text.casefold()
        return f"?{numbers.setdefault(name, len(numbers))}{names[name]}"
    if token.kind in ("typed", "timespan"):
        return re.sub(r"\s", "", token.text).lower()
    return _SAME.get(token.text, token.text)


def same_but_time(left: str, right: str, parameters: Iterable[Declared] = ()) -> bool:
    """Whether two texts are one hunt for Defender XDR and for Log Analytics: they differ by the time column alone."""
    declared = tuple(parameters)
    one, two = (re.sub(r"\bTimeGenerated\b", "Timestamp", text) for text in (left, right))
    return fingerprint(one, declared) == fingerprint(two, declared)
