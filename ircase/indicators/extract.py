"""Indicators out of a text: a report, an e-mail, a chat. Defanged ones are made whole; a person chooses."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError

from ircase.models import Indicator
from ircase.recognition import recognise
from ircase.services.analysis.findings import clean, normalise, refang

Kind = Indicator.Kind
MOST_LETTERS: Final = 450_000
MOST_FOUND: Final = 5_000
_LONGEST: Final = 2_048
# What may hold blanks is found by its beginning (a registry key goes on where a word with a capital follows); all of
# these are bounded, so that no text keeps them busy.
_WHOLE: Final = (
    (
        re.compile(r"\b(?:HKEY_[A-Z_]{3,30}|HKLM|HKCU|HKU|HKCR)\\(?:[^\s\"'<>|,;]|[ ](?=[A-Z0-9{(])){1,400}"),
        Kind.REGISTRY,
    ),
    (re.compile(r"(?i)(?<![a-z])[a-z]:\\[^\r\n\t\"<>|*?:;,]{1,240}\.[a-z0-9]{1,6}(?![a-z0-9])"), Kind.FILE_PATH),
    (re.compile(r"(?i)%[a-z_]{3,20}%\\[^\r\n\t\"<>|*?:;,]{1,240}\.[a-z0-9]{1,6}(?![a-z0-9])"), Kind.FILE_PATH),
    (re.compile(r"Mozilla/\d\.\d \([^)\r\n]{1,200}\)[^\r\n\"']{0,200}"), Kind.USER_AGENT),
    (re.compile(r"(?i)\b(?:Global|Local)\\[A-Za-z0-9_{}.-]{3,120}"), Kind.MUTEX),
    (re.compile(r"\bAS[ ]?[0-9]{3,10}\b"), Kind.ASN),
)
_APART: Final = re.compile(r"[\s<>\"'`|,;“”‘’«»]+")
_AROUND: Final = "()[]{}!?:.*=…"
_BLANK_DOT: Final = re.compile(r"(?i)[ ]?[\[({] ?(dot|\.) ?[\])}][ ]?")
_BLANK_AT: Final = re.compile(r"(?i)[ ]?[\[({] ?(at|@) ?[\])}][ ]?")
_TAKEN: Final = frozenset(
    {Kind.SHA256, Kind.SHA1, Kind.MD5, Kind.IP, Kind.DOMAIN, Kind.URL, Kind.EMAIL, Kind.FILE_NAME, Kind.FILE_PATH}
)
_NAMED: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,20}:(?!//)(.+)")
_HOST: Final = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://)?(?:\[?([0-9A-Fa-f:.]+)\]|([^:/?#]+))(?::[0-9]{1,5})?(?:[/?#].*)?"
)
_NETWORK: Final = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
# A sentence that ends without a blank ("done.Then") has a domain's shape.
_SENTENCE: Final = re.compile(r"[A-Za-z][a-z]*\.[A-Z][a-z]*")
# Endings of names of software and of abbreviations.
_NO_DOMAIN: Final = re.compile(r"(?i)[a-z]\.[a-z]|(asp|ado|vb)\.net|[a-z]{2,12}\.js|[0-9.]+")


@dataclass(frozen=True)
class Found:
    """One indicator of a text, how often it stands there, and how it was written first."""

    kind: str
    value: str
    written: str
    times: int


def extract(text: str) -> list[Found]:
    """Each indicator once, in the order of the text; the first `MOST_FOUND`. Raises ValidationError for a text that is
    too long."""
    if len(text) > MOST_LETTERS:
        raise ValidationError(f"The text has more than {MOST_LETTERS:,} characters. Paste it in parts.")
    found: dict[tuple[str, str], Found] = {}
    for kind, written in _candidates(clean(text)):
        try:
            value = normalise(kind, written)
        except ValidationError:
            continue
        if not value or len(value) > _LONGEST:
            continue
        there = found.get((kind, value))
        if there is None and len(found) >= MOST_FOUND:
            break
        found[kind, value] = Found(kind, value, there.written if there else written, there.times + 1 if there else 1)
    return list(found.values())


def _candidates(text: str) -> Iterator[tuple[str, str]]:
    # Out of JSON a slash comes with a backslash; a link of markdown has its address after its words.
    text = text.replace("\\/", "/").replace("](", " ")
    text = _BLANK_AT.sub("[@]", _BLANK_DOT.sub("[.]", text))
    for pattern, kind in _WHOLE:
        for match in pattern.finditer(text):
            yield kind, match.group().strip().rstrip(".")
        text = pattern.sub(" ", text)
    for token in _APART.split(text):
        yield from _token(token)


def _token(token: str) -> Iterator[tuple[str, str]]:
    # The bracket of a defanged dot or at sign stays; those around the word go.
    word = refang(token).strip(_AROUND) if len(token) <= _LONGEST else ""
    if len(word) < 4:
        return
    for part in _readings(word):
        kind = recognise(part)
        if kind == Kind.FILE_NAME and not _is_file(part):
            continue
        if kind == Kind.DOMAIN and refang(token) == token and (_SENTENCE.fullmatch(part) or _NO_DOMAIN.fullmatch(part)):
            continue
        if kind in _TAKEN:
            yield kind, part
            return


def _readings(word: str) -> Iterator[str]:
    """What a word may be, the likeliest first: itself, the value of `name=value` or `name:value`, and a host that
    stands with its port, its path, or a scheme that is no URL's."""
    yield word
    yield from word.split("=")[1:]
    named = _NAMED.fullmatch(word)
    rest = named[1] if named else word
    if named:
        yield rest
    host = _HOST.fullmatch(rest)
    # With a number after the slash it is a network, which is more than one address.
    if host is not None and not (_NETWORK.fullmatch(rest)):
        yield host[1] or host[2]


def _is_file(word: str) -> bool:
    """In running text only endings that nothing else has are a file's."""
    ending = word.rsplit(".", 1)[-1].lower()
    return ending in _FILES and not _NO_DOMAIN.fullmatch(word) and not word.startswith((".", "/"))


_FILES: Final = frozenset(
    {
        *("exe", "dll", "sys", "ps1", "psm1", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk", "scr"),
        *("zip", "rar", "7z", "iso", "img", "msi", "docx", "docm", "doc", "xlsx", "xlsm", "xls", "pptx", "pdf", "one"),
        *("evtx", "dat", "bin", "tmp", "dmp", "py", "jar", "aspx", "php", "jsp", "cab", "vhd", "vhdx", "xll", "chm"),
    }
)
