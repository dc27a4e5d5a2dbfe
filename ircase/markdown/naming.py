"""What a text names, as the parser sees it: not what stands in code."""

import re
from collections.abc import Iterator

from markdown_it.token import Token

from ircase.markdown.parser import PARSER
from ircase.markdown.room import MOST_NAMES

_PICTURE = re.compile(r"E-?(\d{1,6})")


def people_in(text: str) -> set[str]:
    """Sign-in names behind an @, at most MOST_NAMES."""
    if "@" not in text:
        return set()
    found = (token.meta["value"] for token in _tokens(text) if token.type == "named" and token.meta["kind"] == "person")
    return set(list(dict.fromkeys(found))[:MOST_NAMES])


def pictures_in(text: str) -> set[int]:
    """Numbers of the exhibits that the text shows as pictures."""
    if "![" not in text:
        return set()
    sources = (str(token.attrGet("src") or "") for token in _tokens(text) if token.type == "image")
    return {int(found[1]) for source in sources if (found := _PICTURE.fullmatch(source))}


def _tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield from token.children or ()
