"""The constants of a text, offered as typed parameters.

A `let` with a literal at the top of a query, the literals of a call that ends it, and placeholders become parameters;
the text then uses them as plain identifiers and a prelude binds them (docs/adding-a-hunt.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from hunting.importing.facts import Facts, compared
from hunting.importing.guesses import TEXT, Guess, camel, fits, guess, plural
from hunting.importing.model import Default, ParameterGuess
from hunting.importing.placeholders import lift_placeholders, placeholder_name
from hunting.values import Kind
from kql.errors import KqlError
from kql.syntax import tree
from kql.syntax.parser import parse
from kql.syntax.tokens import Token, tokens
from kql.types import datetime_text, timespan_text

MAX_LIST: Final = 100
_LIBRARY_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{1,63}\Z")
_EMPTY: Final = re.compile(r"(?i)\s*|(your|my|change|enter|insert|replace|put|todo|xxx|<|\.\.\.).*\Z", re.DOTALL)
_CHANGE: Final = re.compile(
    r"(?i)\b(change|replace|adjust|modify|edit|insert|enter|customi[sz]e|fill in)\s+"
    r"(this|these|it|me|here|with|your|as needed|if needed|accordingly)\b|\byour\b"
)
_COMMENT: Final = re.compile(r"""(?:[^"'/\n]|"[^"\n]*"|'[^'\n]*'|/(?!/))*+//(.*)""")


@dataclass
class Parameterised:
    """A text that uses its parameters as identifiers, and what was done to it. `facts` is of this text."""

    text: str
    facts: Facts
    parameters: list[ParameterGuess] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def parameterise(text: str) -> Parameterised:
    """The text with its constants lifted. Raises KqlError where it is no KQL, placeholders aside."""
    lifted = lift_placeholders(text)
    facts = Facts(parse(lifted.text))
    found = Parameterised(lifted.text, facts)
    found.parameters = _apart_from_columns(found, lifted.parameters)
    _lift_lets(found)
    _lift_call(found)
    _lift_marked(found)
    for parameter in found.parameters:
        if parameter.found_as == "placeholder":
            found.changes.append(f"{parameter.original} became the parameter {parameter.name}.")
    return found


def suggest_parameters(text: str) -> list[ParameterGuess]:
    """What of a text may become a parameter: lets with a literal, placeholders, and literals that a column of a device,
    an account, an address, a hash or a file is compared with (`found_as` "constant"; the text keeps these until a
    person takes the offer). A text that is no KQL gives what its placeholders say."""
    try:
        found = parameterise(text)
    except KqlError:
        return lift_placeholders(text).parameters
    taken = {p.name.casefold() for p in found.parameters}
    return [*found.parameters, *(c for c in _constants(found.facts) if c.name.casefold() not in taken)]


def _apart_from_columns(found: Parameterised, parameters: list[ParameterGuess]) -> list[ParameterGuess]:
    """Parameters whose names no column has: a column would hide them."""
    kept = []
    for parameter in parameters:
        name = parameter.name
        while name.casefold() in found.facts.columns or name in found.facts.lets:
            name = f"{name}Value"
        if name != parameter.name:
            found.text = re.sub(rf"\b{parameter.name}\b", name, found.text)
            found.facts = Facts(parse(found.text))
        kept.append(replace(parameter, name=name))
    return kept


# --- lets


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str = ""


def _lift_lets(found: Parameterised) -> None:
    words = tokens(found.text)
    edits: list[_Edit] = []
    windows = _windows(found.facts)
    columns = compared(found.facts)
    for let in found.facts.query.lets:
        literal = _literal(let.value)
        if literal is None or not found.text.startswith("let", let.span.offset):
            continue
        asked = isinstance(literal, str) and guess(placeholder_name(literal)).name == "SearchWindow"
        likely = guess(let.name, columns.get(let.name, ""))
        name = _new_name(let.name, likely, found, words, window=asked or (let.name in windows and len(windows) == 1))
        end, comment = _statement_end(found.text, let.span.offset + let.span.length)
        original = found.text[let.span.offset : end].strip()
        parameter = _typed(name, likely, literal, original) if name else None
        if parameter is None and isinstance(literal, str) and placeholder_name(literal):
            edits.append(_in_place(let, literal, found))
        elif parameter:
            edits += [_Edit(let.span.offset, end), *_renames(words, let, name, end)]
            found.parameters.append(replace(parameter, help=comment, line=let.span.line))
            found.changes.append(_said(let.name, name, parameter))
        elif sum(word.text == let.name for word in words) > 1:
            found.notes.append(f"let {let.name} stays in the text: as a parameter it could mean something else.")
    _apply(found, edits)


def _in_place(let: tree.Let, literal: str, found: Parameterised) -> _Edit:
    """A let that must stay takes the parameter as its value."""
    name = placeholder_name(literal)
    likely = guess(name)
    free = _argument_name(name, likely, found)
    span = let.value.span
    parameter = _of_texts(ParameterGuess(free, Kind("string"), original=literal), likely, literal)
    found.parameters.append(parameter or ParameterGuess(free, Kind("string"), required=True))
    found.changes.append(f"{literal} became the parameter {free}.")
    return _Edit(span.offset, span.offset + span.length, free)


def _said(old: str, name: str, parameter: ParameterGuess) -> str:
    renamed = f", now called {name}" if old != name else ""
    return f"let {old} became a parameter{renamed} ({parameter.kind})."


def _windows(facts: Facts) -> set[str]:
    """Lets that say how far back the query looks: their name says so and ago() takes them."""
    called = {
        node.arguments[0].value.text
        for node in facts.nodes
        if isinstance(node, tree.Call) and node.name == "ago" and len(node.arguments) == 1
        and isinstance(node.arguments[0].value, tree.Name)
    }  # fmt: skip
    names = {let.name for let in facts.query.lets if isinstance(let.value, tree.Constant)}
    return {name for name in names & called if guess(name).name == "SearchWindow"}


def _literal(value: Any) -> Default | datetime | timedelta | None:
    """A let's value where a parameter can have it, None for all else."""
    if not isinstance(value, tree.Constant) or value.value is None:
        return None
    inner = value.value
    if value.type in ("string", "long", "bool"):
        return inner if isinstance(inner, str | int) and len(str(inner)) <= 1000 else None
    if value.type == "datetime" and isinstance(inner, datetime):
        return inner
    if value.type == "timespan" and isinstance(inner, timedelta):
        return inner if timedelta(0) < inner <= timedelta(days=3650) else None
    if value.type == "dynamic" and isinstance(inner, list) and 0 < len(inner) <= MAX_LIST:
        return tuple(inner) if all(isinstance(item, str) and 0 < len(item) <= 1000 for item in inner) else None
    return None


def _typed(name: str, likely: Guess, literal: Any, original: str) -> ParameterGuess | None:
    """The parameter that a literal makes; None where its type would not give the same value back."""
    blank = ParameterGuess(name=name, kind=Kind("string"), original=original[:200])
    if isinstance(literal, bool):
        return replace(blank, kind=Kind("bool"), default=literal)
    if isinstance(literal, int):
        return replace(blank, kind=Kind("int"), default=literal)
    if isinstance(literal, datetime):
        return replace(blank, kind=Kind("datetime"), default=datetime_text(literal))
    if isinstance(literal, timedelta):
        written = re.search(r"\b\d{1,7}[dhms]\b", original)
        return replace(blank, kind=Kind("timespan"), default=written[0] if written else timespan_text(literal))
    return _of_texts(blank, likely, literal)


def _of_texts(blank: ParameterGuess, likely: Guess, literal: str | tuple[str, ...]) -> ParameterGuess | None:
    if isinstance(literal, str) and (word := placeholder_name(literal) or (_EMPTY.fullmatch(literal) and "value")):
        likely = guess(word) if likely is TEXT or guess(word).kind == "timespan" else likely
        default = "7d" if likely.kind == "timespan" else None
        return replace(blank, kind=Kind(likely.kind), required=not default, default=default, fill=likely.fill)
    many = isinstance(literal, tuple)
    value = list(literal) if many else literal
    for name in (likely.kind, "string"):
        if name not in ("timespan", "datetime", "int", "bool") and fits(Kind(name, many=many), value):
            # A fill of another type than the value's would bring values that do not compare.
            fill = likely.fill if name == likely.kind else ""
            return replace(blank, kind=Kind(name, many=many), default=literal, fill=fill)
    return None


def _new_name(old: str, likely: Guess, found: Parameterised, words: list[Token], *, window: bool) -> str:
    """What the let is called as a parameter, "" where it must stay: a name that means something else as well."""
    facts = found.facts
    named = [i for i, word in enumerate(words) if word.kind == "name" and word.text == old]
    uses = [i for i in named if not (i and words[i - 1].text == ".")]
    others = [i for i in uses if not (i and words[i - 1].text == "let")]
    shadowed = any(words[i + 1].text in ("=", ":") for i in others)
    again = len(uses) - len(others) != 1 or any(isinstance(n, tree.Parameter) and n.name == old for n in facts.nodes)
    if shadowed or again or old in facts.written_columns or not others:
        return ""
    short = likely.name if len(old) < 3 and likely.name not in facts.lets else ""
    wanted = "SearchWindow" if window else old if _LIBRARY_NAME.match(old) else short or camel(old)
    taken = {word.text.casefold() for word in words if word.kind == "name" and word.text != old} | facts.columns
    taken |= {p.name.casefold() for p in found.parameters}
    for name in (wanted, camel(old), f"Target{camel(old)}", f"{camel(old)}Value"):
        if name.casefold() not in taken:
            return name
    return ""


def _statement_end(text: str, at: int) -> tuple[int, str]:
    """The offset after a let statement, its line's end included where nothing else stands on it, and the comment."""
    rest = re.compile(r"\s*;?[ \t]*(?://([^\n]*))?(\n?)").match(text, at)
    if rest is None:
        return at, ""
    return rest.end(), re.sub(r"\s+", " ", rest[1] or "").strip()[:200]


def _renames(words: list[Token], let: tree.Let, name: str, end: int) -> Iterator[_Edit]:
    if name == let.name:
        return
    for before, word in pairwise(words):
        inside = let.span.offset <= word.span.offset < end
        if before.text != "." and word.kind == "name" and word.text == let.name and not inside:
            yield _Edit(word.span.offset, word.end, name)


def _apply(found: Parameterised, edits: list[_Edit]) -> None:
    if not edits:
        return
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda e: e.start):
        if edit.start >= at:
            pieces += [found.text[at : edit.start], edit.text]
            at = edit.end
    found.text = "".join([*pieces, found.text[at:]]).strip("\n")
    found.facts = Facts(parse(found.text))


# --- the literals of a call


def _lift_call(found: Parameterised) -> None:
    """`let Name = (device: string) {...}; Name("ws01")`: what the function is called with is what the hunt asks for."""
    body = found.facts.query.body
    call = body.source if isinstance(body, tree.Pipeline) else None
    functions = {n.name: n.value for n in found.facts.query.lets if isinstance(n.value, tree.Function)}
    if not isinstance(call, tree.Call) or call.name not in functions:
        return
    edits: list[_Edit] = []
    columns = compared(found.facts)
    for parameter, argument in zip(functions[call.name].parameters, call.arguments, strict=False):
        literal = _literal(argument.value)
        if literal is None or argument.name or not argument.value.span.line:
            continue
        span = argument.value.span
        original = found.text[span.offset : span.offset + span.length]
        likely = guess(parameter.name, columns.get(parameter.name, ""))
        name = _argument_name(parameter.name, likely, found)
        typed = _typed(name, likely, literal, original)
        if typed is None:
            continue
        edits.append(_Edit(span.offset, span.offset + span.length, name))
        found.parameters.append(replace(typed, line=span.line))
        found.changes.append(f"{original[:60]} in the call of {call.name} became the parameter {name}.")
    _apply(found, edits)


def _argument_name(argument: str, likely: Guess, found: Parameterised) -> str:
    taken = found.facts.columns | {p.name.casefold() for p in found.parameters}
    taken |= {w.text.casefold() for w in tokens(found.text) if w.kind == "name"}
    name = likely.name if likely is not TEXT else f"Target{camel(argument)}"
    while name.casefold() in taken:
        name = f"{name}Value"
    return name


# --- constants that a comment asks to change


def _lift_marked(found: Parameterised) -> None:
    """`| where DeviceName == "laptop1" // change this to the device`: the author says what the hunt asks for."""
    marked = _marked_lines(found.text)
    edits: list[_Edit] = []
    names: dict[tuple[str, str], str] = {}
    for node in found.facts.nodes if marked else ():
        values, likely = _changeable(node)
        if not values or values[0].span.line not in marked:
            continue
        first, last = values[0].span, values[-1].span
        end = last.offset + last.length
        original = found.text[first.offset : end]
        if (likely.name, original) not in names:
            parameter = _marked(values, likely, original, found)
            if parameter is None:
                continue
            names[likely.name, original] = parameter.name
            found.parameters.append(replace(parameter, line=first.line, help=marked[first.line]))
            said = f"{original[:60]} became the parameter {parameter.name}, for a comment says to change it."
            found.changes.append(said)
        edits.append(_Edit(first.offset, end, names[likely.name, original]))
    _apply(found, edits)


def _marked(
    values: list[tree.Constant], likely: Guess, original: str, found: Parameterised
) -> ParameterGuess | None:  # fmt: skip
    """The parameter that stands for the constants, None where their type would not give them back."""
    literals = [_literal(value) for value in values]
    if None in literals:
        return None
    many = len(literals) > 1
    name = _argument_name("", replace(likely, name=plural(likely.name)) if many else likely, found)
    literal = tuple(str(item) for item in literals) if many else literals[0]
    parameter = _typed(name, likely, literal, original)
    return replace(parameter, found_as="constant") if parameter else None


def _marked_lines(text: str) -> dict[int, str]:
    """Lines with a comment that says to change something on them, by number, with the comment."""
    found: dict[int, str] = {}
    for number, row in enumerate(text.split("\n"), 1):
        comment = _COMMENT.match(row)
        if comment and comment.start(1) > 2 and _CHANGE.search(comment[1]):
            found[number] = " ".join(comment[1].split())[:200]
    return found


def _changeable(node: tree.Node) -> tuple[list[tree.Constant], Guess]:
    """The constants of a node that may be what its author means, and what they are."""
    if isinstance(node, tree.Call) and node.name == "ago" and len(node.arguments) == 1:
        value = node.arguments[0].value
        return ([value] if isinstance(value, tree.Constant) else []), Guess("SearchWindow", "timespan")
    column, values = _comparison(node)
    items = node.items if isinstance(node, tree.Among) else (node.right,) if isinstance(node, tree.Binary) else ()
    likely = guess(column) if column else TEXT
    constants = [item for item in items if isinstance(item, tree.Constant)]
    likely = likely if likely is not TEXT else Guess(f"Target{camel(column)}", "string")
    return (constants if values else []), likely


# --- constants in comparisons

_SUBJECTS: Final = frozenset(
    {"device_name", "device_id", "upn", "sid", "sha1", "sha256", "md5", "ip", "url", "domain"}
)  # fmt: skip


def _constants(facts: Facts) -> Iterator[ParameterGuess]:
    seen: set[str] = set()
    for node in facts.nodes:
        column, values = _comparison(node)
        likely = guess(column) if column else TEXT
        if likely.kind not in _SUBJECTS or likely.name in seen or not values:
            continue
        kind = Kind(likely.kind, many=len(values) > 1)
        if not fits(kind, list(values) if kind.many else values[0]):
            continue
        seen.add(likely.name)
        yield ParameterGuess(
            name=plural(likely.name) if kind.many else likely.name,
            kind=kind, default=values if kind.many else values[0], fill=likely.fill,
            original=", ".join(values)[:200], line=node.span.line or None, found_as="constant",
        )  # fmt: skip


def _comparison(node: tree.Node) -> tuple[str, tuple[str, ...]]:
    """The column and the texts it is compared with."""
    items: tuple[Any, ...]
    if isinstance(node, tree.Binary) and node.operator in ("==", "=~", "has", "contains", "startswith"):
        left, items = node.left, (node.right,)
    elif isinstance(node, tree.Among) and not node.operator.startswith("!"):
        left, items = node.value, node.items
    else:
        return "", ()
    values = tuple(i.value for i in items if isinstance(i, tree.Constant) and isinstance(i.value, str) and i.value)
    column = left.text if isinstance(left, tree.Name) else ""
    return (column, values) if values and len(values) == len(items) and len(values) <= MAX_LIST else ("", ())
