"""What the KQL editor is told: the tables of a source, the library's hunts as functions, findings, and typed constants.

Offsets and columns that leave here count UTF-16 units, as browsers do.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import kql
from hunting import shelf
from hunting.catalogue import Hunt, Parameter, Review
from hunting.constants import constants_of
from hunting.forms.running import label_of
from hunting.importing import ParameterGuess
from hunting.models import Source
from hunting.services import sources, sourcetables, supplies
from hunting.values import NOW, Kind, ParameterError, parse, typed
from ircase.models import Case
from kql.errors import KqlError
from kql.syntax import parser

MAX_KNOWN: Final = 200
MAX_HUNTS: Final = 300


def schema(case: Case | None, source: Source, named: Sequence[kql.Table] = ()) -> dict[str, Any]:
    """The tables that a query on this source sees (name, meaning, columns as name and type), and the hunts that run
    there. Of a source that tells, it is what was read there; else Microsoft's schema as the catalogue has it: the
    tenant may have more. Without a case, its own tables are all that the catalogue has. `named` are results that go by
    a name in a notebook."""
    own = case is not None and source == Source.CASE
    seen = sourcetables.seen(case, source, named)
    return {
        "database": case.reference if case is not None and own else source.label,
        "complete": seen.complete,
        "tables": [{"name": one.name, "about": one.about, "columns": one.columns} for one in seen.tables],
        "hunts": list(_functions(source)),
    }


def _functions(source: Source) -> Iterator[dict[str, Any]]:
    """The hunts that run there: of more than MAX_HUNTS, those that somebody has read first."""
    if source.is_tenant or _engine_takes_functions():
        able = [hunt for hunt in shelf.hunts().values() if source in hunt.sources]
        able.sort(key=lambda hunt: hunt.review is Review.DRAFT)
        yield from (_as_function(hunt) for hunt in able[:MAX_HUNTS])


@functools.cache
def _engine_takes_functions() -> bool:
    """Whether the local engine runs a `let` function whose body is a query with lets of its own, as hunts have."""
    text = 'let f = (x: string) {\n    let y = T | take 1;\n    T | where A == x\n};\nf("a") | take 1'
    return not kql.validate(text, {"T": (kql.Column("A", "string"),)})


def _as_function(hunt: Hunt) -> dict[str, Any]:
    """A hunt as a function that a query may define and call: neither engine knows it by itself."""
    name = hunt.id.replace("-", "_")
    name = f"hunt_{name}" if name[0].isdigit() or name[0] == "_" else name
    signature = ", ".join(f"{p.name}: {'dynamic' if p.kind.many else p.kind.kql}" for p in hunt.parameters)
    body = "\n".join(f"    {line}" if line else "" for line in hunt.kql.strip().rstrip(";").splitlines())
    return {
        "name": name,
        "title": hunt.title,
        "about": hunt.description,
        "definition": f"let {name} = ({signature}) {{\n{body}\n}};\n",
        "arguments": [[p.name, _argument(p)] for p in hunt.parameters],
    }


def _argument(parameter: Parameter) -> str:
    """A literal to begin with: the library's default, else the type's empty value."""
    return literal(parameter.kind, parse(parameter.kind, "" if parameter.default is None else parameter.default))


def literal(kind: Kind, value: Any) -> str:
    """What `hunting.values.parse` gave, as KQL writes it."""
    if value == NOW:
        return "now()"
    bound = typed(kind, value)
    return kql.list_literal(bound.value, bound.type) if kind.many else kql.literal(bound.value, bound.type)


def written(kind: Kind, text: str) -> str:
    """A person's value as a literal. Raises ParameterError with what is expected."""
    value = parse(kind, text)
    if not value:
        raise ParameterError(f"Give {kind.label[0].lower()}{kind.label[1:]}.")
    return literal(kind, value)


def findings(case: Case, source: Source, text: str, named: Sequence[kql.Table] = ()) -> list[dict[str, Any]]:
    """What keeps the local engine from running the text, each a warning with a hint. A tenant judges for itself."""
    if source != Source.CASE or not text.strip():
        return []
    given, _ = sources.tables_for(case, None)
    lines = text.split("\n")
    checked = kql.validate(text, (*given, *named), supplies=supplies.offered(case, text))
    return [_finding(each, lines) for each in checked]


def unreadable(text: str) -> list[dict[str, Any]]:
    """What keeps the text from being read as KQL, as `findings` has it."""
    try:
        parser.parse(text)
    except KqlError as error:
        said = kql.Diagnostic(error.line or 1, error.column or 1, 1, "error", error.code, error.message, error.hint)
        return [_finding(said, text.split("\n"))] if text.strip() else []
    return []


def _finding(found: kql.Diagnostic, lines: list[str]) -> dict[str, Any]:
    line = min(max(found.line, 1), len(lines))
    start = _units(lines[line - 1][: max(found.column - 1, 0)])
    return {
        "line": line,
        "column": start + 1,
        "length": max(found.length, 1),
        "code": found.code,
        "message": found.message,
        "hint": found.hint,
    }


def constants(case: Case, text: str) -> list[dict[str, Any]] | None:
    """Constants of the text that may be given as typed values, with every place where each stands. None where nothing
    can be said: the text is no KQL at this moment."""
    found = [
        _constant(case, one.guess, [[_units(text[:start]), _units(text[:end])] for start, end in one.places])
        for one in constants_of(text)
    ]
    return found if found or _is_kql(text) else None


def _is_kql(text: str) -> bool:
    try:
        parser.parse(text)
    except KqlError:
        return not text.strip()
    return True


def _constant(case: Case, guess: ParameterGuess, places: list[list[int]]) -> dict[str, Any]:
    return {
        "name": guess.name,
        "label": label_of(guess.name),
        "kind": str(guess.kind),
        "kindLabel": guess.kind.label,
        "many": guess.kind.many,
        "value": _text(guess.default),
        "help": guess.help,
        "places": places,
        "known": known(case, guess.fill),
    }


def _text(value: object) -> str:
    """A default as a person types it, a list one value a line."""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def known(case: Case, origin: str) -> list[str]:
    """What the case has for a parameter's `fill`, as in hunting/catalogue.py."""
    thing, _, rest = origin.partition(".")
    if thing == "indicator":
        values: Iterable[str] = case.indicators.filter(kind=rest).values_list("value", flat=True)[:MAX_KNOWN]
    elif thing == "asset":
        kind, _, attribute = rest.partition(".")
        values = case.assets.filter(kind=kind).values_list(attribute, flat=True)[:MAX_KNOWN]
    else:
        values = ()
    return list(dict.fromkeys(value for value in values if value))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
