"""YAML and JSON from outside, read with caps: a few bytes of either can stand for gigabytes.

Aliases are weighed before anything is made of them (https://yaml.org/spec/1.2.2/#71-alias-nodes), so that neither
nested aliases nor merge keys multiply.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from hunting.importing.model import ImportRefused

MAX_DEPTH: Final = 40
MAX_NODES: Final = 200_000
MAX_ALIASES: Final = 200
MAX_DOCUMENTS: Final = 200
_TOO_DEEP: Final = f"It is nested more than {MAX_DEPTH} deep."
_TOO_MANY: Final = f"It stands for more than {MAX_NODES:,} values."


class _Loader(yaml.CSafeLoader):
    """Plain values only; dates stay texts, for nobody here computes with them."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str) -> list[tuple[int, Any]]:
    """The documents of a YAML text, each with the line on which it begins. Raises ImportRefused."""
    try:
        starts = _weigh(text)
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        raise ImportRefused(f"This is no YAML: {error.problem or error.context}.", line) from error
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ImportRefused(f"This is no YAML that can be read: {str(error)[:200]}.") from error
    return [(line, document) for line, document in zip(starts, documents, strict=True) if document is not None]


def _weigh(text: str) -> list[int]:
    """The lines on which documents begin. Raises ImportRefused for what is too deep or too much."""
    scale = _Scale()
    starts: list[int] = []
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.DocumentStartEvent):
            starts.append(line + bool(event.explicit))
            scale = _Scale()
            if len(starts) > MAX_DOCUMENTS:
                raise ImportRefused(f"It has more than {MAX_DOCUMENTS} documents.", line)
        scale.add(event, line)
    return starts


class _Scale:
    """How many values a document stands for, once its aliases are followed."""

    def __init__(self) -> None:
        self.open: list[tuple[str | None, int]] = []
        self.weights: dict[str, int] = {}
        self.total = 0
        self.aliases = 0

    def add(self, event: Any, line: int) -> None:
        """Put one more event on it. Raises ImportRefused."""
        if isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", line)
        elif isinstance(event, yaml.ScalarEvent):
            self.total += 1
            if event.anchor:
                self.weights[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            self.open.append((event.anchor, self.total))
            self.total += 1
            if len(self.open) > MAX_DEPTH:
                raise ImportRefused(_TOO_DEEP, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self.open.pop()
            if anchor:
                self.weights[anchor] = self.total - before
        if self.total > MAX_NODES:
            raise ImportRefused(_TOO_MANY, line)

    def _alias(self, anchor: str, line: int) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise ImportRefused(f"It has more than {MAX_ALIASES} aliases.", line)
        if anchor not in self.weights:
            raise ImportRefused(f"The alias *{anchor[:40]} names nothing before it, or what it stands in.", line)
        self.total += self.weights[anchor]


_BLANK: Final = re.compile(r"\s*")
_JSON_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|([\[{])|([\]}])|(,)', re.DOTALL)


def read_json(text: str) -> Any:
    """What a JSON text holds. Raises ImportRefused."""
    depth = values = 0
    for match in _JSON_MARKS.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        values += bool(match[1]) + bool(match[3])
        if depth > MAX_DEPTH:
            raise ImportRefused(_TOO_DEEP, _line(text, match.start()))
        if values > MAX_NODES:
            raise ImportRefused(_TOO_MANY, _line(text, match.start()))
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ImportRefused(f"This is no JSON: {error.msg}.", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"This is no JSON that can be read: {str(error)[:200]}.") from error


def item_lines(text: str) -> list[int]:
    """The lines on which the items of a JSON array begin; the text is one that `read_json` has read."""
    depth, line, counted = 0, 1, 0
    found: list[int] = []
    for match in _JSON_MARKS.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        if depth == 1 and (match[3] or (match[1] and not found)):
            at = _BLANK.match(text, match.end()).end()  # type: ignore[union-attr]
            line, counted = line + text.count("\n", counted, at), at
            found.append(line)
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no value of JSON")


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def texts(value: Any) -> Iterator[str]:
    """The texts in a value that should be a text or a list of them; numbers count, all else is left out."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            yield item.strip()
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield str(item)


def text_of(value: Any) -> str:
    """The first text in a value, "" where there is none."""
    return next(texts(value), "")
