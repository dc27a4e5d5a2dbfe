"""Bytes into text, and text into what its author meant to write."""

import codecs
import html
import re
from typing import Final

from hunting.importing.model import ImportRefused

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_DIRECTIONS: Final = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")


def decode(data: bytes) -> tuple[str, list[str]]:
    """The text of a file and what was changed to read it. Raises ImportRefused for what is no text."""
    for mark, codec, name in _BOMS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], codec, name), [f"The byte-order mark ({name}) is gone."]
    if b"\x00" in data:
        raise ImportRefused("It is binary, or UTF-16 without a byte-order mark.")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        text = data.decode("cp1252", "replace")
        if "\ufffd" in text or len(_CONTROLS.findall(text)) > len(text) // 200:
            line = data.count(b"\n", 0, error.start) + 1
            raise ImportRefused("It is neither UTF-8 nor Windows-1252 text.", line) from error
        return text, ["It is no UTF-8 and was read as Windows-1252."]


def _strict(data: bytes, codec: str, name: str) -> str:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise ImportRefused(f"Its byte-order mark says {name}, its bytes do not.") from error
    if "\x00" in text:
        raise ImportRefused("It is binary.")
    return text


def unix_lines(text: str) -> tuple[str, list[str]]:
    """The text with LF alone between its lines."""
    if "\r" not in text:
        return text, []
    return text.replace("\r\n", "\n").replace("\r", "\n"), ["Line breaks CR LF became LF."]


def plain(text: str, limit: int) -> str:
    """A title, a name: one line, without control characters and marks that hide or turn text."""
    line = " ".join(_DIRECTIONS.sub("", _CONTROLS.sub("", text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def prose(text: str, limit: int = 8000) -> str:
    """A description: lines kept; control characters, comments, scripts and tags of HTML gone."""
    bounded = _DIRECTIONS.sub("", _CONTROLS.sub("", text[: limit * 4])).replace("\r\n", "\n")
    bounded = re.sub(r"<!--.*?(?:-->|\Z)", "", bounded, flags=re.DOTALL)
    bounded = re.sub(r"<(script|style|iframe)\b.*?(?:</\1\s*>|\Z)", "", bounded, flags=re.DOTALL | re.IGNORECASE)
    bounded = re.sub(r"</?[a-zA-Z][^<>]{0,500}>", "", bounded)
    bounded = re.sub(r"\n{3,}", "\n\n", bounded).strip().strip("'\"").strip()
    return bounded if len(bounded) <= limit else f"{bounded[: limit - 1]}…"


_FOREIGN: Final = re.compile(
    r"""(?P<keep>//[^\n]*|@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<hidden>[\u200b-\u200f\u2060\ufeff\u00ad\u202a-\u202e]+)
    |(?P<double>[\u201c-\u201f\u00ab\u00bb])|(?P<single>[\u2018-\u201b])|(?P<dash>[\u2010-\u2015\u2212])""",
    re.VERBOSE,
)
_STRAIGHT: Final = {"hidden": "", "double": '"', "single": "'", "dash": "-"}
_SAID: Final = {
    "hidden": "Characters without width outside of quotes are gone.",
    "double": "Typographic quotes became straight ones.",
    "single": "Typographic quotes became straight ones.",
    "dash": "Typographic dashes outside of quotes became hyphens.",
}


def straightened(text: str) -> tuple[str, list[str]]:
    """The text without what word processors and web pages put into it, quoted texts and comments left as they are."""
    said: dict[str, None] = {}

    def straighten(match: re.Match[str]) -> str:
        kind = match.lastgroup or "keep"
        if kind == "keep":
            return match[0]
        said[_SAID[kind]] = None
        return _STRAIGHT[kind]

    return _FOREIGN.sub(straighten, text), list(said)


def unescaped(text: str) -> tuple[str, list[str]]:
    """The text with the entities of HTML (``&gt;``) as the characters that they stand for."""
    found = html.unescape(text)
    return found, ["Entities of HTML became the characters that they stand for."] if found != text else []


def recommented(text: str) -> tuple[str, list[str]]:
    """The text with a ``/* … */`` at its top, which KQL does not have, as comments of KQL."""
    top = re.match(r"\s*/\*(.*?)\*/[ \t]*\n?", text[:20_000], re.DOTALL)
    if top is None:
        return text, []
    rows = ["// " + row.strip(" *\t") for row in top[1].strip().split("\n")]
    return "\n".join([*rows, text[top.end() :]]), ["The comment /* … */ at the top became //, which KQL has."]


def slug(text: str, fallback: str = "hunt") -> str:
    """An id as the library wants it: lower case, digits, hyphens, 2 to 64 characters."""
    words = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:60].strip("-")
    return words if len(words) >= 2 else fallback
