"""Which times, which words: the mappings of `mappings/*.yaml`, checked, and the rule of a table."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from ircase.supertimeline.model import as_json
from kql.types import Column

FOLDER: Final = Path(__file__).with_name("mappings")
HOLE: Final = re.compile(r"\{([^{}]{1,200})\}")
_TECHNIQUE: Final = re.compile(r"T\d{4}(\.\d{3})?")
_KEYS: Final = {"times", "device", "account", "message", "techniques", "techniques_from", "columns"}
_VERSION: Final = 1
"""Raised when the SQL made of a rule changes, so that the parts of every case are made anew."""


class RuleError(ValueError):
    """A mapping file breaks the rules; the message names file, table and word."""


@dataclass(frozen=True)
class Condition:
    """`add` are the techniques of a row whose columns `when` have one of these values, and whose columns `contains`
    hold this text (an empty one: anything), whatever the case of letters."""

    add: tuple[str, ...]
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    contains: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rule:
    """How rows become events. `times`: columns (the first of `A|B` that has a value) and what kind of time it is, in
    which `{Column}` stands for the row's value. `message`: pieces, each left out where a column of it is empty.
    `guessed`: the generic rule made it."""

    name: str
    times: tuple[tuple[str, str], ...]
    message: tuple[str, ...]
    device: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    techniques: tuple[Condition, ...] = ()
    techniques_from: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    guessed: bool = False
    differ: bool = False
    """A time that equals the row's first one makes no event of its own."""

    def digest(self) -> str:
        text = json.dumps([_VERSION, as_json(asdict(self))], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Generic:
    """What the rule of an unknown table is made of."""

    first: str
    first_label: str
    most_times: int
    leave: tuple[str, ...]
    device: tuple[str, ...]
    account: tuple[str, ...]
    what: tuple[str, ...]
    most_values: int
    techniques_from: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    """The mappings of a folder."""

    tables: Mapping[str, Rule]
    shapes: tuple[Rule, ...]
    generic: Generic

    def named(self) -> list[tuple[str, Rule]]:
        """Every mapping by what it is for: a table, or tables with these columns."""
        return [*sorted(self.tables.items()), *((f"columns {', '.join(r.columns)}", r) for r in self.shapes)]

    def of(self, name: str, columns: Sequence[Column], always: Sequence[str] = ()) -> Rule | None:
        """The rule of a table with these columns, `always` being techniques of every row; None where no column holds a
        time."""
        kinds = {column.name: column.type for column in columns}
        candidates = [self.tables.get(name), *(s for s in self.shapes if set(s.columns) <= set(kinds))]
        for rule in candidates:
            if rule is not None and (there := _fitting(rule, kinds)).times:
                return replace(there, always=tuple(always))
        made = _guess(self.generic, columns, kinds)
        return replace(made, always=tuple(always)) if made.times else None


def _fitting(rule: Rule, kinds: Mapping[str, str]) -> Rule:
    """The rule's times that this table has."""
    times = [("|".join(there), label) for names, label in rule.times if (there := _moments(names, kinds))]
    return replace(rule, times=tuple(times))


def _moments(names: str, kinds: Mapping[str, str]) -> list[str]:
    return [name for name in names.split("|") if kinds.get(name) == "datetime"]


def _guess(generic: Generic, columns: Sequence[Column], kinds: Mapping[str, str]) -> Rule:
    first = _moments(generic.first, kinds)
    others = [
        column.name
        for column in columns
        if column.type == "datetime"
        and column.name not in generic.first.split("|")
        and not any(fnmatchcase(column.name, pattern) for pattern in generic.leave)
    ]
    times = [("|".join(first), generic.first_label)] if first else []
    times += [(name, words(name)) for name in others]
    return Rule(
        name="generic",
        times=tuple(times[: generic.most_times]),
        message=_told(generic, columns),
        device=tuple(name for name in generic.device if name in kinds),
        account=tuple(name for name in generic.account if name in kinds),
        techniques_from=tuple(name for name in generic.techniques_from if name in kinds),
        guessed=True,
        differ=True,
    )


def _told(generic: Generic, columns: Sequence[Column]) -> tuple[str, ...]:
    """What is telling first, then the first other columns by name."""
    names = [column.name for column in columns if column.type not in ("datetime", "timespan") and _plain(column.name)]
    what = [name for name in generic.what if name in names][:1]
    known = {*what, *generic.device, *generic.account}
    rest = [name for name in names if name not in known][: generic.most_values]
    return (*(f"{{{name}}}" for name in what), *(f"{name}: {{{name}}}" for name in rest))


def _plain(name: str) -> bool:
    return not set("{}|") & set(name) and not name.startswith("_") and name != "SourceFile"


def words(name: str) -> str:
    """`LastWriteTime` as `Last write time`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").strip()
    return (spaced[:1].upper() + spaced[1:].lower())[:60] or "Time"


@cache
def load(folder: Path = FOLDER) -> Rules:
    """All mappings of a folder. Raises RuleError."""
    tables: dict[str, Rule] = {}
    shapes: list[Rule] = []
    generic: Generic | None = None
    for path in sorted(folder.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if unknown := set(document) - {"tables", "shapes", "generic"}:
            raise RuleError(f"{path.name}: unknown key {sorted(unknown)[0]!r}")
        for name, entry in document.get("tables", {}).items():
            tables[name] = _rule(f"{path.name} {name}", name, entry)
        shapes += [_rule(f"{path.name} {name}", name, entry) for name, entry in document.get("shapes", {}).items()]
        if "generic" in document:
            generic = _generic(path.name, document["generic"])
    if generic is None:
        raise RuleError(f"{folder.name}: no file has a generic rule")
    return Rules(tables, tuple(shapes), generic)


def _generic(where: str, entry: Mapping[str, Any]) -> Generic:
    values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
    try:
        return Generic(**values)
    except TypeError as error:
        raise RuleError(f"{where} generic: {error}") from None


def _rule(where: str, name: str, entry: Mapping[str, Any]) -> Rule:
    if unknown := set(entry) - _KEYS:
        raise RuleError(f"{where}: unknown key {sorted(unknown)[0]!r}")
    if not entry.get("times") or not entry.get("message"):
        raise RuleError(f"{where}: a rule needs times and a message")
    return Rule(
        name=name,
        times=tuple((str(columns), str(label)) for columns, label in entry["times"].items()),
        message=tuple(map(str, entry["message"])),
        device=tuple(entry.get("device", ())),
        account=tuple(entry.get("account", ())),
        techniques=tuple(_condition(where, one) for one in entry.get("techniques", ())),
        techniques_from=tuple(entry.get("techniques_from", ())),
        columns=tuple(entry.get("columns", ())),
    )


def _condition(where: str, entry: Mapping[str, Any]) -> Condition:
    if set(entry) - {"when", "contains", "add"} or not (entry.get("when") or entry.get("contains")):
        raise RuleError(f"{where}: a technique has `add`, and `when` or `contains`")
    for technique in entry["add"]:
        if not _TECHNIQUE.fullmatch(technique):
            raise RuleError(f"{where}: {technique!r} is no technique's id")
    when = tuple((column, tuple(str(v).lower() for v in values)) for column, values in entry.get("when", {}).items())
    contains = tuple((column, str(text).lower()) for column, text in entry.get("contains", {}).items())
    return Condition(tuple(entry["add"]), when, contains)
