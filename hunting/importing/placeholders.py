"""`{Placeholders}` and `<Placeholders>` become plain identifiers; nothing is ever pasted in their place."""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from hunting.importing.guesses import TEXT, Guess, camel, guess, known, plural
from hunting.importing.model import ParameterGuess
from hunting.values import KINDS, Kind

_INNER: Final = r"[A-Za-z][A-Za-z0-9_ .,'/-]{0,80}"
_MARKED: Final = rf"(?:\{{\{{?\s*(?P<brace>{_INNER}?)\s*\}}?\}}|<\s*(?P<angle>{_INNER}?)\s*>)"
_WHOLE: Final = re.compile(rf"\s*{_MARKED}\s*\Z")
_EMBEDDED: Final = re.compile(_MARKED)
_WORDS: Final = re.compile(
    rf"""
    (?P<comment>//[^\n]*)
  | (?P<typed>\b(?:datetime|timespan|time|dynamic|guid|long|int|bool)\s*\(\s*\[?\s*["']?
        (?P<typed_inner>\{{\s*{_INNER}?\s*\}}|<\s*{_INNER}?\s*>)["']?\s*\]?\s*\))
  | (?P<string>[hH]?(?:@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
  | (?P<bare>\{{\{{?[ \t]*[A-Za-z][A-Za-z0-9_ .-]{{0,60}}\}}?\}}|<[ \t]*[A-Za-z][A-Za-z0-9_ .,'/-]{{0,80}}>)
      (?P<unit>[dhms]\b)?
    """,
    re.VERBOSE,
)
_OPERATORS: Final = (
    r"has|has_cs|contains|contains_cs|startswith|startswith_cs|endswith|endswith_cs|hasprefix|hassuffix|in|in~|has_any"
    r"|has_all|take|limit|top|sample|and|or|not|between|to|from|step"
)
_BEFORE: Final = re.compile(rf"(?:[=~(\[,<>+*/]|\.\.|\bby|\b!?(?:{_OPERATORS}))\s*\Z")
_LET: Final = re.compile(r"\blet\s+[A-Za-z_]\w*\s*=\s*\Z")
_COLUMN: Final = re.compile(
    rf"\b([A-Za-z_]\w*)\s*\)?\s*(?:[=!]=|=~|!~|!?(?:{_OPERATORS}))\s*\(?\s*(?:[\"'][^\"'\n]{{0,60}}[\"']\s*,\s*)*\Z"
)
_LIST: Final = re.compile(r"\b(?:in~?|has_any|has_all)\s*\(\s*\Z")


@dataclass
class Lifted:
    """A text without placeholders, and the parameters that stand in their place."""

    text: str
    parameters: list[ParameterGuess] = field(default_factory=list)


def lift_placeholders(text: str) -> Lifted:
    """The text with its placeholders, quoted or not, as identifiers.

    A `let` whose whole value is a placeholder keeps it, in quotes: the `let` itself is the parameter.
    """
    lifter = _Lifter(text)
    out: list[str] = []
    end = 0
    for match in _WORDS.finditer(text):
        out.append(text[end : match.start()])
        out.append(lifter.word(match))
        end = match.end()
    out.append(text[end:])
    return Lifted(_without_dynamic("".join(out), {p.name for p in lifter.found.values()}), list(lifter.found.values()))


class _Lifter:
    """Replaces one word after the other and remembers what it lifted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: dict[str, ParameterGuess] = {}

    def word(self, match: re.Match[str]) -> str:
        if match["comment"]:
            return match[0]
        before = self.text[max(0, match.start() - 160) : match.start()]
        if match["typed"]:
            return self._typed(match, before)
        if match["string"]:
            return self._string(match, before)
        return self._bare(match, before)

    def _typed(self, match: re.Match[str], before: str) -> str:
        inner = _WHOLE.match(match["typed_inner"])
        name = (inner["brace"] or inner["angle"]) if inner else ""
        word = match["typed"].split("(")[0].strip()
        kind = {"time": "timespan", "long": "int", "dynamic": "", "guid": ""}.get(word, word)
        return self._parameter(name, before, match, kind=kind, many=word == "dynamic")

    def _string(self, match: re.Match[str], before: str) -> str:
        head, body = re.split(r"(?<=[\"'])", match["string"], maxsplit=1)
        body, quote = body[:-1], body[-1]
        whole = _WHOLE.match(body)
        if whole and (whole["brace"] or known(whole["angle"])):
            if _LET.search(before):
                return match[0]
            return self._parameter(whole["brace"] or whole["angle"], before, match)
        return self._embedded(match, before, head, body, quote)

    def _embedded(self, match: re.Match[str], before: str, head: str, body: str, quote: str) -> str:
        pieces: list[str] = []
        end = 0
        for inner in _EMBEDDED.finditer(body):
            name = inner["brace"] or inner["angle"]
            shape = re.fullmatch(r"[A-Za-z]\w*", name) if inner["brace"] else "<" not in body[: inner.start()]
            if not shape or guess(name) is TEXT or body[: inner.start()].endswith(("\\p", "\\P", "$")):
                continue
            if inner.start() > end:
                pieces.append(f"{head}{body[end : inner.start()]}{quote}")
            pieces.append(self._parameter(name, before, match, embedded=True))
            end = inner.end()
        if not pieces:
            return match[0]
        if end < len(body):
            pieces.append(f"{head}{body[end:]}{quote}")
        return f"strcat({', '.join(pieces)})"

    def _bare(self, match: re.Match[str], before: str) -> str:
        whole = _WHOLE.match(match["bare"])
        if whole is None or not _BEFORE.search(before):
            return match[0]
        name = whole["brace"] or whole["angle"]
        if _LET.search(before):
            return f'"{{{name}}}"'
        many = bool(_LIST.search(before)) and self.text[match.end() :][:20].lstrip().startswith(")")
        kind = "timespan" if match["unit"] or re.search(r"\bago\s*\(\s*-?\s*\Z", before) else ""
        number = re.search(r"\b(?:take|limit|top|sample)\s*\Z", before)
        return self._parameter(name, before, match, kind=kind or ("int" if number else ""), many=many)

    def _parameter(
        self,
        name: str,
        before: str,
        match: re.Match[str],
        *,
        kind: str = "",
        many: bool = False,
        embedded: bool = False,
    ) -> str:
        key = name.casefold()
        if key not in self.found:
            column = _COLUMN.search(before)
            likely = guess(name, column[1] if column else "")
            found = _described(name, likely, kind, many=many)
            if embedded and found.kind != Kind("string"):
                # A piece of a longer text need not be a whole value of its type.
                found = replace(found, kind=Kind("string"))
            line = self.text.count("\n", 0, match.start()) + 1
            self.found[key] = replace(found, name=self._free(found.name), original=match[0][:200], line=line)
        return self.found[key].name

    def _free(self, name: str) -> str:
        taken = {p.name for p in self.found.values()}
        number = 2
        free = name
        while free in taken or re.search(rf"(?<![\w{{<]){free}\b(?!\s*[}}>])", self.text):
            free, number = f"{name}{number}", number + 1
        return free


def _described(name: str, likely: Guess, kind: str, *, many: bool) -> ParameterGuess:
    if kind and kind != likely.kind:
        likely = Guess(
            "SearchWindow" if kind == "timespan" else "", kind, "" if kind in ("timespan", "datetime") else likely.fill
        )
    many = many and KINDS[likely.kind].kql not in ("datetime", "timespan")
    base = likely.name or _named(name)
    base = plural(base) if many else base
    return ParameterGuess(
        name=base,
        kind=Kind(likely.kind, many=many),
        required=likely.name != "SearchWindow",
        default="7d" if likely.name == "SearchWindow" else None,
        fill=likely.fill,
        help=f"Stood as {name.strip()} in the original.",
        found_as="placeholder",
    )


def _named(name: str) -> str:
    return camel(re.sub(r"[.,'/-]", " ", name)) or "Value"


def placeholder_name(value: str) -> str:
    """The name in a text that is nothing but a placeholder, "" for any other text."""
    whole = _WHOLE.match(value)
    if whole is None:
        return ""
    return str(whole["brace"] or (whole["angle"] if known(whole["angle"]) else ""))


def _without_dynamic(text: str, names: set[str]) -> str:
    """`dynamic([...])` holds literals only; a list that names parameters is `pack_array(...)`."""

    def packed(match: re.Match[str]) -> str:
        words = set(re.findall(r"\b[A-Za-z]\w*\b", re.sub(r"\"[^\"]*\"|'[^']*'", "", match[1])))
        return f"pack_array({match[1]})" if words & names else match[0]

    return re.sub(r"\bdynamic\s*\(\s*\[([^\[\]]*)\]\s*\)", packed, text) if names else text
