"""Text as tokens, the same on every database; and the expressions that are looked for among them.

A token is a run of letters and digits in small letters without accents: `evil.example.com` is three in a row, and is
found by them in that order, so a part of a name, a path or an address is found as well. Addresses are tokens as a whole
besides. Tokens with `=` are marks that a text cannot hold.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200  # characters of a token
MOST: Final = 40_000  # tokens of one entry: a tsvector holds 1 MiB
_MOST_CHARACTERS: Final = 400_000
BREAK: Final = "="  # no phrase reaches over it
_ATOM = re.compile(r"[^\W_]+")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_DEFANGED: Final = (
    (re.compile(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)"), "."),
    (re.compile(r"\[:\]|\[:(?=//)"), ":"),
    (re.compile(r"\[@\]|\[at\]|\(at\)"), "@"),
    (re.compile(r"\bh(?:xx|\*\*)p(?=s?(?::|\[:))"), "http"),
)


def plain(text: str) -> str:
    """Small letters without accents, defanged addresses whole."""
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(one for one in text if not unicodedata.combining(one))
    if "[" in text or "(" in text or "{" in text or "hxxp" in text or "h**p" in text:
        for pattern, by in _DEFANGED:
            text = pattern.sub(by, text)
    return text


def atoms(text: str) -> list[str]:
    """The tokens of `text` in order, without marks and whole addresses."""
    return [one[:LONGEST] for one in _ATOM.findall(plain(text))]


def wholes(text: str) -> list[str]:
    """Addresses in `text` as one token each, in one spelling."""
    found = plain(text)
    emails = _EMAIL.findall(found) if "@" in found else []
    return [*_IPV4.findall(found), *_ipv6(found), *(one[:LONGEST] for one in emails)]


def _ipv6(text: str) -> list[str]:
    found = []
    for one in _IPV6.findall(text) if "::" in text or text.count(":") >= 7 else ():
        try:
            found.append(str(ipaddress.IPv6Address(one)))
        except ValueError:
            continue
    return found


def tokens(texts: Iterable[str], marks: Iterable[str] = ()) -> list[str]:
    """Everything that an entry is found by: marks, the texts' tokens with a break between, whole addresses."""
    found = [*marks, BREAK]
    whole: list[str] = []
    room = _MOST_CHARACTERS
    for text in texts:
        part = text[:room]
        room -= len(part)
        found += [*atoms(part), BREAK]
        whole += wholes(part)
    return [*found[:MOST], *dict.fromkeys(whole[:MOST])]


@dataclass(frozen=True)
class Term:
    """Tokens that follow each other; with `prefix` the last one only begins so."""

    tokens: tuple[str, ...]
    prefix: bool = False

    def tsquery(self) -> str:
        return " <-> ".join(f"'{one.replace(chr(39), chr(39) * 2)}'" for one in self.tokens) + (
            ":*" if self.prefix else ""
        )

    def fts5(self) -> str:
        return '"' + " ".join(self.tokens).replace('"', '""') + '"' + (" *" if self.prefix else "")


@dataclass(frozen=True)
class AllOf:
    """Each of its parts."""

    parts: "tuple[Expression, ...]"

    def tsquery(self) -> str:
        return "(" + " & ".join(part.tsquery() for part in self.parts) + ")"

    def fts5(self) -> str:
        return "(" + " AND ".join(part.fts5() for part in self.parts) + ")"


@dataclass(frozen=True)
class AnyOf:
    """One of its parts."""

    parts: "tuple[Expression, ...]"

    def tsquery(self) -> str:
        return "(" + " | ".join(part.tsquery() for part in self.parts) + ")"

    def fts5(self) -> str:
        return "(" + " OR ".join(part.fts5() for part in self.parts) + ")"


Expression = Term | AllOf | AnyOf


def term(text: str, *, prefix: bool = False) -> Term | None:
    """What a typed word or phrase looks for; None where it holds neither letter nor digit."""
    whole = wholes(text)
    if whole and not prefix and len(whole[0]) == len(plain(text).strip()):
        return Term((whole[0],))
    found = tuple(atoms(text))
    return Term(found, prefix) if found else None
