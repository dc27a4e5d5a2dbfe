"""A text that should be a query: read, mended where that is certain, split where it holds several."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from hunting.importing import functions
from hunting.importing.model import ImportRefused
from hunting.importing.parameters import Parameterised, parameterise
from hunting.importing.text import recommented, straightened, unescaped, unix_lines
from kql.errors import KqlError
from kql.syntax.operators import OPERATOR_NAMES
from kql.syntax.tokens import MAX_TEXT

MAX_SPLITS: Final = 100
MAX_UNSEPARATED: Final = 20_000
_Mending = Callable[[str], tuple[str, list[str]]]


@dataclass
class Examined:
    """One query: what it reads as, what was changed for that, its first line in its source, and its words."""

    found: Parameterised
    line: int
    changes: list[str] = field(default_factory=list)
    original: str = ""


@dataclass(frozen=True)
class Broken:
    """A piece of a text that is no query, and why. `line` counts in the text it came from."""

    reason: str
    line: int


def examine(text: str, *, name: str = "") -> list[Examined | Broken]:
    """The queries of a text, in its order; what of it is none, with the reason. `name`: for a function without one.

    Raises ImportRefused where nothing of it is a query; the line counts in `text`.
    """
    body, changes = unix_lines(text.removeprefix("\ufeff"))
    lead = len(body) - len(body.lstrip("\n\t "))
    line = body.count("\n", 0, lead) + 1
    body = body.strip()
    if not re.sub(r"//[^\n]*|\s", "", body):
        raise ImportRefused("It holds no query, only comments or nothing.", line)
    if len(body) > MAX_TEXT:
        raise ImportRefused(f"The query has {len(body):,} characters; at most {MAX_TEXT:,} are read.", line)
    try:
        return [_whole(body, line, changes, name)]
    except KqlError as error:
        pieces = _pieces(body, line, changes)
        if not any(isinstance(piece, Examined) for piece in pieces):
            raise _refusal(error, line) from error
        return pieces


def _refusal(error: KqlError, line: int) -> ImportRefused:
    word = error.message.split(" ", 1)[0]
    hint = f" {error.hint}" if error.hint else ""
    if word in OPERATOR_NAMES and "is not expected here" in error.message:
        hint = f" A pipe seems to be missing before {word}."
    return ImportRefused(f"This is no KQL that is read here: {error.message}{hint}", (error.line or 1) + line - 1)


def _whole(text: str, line: int, changes: list[str], name: str = "") -> Examined:
    """The text as one query. Raises KqlError, of the text as it stands."""
    try:
        return Examined(_as_it_stood(parameterise(text), text), line, list(changes), text)
    except KqlError as error:
        for mended, said in _mended(text, name):
            try:
                return Examined(_as_it_stood(parameterise(mended), text), line, [*changes, *said], text)
            except KqlError:
                continue
        raise error


def _as_it_stood(found: Parameterised, text: str) -> Parameterised:
    """What each parameter replaced, as the text had it: a bare placeholder was quoted, an argument invented."""
    for number, parameter in enumerate(found.parameters):
        if parameter.original not in text:
            bare = re.sub(r"[\"'](\{[^{}\"']*\})[\"']", r"\1", parameter.original)
            original = bare if bare in text else ""
            said = f"{parameter.original} became the parameter {parameter.name}."
            become = f"The function's argument became the parameter {parameter.name}."
            found.changes = [become if change == said else change for change in found.changes]
            found.parameters[number] = replace(parameter, original=original)
    return found


def _mended(text: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """The text as its author may have meant it, the surest first; each only counts if it then reads."""
    seen = {text}
    mendings: tuple[tuple[_Mending, ...], ...] = (
        (recommented,),
        (straightened,),
        (unescaped,),
        (unescaped, straightened),
    )
    for mending in mendings:
        mended, said = text, []
        for mend in mending:
            mended, more = mend(mended)
            said += more
        if mended not in seen:
            seen.add(mended)
            yield mended, said
    if function := functions.called(text, name):
        yield function


# --- several queries in one text


@dataclass(frozen=True)
class _Chunk:
    text: str
    line: int


def _pieces(text: str, line: int, changes: list[str]) -> list[Examined | Broken]:
    """Queries that blank lines separate, or that simply follow each other."""
    chunks = _chunks(text, line)
    if len(chunks) > MAX_SPLITS:
        return []
    found: list[Examined | Broken] = []
    lets: dict[str, str] = {}
    at = 0
    while at < len(chunks):
        piece, used = _next(chunks[at : at + 12], lets, changes)
        found += piece
        at += used
    return found if len(found) > 1 else []


def _chunks(text: str, line: int) -> list[_Chunk]:
    """Paragraphs; one that begins with a pipe belongs to the one before it, a comment between them to both."""
    chunks: list[_Chunk] = []
    for match in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+", text):
        here = text.count("\n", 0, match.start()) + line
        chunk = _Chunk(match[0], here)
        if _first_row(chunk).startswith(("|", ")")):
            while len(chunks) > 1 and not _first_row(chunks[-1]):
                chunk = _joined(chunks.pop(), chunk)
            if chunks:
                chunk = _joined(chunks.pop(), chunk)
        chunks.append(chunk)
    return chunks


def _first_row(chunk: _Chunk) -> str:
    """Its first row that is no comment, "" where all are."""
    rows = (row.strip() for row in chunk.text.split("\n"))
    return next((row for row in rows if row and not row.startswith("//")), "")


def _joined(one: _Chunk, two: _Chunk) -> _Chunk:
    gap = "\n" * (two.line - one.line - one.text.count("\n"))
    return _Chunk(f"{one.text}{gap}{two.text}", one.line)


def _next(
    chunks: list[_Chunk], lets: dict[str, str], changes: list[str]
) -> tuple[list[Examined | Broken], int]:  # fmt: skip
    """The first query of the chunks and how many of them it takes."""
    text = ""
    first: KqlError | None = None
    for count, chunk in enumerate(chunks, 1):
        text = f"{text}\n{chunk.text}" if text else chunk.text
        try:
            return [_piece(text.strip(), chunks[0].line, lets, changes)], count
        except KqlError as error:
            first = first or error
            if count == 1 and (halves := _halves(chunk, error, lets, changes)):
                return halves, 1
            if not _may_go_on(error, text):
                break
    refusal = _refusal(first or KqlError(""), chunks[0].line)
    if not re.sub(r"//[^\n]*|\s", "", chunks[0].text):
        return [], 1
    return [Broken(str(refusal), refusal.line or chunks[0].line)], 1


def _piece(text: str, line: int, lets: dict[str, str], changes: list[str]) -> Examined:
    """One query among several. Raises KqlError; a bare word is none."""
    words = set(re.findall(r"\w+", text))
    shared = [name for name in lets if name in words and not re.search(rf"\blet\s+{name}\b", text)]
    head = "\n".join(lets[name] for name in shared)
    found = _whole(f"{head}\n{text}" if head else text, line, changes)
    if not found.found.facts.plausible or found.found.facts.is_bare:
        raise KqlError("This is a word, not a query.", line=1)
    if head:
        found.changes.append(f"It takes {', '.join(f'let {name}' for name in shared)} from the query before it.")
    lets |= {match[1]: match[0] for match in re.finditer(r"(?m)^let\s+(\w+)\s*=[^;\n]*;", text)}
    return found


def _halves(chunk: _Chunk, error: KqlError, lets: dict[str, str], changes: list[str]) -> list[Examined | Broken]:
    """Queries without a blank line between them: each begins a line, where the reading of the one before it ends."""
    found: list[Examined | Broken] = []
    rest = chunk
    while len(found) < MAX_SPLITS and len(rest.text) <= MAX_UNSEPARATED:
        rows = rest.text.split("\n")
        at = (error.line or 1) - 1
        if at < 1 or at >= len(rows) or rows[at][: (error.column or 1) - 1].strip():
            return []
        while at > 1 and rows[at - 1].strip().startswith("//"):
            at -= 1
        try:
            found.append(_piece("\n".join(rows[:at]).strip(), rest.line, lets, changes))
        except KqlError:
            return []
        rest = _Chunk("\n".join(rows[at:]), rest.line + at)
        try:
            return [*found, _piece(rest.text.strip(), rest.line, lets, changes)]
        except KqlError as following:
            error = following
    return []


def _may_go_on(error: KqlError, text: str) -> bool:
    """Whether more text could mend it: the reading failed at the end, or something is still open."""
    at_end = error.line is None or error.line > text.rstrip().count("\n")
    return at_end or "closed" in error.message or "no pipeline" in error.message
