"""What the KQL editor is told: the tables of a source, the library's hunts as functions, findings, and typed constants.

Offsets and columns that leave here count UTF-16 units, as browsers do.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import kql
from hunting import catalogue
from hunting.catalogue import Hunt, Parameter
from hunting.forms import label_of
from hunting.importing import ParameterGuess, suggest_parameters
from hunting.models import Source
from hunting.services import pushes, schemas, sources
from hunting.values import NOW, Kind, ParameterError, parse, typed
from ircase.models import Case
from kql.catalogue import INFO
from kql.errors import KqlError
from kql.parquet import TIME_COLUMNS
from kql.syntax import parser
from kql.syntax.tokens import Token, tokens

MAX_SUGGESTED: Final = 20
MAX_KNOWN: Final = 200
_FAMILIES: Final = {Source.DEFENDER: ("defender", "both"), Source.LOG_ANALYTICS: ("sentinel", "both")}
# A placeholder that stands alone, in quotes, in a typed literal or before a unit of time: its whole text is the value.
_WHOLE: Final = re.compile(
    r"""(?:\w+\s*\(\s*\[?\s*)?["']?(?:\{\{?[^{}"']*\}\}?|<[^<>"']*>)["']?(?:\s*\]?\s*\))?[dhms]?""", re.ASCII
)


def schema(case: Case, source: Source) -> dict[str, Any]:
    """The tables that a query on this source sees (name, meaning, columns as name and type), and the hunts that run
    there. Of a source that tells, it is what was read there; else Microsoft's schema as the catalogue has it: the
    tenant may have more."""
    read = list(_read_tables(case, source))
    tables = _own_tables(case) if source == Source.CASE else iter(read or _known_tables(source))
    return {
        "database": case.reference if source == Source.CASE else source.label,
        "complete": source == Source.CASE or bool(read),
        "tables": [{"name": name, "about": about, "columns": columns} for name, about, columns in tables],
        "hunts": list(_functions(source)),
    }


def _functions(source: Source) -> Iterator[dict[str, Any]]:
    if source.is_tenant or _engine_takes_functions():
        yield from (_as_function(hunt) for hunt in catalogue.hunts().values() if source in hunt.sources)


@functools.cache
def _engine_takes_functions() -> bool:
    """Whether the local engine runs a `let` function whose body is a query with lets of its own, as hunts have."""
    text = 'let f = (x: string) {\n    let y = T | take 1;\n    T | where A == x\n};\nf("a") | take 1'
    return not kql.validate(text, {"T": (kql.Column("A", "string"),)})


_Rows = Iterator[tuple[str, str, list[tuple[str, str]]]]


def _read_tables(case: Case, source: Source) -> _Rows:
    if source == Source.KUSTO_CASE:
        for table in pushes.as_schema(case):
            yield table["name"], table["about"], [(column, kind) for column, kind in table["columns"]]
        return
    for name, table in sorted(schemas.tables(case.connection, source).items()):
        about = table["about"] or (INFO[name].meaning if name in INFO else "")
        yield name, about, [(column, kind) for column, kind in table["columns"]]


def _known_tables(source: Source) -> _Rows:
    for name, info in INFO.items():
        if info.family in _FAMILIES.get(source, ()):
            yield name, info.meaning, [(c.name, c.type) for c in info.columns]


def _own_tables(case: Case) -> _Rows:
    given, _ = sources.tables_for(case, None)
    for table in sorted(given, key=lambda each: each.name):
        columns: list[tuple[str, str]] = [(c.name, c.type) for c in table.columns or ()]
        about = INFO[table.name].meaning if table.name in INFO else "A table read from this case's evidence"
        yield table.name, about, columns + list(_twin(columns))


def _twin(columns: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """`Timestamp` and `TimeGenerated` stand in for each other on a case's tables (kql.schema)."""
    kinds = dict(columns)
    have = [name for name in TIME_COLUMNS if name in kinds]
    if len(have) == 1:
        yield next(name for name in TIME_COLUMNS if name not in kinds), kinds[have[0]]


def _as_function(hunt: Hunt) -> dict[str, Any]:
    """A hunt as a function that a query may define and call: neither engine knows it by itself."""
    name = hunt.id.replace("-", "_")
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


def findings(case: Case, source: Source, text: str) -> list[dict[str, Any]]:
    """What keeps the local engine from running the text, each a warning with a hint. A tenant judges for itself."""
    if source != Source.CASE or not text.strip():
        return []
    given, _ = sources.tables_for(case, None)
    lines = text.split("\n")
    return [_finding(each, lines) for each in kql.validate(text, given)]


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
    try:
        words = tokens(text)
    except KqlError:
        words = []
    found = []
    for guess in suggest_parameters(text)[:MAX_SUGGESTED]:
        places = list(_places(guess, text, words))
        if places:
            found.append(_constant(case, guess, [[_units(text[:start]), _units(text[:end])] for start, end in places]))
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


def _places(guess: ParameterGuess, text: str, words: list[Token]) -> Iterator[tuple[int, int]]:
    """Start and end of the literal, or of each placeholder, that the guess is about."""
    if guess.found_as == "placeholder":
        if _WHOLE.fullmatch(guess.original):
            yield from (match.span() for match in re.finditer(re.escape(guess.original), text))
    elif guess.found_as == "let":
        yield from _value_of_let(guess, words)
    elif not guess.kind.many:
        quoted = {f'"{guess.default}"', f"'{guess.default}'"}
        here = [w for w in words if w.kind == "string" and w.text in quoted and w.span.line >= (guess.line or 0)]
        yield from ((word.span.offset, word.end) for word in here[:1])


def _value_of_let(guess: ParameterGuess, words: list[Token]) -> Iterator[tuple[int, int]]:
    for at, word in enumerate(words):
        if word.text == "let" and word.span.line == guess.line and [w.text for w in words[at + 2 : at + 3]] == ["="]:
            ends = (i for i in range(at + 3, len(words)) if words[i].text == ";" or words[i].kind == "end")
            last = next(ends, at + 3) - 1
            if guess.original.startswith(f"let {words[at + 1].text}") and last >= at + 3:
                yield words[at + 3].span.offset, words[last].end
                return


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
