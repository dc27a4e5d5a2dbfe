"""A definition as YAML from outside, and back."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from liveresponse.catalogue.definitions import DefinitionError

MAX_BYTES: Final = 100_000
_DEEPEST: Final = 12
_ORDER: Final = (
    "id", "version", "title", "description", "platforms", "parameters", "steps", "changes", "approval", "time_limit",
    "parser", "source", "source_commit",
)  # fmt: skip


class _Strict(yaml.SafeLoader):
    """No aliases (they multiply), no key twice (the second would win in silence), no depth that ends the stack."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not taken.")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested deeper than {_DEEPEST}.")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        if any(not isinstance(name, str) for name in names):
            raise yaml.YAMLError("its keys must be words.")
        if len(set(names)) < len(names):
            raise yaml.YAMLError(f"{sorted({n for n in names if names.count(n) > 1})[0]} stands there twice.")
        return super().construct_mapping(node, deep)


def parse_yaml(text: str | bytes) -> dict[str, Any]:
    """One definition as data, not yet checked against the shape. Raises DefinitionError."""
    if len(text) > MAX_BYTES:
        raise DefinitionError([("", f"A definition is no longer than {MAX_BYTES:,} characters.")])
    try:
        written = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        data = yaml.load(written, Loader=_Strict)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        words = " ".join(str(error).split())[:300]
        raise DefinitionError([("", f"It is not readable YAML: {words}")]) from None
    if not isinstance(data, dict):
        raise DefinitionError([("", "It is no definition: a file holds keys such as id, title and steps.")])
    _check_texts(data)
    return data


def _check_texts(value: Any) -> None:
    """Refuse what no database keeps as it is."""
    if isinstance(value, dict):
        for key, part in value.items():
            _check_texts(key)
            _check_texts(part)
    elif isinstance(value, list):
        for part in value:
            _check_texts(part)
    elif isinstance(value, str) and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise DefinitionError([("", "It holds a NUL or half of a character, which cannot be kept.")])


class _Writer(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(content: Mapping[str, Any]) -> str:
    """The file of a definition, its keys in the order of the shipped ones."""
    data = {key: content[key] for key in _ORDER if key in content}
    return str(yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120))
