"""What a reader outside the case must not learn, and the mask that takes it out of every text.

A mask is made of a case's own names (`ircase.services.writing.redacting.mask_of`). It writes each as a word that is the
same in every document of the case: `host-01`, `account-02`, `person-03`, `10.x-address-04`, `word-01`. Base64 that says
one of them becomes `base64-host-01` as a whole.
"""

import dataclasses
import ipaddress
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from ircase import encoded
from ircase.models import Tlp

SHORTEST = 3
SHORTEST_ADDRESS: Final = 3
"""As in `::1`."""
MOST_WORDS = 200
LONGEST_WORD = 200
RUNS_AT_ONCE = 500
MOST_REMEMBERED = 50_000
KINDS: Final = ("host", "account", "person", "address", "word")
ENCODED: Final = "base64-"
"""How the word for a run of Base64 begins; then comes the word for what it says."""
T = TypeVar("T")


class Level(StrEnum):
    """How much is masked. OWN is what a lead chose piece by piece."""

    FULL = "full"
    NAMES = "names"
    ALL = "all"
    OWN = "own"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS: Final = {
    Level.FULL: "Nothing is masked",
    Level.NAMES: "People and accounts are masked",
    Level.ALL: "People, accounts, hosts and private addresses are masked",
    Level.OWN: "Chosen piece by piece",
}
_FLAGS: Final = ("people", "accounts", "hosts", "addresses")
_OF_LEVEL: Final = {Level.FULL: (), Level.NAMES: ("people", "accounts"), Level.ALL: _FLAGS}


class RedactionError(ValueError):
    """A redaction that cannot be kept; the message says what to change."""


@dataclass(frozen=True)
class Redaction:
    """What is masked for a reader, and the strictest TLP that they may read: what is marked stricter is left out."""

    tlp: str = Tlp.RED.value
    people: bool = False
    accounts: bool = False
    hosts: bool = False
    addresses: bool = False
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.tlp not in Tlp.values:
            raise RedactionError(f"{self.tlp!r} is no TLP marking. Choose one of {', '.join(Tlp.values)}.")
        if len(self.words) > MOST_WORDS:
            raise RedactionError(f"At most {MOST_WORDS} words of your own can be masked.")
        for word in self.words:
            _check_word(word)

    @classmethod
    def of(cls, level: str, *, tlp: str = Tlp.RED.value, words: Iterable[str] = ()) -> "Redaction":
        """The redaction of a level that has a name. Raises RedactionError."""
        if level not in _OF_LEVEL:
            raise RedactionError(f"{level!r} is no level. Choose one of {', '.join(_OF_LEVEL)}.")
        return cls(tlp=tlp, words=_tidy(words), **dict.fromkeys(_OF_LEVEL[Level(level)], True))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Redaction":
        """What `as_json` wrote; {} masks nothing. Raises RedactionError."""
        flags = {name: bool(value.get(name)) for name in _FLAGS}
        return cls(tlp=str(value.get("tlp") or Tlp.RED), words=_tidy(value.get("words") or ()), **flags)

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "words": list(self.words)}

    @property
    def level(self) -> Level:
        masked = tuple(name for name in _FLAGS if getattr(self, name))
        return next((level for level, flags in _OF_LEVEL.items() if flags == masked), Level.OWN)

    @property
    def masks(self) -> bool:
        """Whether any text is changed."""
        return bool(self.words) or any(getattr(self, name) for name in _FLAGS)

    @property
    def is_open(self) -> bool:
        """Whether nothing is masked and nothing left out."""
        return not self.masks and self.tlp == Tlp.RED

    def allows(self, tlp: str) -> bool:
        """Whether what is marked `tlp` may go to this reader. A marking that nobody knows may not."""
        order = list(Tlp.values)
        return tlp in order and order.index(tlp) >= order.index(self.tlp)

    def marking(self, tlp: str) -> str:
        """The marking of a document of a case that is marked `tlp`: never stricter than the ceiling."""
        return tlp if self.allows(tlp) else self.tlp

    @property
    def sentence(self) -> str:
        """What was done to a document, for its cover; "" where nothing was."""
        names = {"people": "people", "accounts": "accounts", "hosts": "hosts", "addresses": "private addresses"}
        masked = [words for name, words in names.items() if getattr(self, name)]
        if self.words:
            masked.append("some words")
        parts = [f"Masked in this document: {', '.join(masked)}."] if masked else []
        if self.tlp != Tlp.RED:
            parts.append(f"Left out: what is marked stricter than {Tlp(self.tlp).label}.")
        return " ".join(parts)


def _tidy(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _check_word(word: str) -> None:
    if not SHORTEST <= len(word) <= LONGEST_WORD:
        raise RedactionError(f"{word!r}: a word to mask has {SHORTEST} to {LONGEST_WORD} characters.")
    letters = "".join(letter for letter in word.casefold() if letter not in ".-_0123456789")
    if any(letters in kind for kind in (*KINDS, ENCODED)):
        raise RedactionError(f"{word!r} stands in the words that take a name's place. Give a longer one.")


@dataclass(frozen=True)
class Name:
    """A host, account, person or word: what is written in its place, and every way it is written in texts."""

    alias: str
    forms: tuple[str, ...]


_RUN = re.compile(r"[^\W_]+")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPED_RUN = re.compile(r"(?:\\[nrtbf]|%[0-9A-Fa-f]{2})([^\W_]+)")
_DOT = r"(?:\.|\[\.\]|\(\.\))"
_V4 = re.compile(rf"(?<![\d.])\d{{1,3}}(?:{_DOT}\d{{1,3}}){{3}}(?!\d|{_DOT}\d)")
_V6 = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{2,40}(?![0-9A-Za-z:])")
_PRIVATE: Final = tuple(
    (ipaddress.ip_network(network), start)
    for network, start in (
        # https://www.rfc-editor.org/rfc/rfc1918, /rfc6598, /rfc3927, /rfc4193, /rfc4291
        ("10.0.0.0/8", "10.x"),
        ("172.16.0.0/12", "172.16.x"),
        ("192.168.0.0/16", "192.168.x"),
        ("100.64.0.0/10", "100.64.x"),
        ("169.254.0.0/16", "169.254.x"),
        ("fc00::/7", "fd00.x"),
        ("fe80::/10", "fe80.x"),
    )
)


@dataclass(frozen=True)
class Mask:
    """Writes other words for the names of a case, in any text and in any nested value.

    Names of people, hosts and accounts are found as whole words, whatever their case: between anything that is no
    letter and no digit, so in a DNS name, a UPN, a path, a command line, behind an escape. A lead's own words are
    found anywhere. Of two that begin at one place the longer is taken. Base64 that says one of them goes as a whole,
    as UTF-8 or UTF-16LE, wherever in it the name begins. `number_of` gives an address its number, the
    same each time.
    """

    names: tuple[Name, ...] = ()
    words: tuple[Name, ...] = ()
    addresses: bool = False
    number_of: Callable[[str], int] = field(default=lambda _: 1)
    _index: dict[str, list[tuple[str, str]]] = field(init=False, repr=False, compare=False)
    _anywhere: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _word_alias: dict[str, str] = field(init=False, repr=False, compare=False)
    _least: int = field(init=False, repr=False, compare=False)
    _known: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _index_of(self.names))
        alias = {form.lower(): name.alias for name in self.words for form in _cases(name.forms, whole=True)}
        object.__setattr__(self, "_word_alias", alias)
        forms = sorted(alias, key=len, reverse=True)
        found = re.compile("|".join(re.escape(form) for form in forms), re.IGNORECASE) if forms else None
        object.__setattr__(self, "_anywhere", found)
        object.__setattr__(self, "_least", self._shortest() * 4 // 3)

    def _shortest(self) -> int:
        """How few letters or bytes a name may have."""
        named = (form for forms in self._index.values() for form, _ in forms)
        return min((len(form) for form in (*named, *self._word_alias)), default=SHORTEST_ADDRESS)

    @property
    def is_empty(self) -> bool:
        return not (self.names or self.words or self.addresses)

    def text(self, text: str) -> str:
        """`text` with every name in it replaced."""
        if self.is_empty or not text:
            return text
        parts: list[str] = []
        end = 0
        for start, stop, alias in sorted(self._found(text), key=lambda hit: (hit[0], -hit[1])):
            if stop <= end or (start < end and not alias.startswith(ENCODED)):
                continue
            parts += (text[end:start], alias)
            end = stop
        return "".join([*parts, text[end:]]) if end else text

    def of(self, value: T, *, keep: frozenset[str] = frozenset()) -> T:
        """The same value with every text in it masked: dataclasses, lists, tuples, dicts with their keys. Fields and
        keys named in `keep` stay as they are: codes, digests, times."""
        return self._of(value, keep)  # type: ignore[no-any-return]

    def _of(self, value: Any, keep: frozenset[str]) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            parts = {part.name: getattr(value, part.name) for part in dataclasses.fields(value) if part.init}
            made = {name: part if name in keep else self._of(part, keep) for name, part in parts.items()}
            return dataclasses.replace(value, **made)
        if isinstance(value, dict):
            return self._dict(value, keep)
        if isinstance(value, list | tuple):
            return type(value)(self._of(part, keep) for part in value)
        return value

    def _dict(self, value: dict[Any, Any], keep: frozenset[str]) -> dict[Any, Any]:
        """Two keys that become one word keep both values: the later gets a number behind it."""
        made: dict[Any, Any] = {}
        for name, part in value.items():
            key = self.text(name) if isinstance(name, str) and name not in keep else name
            place = 2
            wanted = key
            while key in made:
                key, place = f"{wanted} ({place})", place + 1
            made[key] = part if name in keep else self._of(part, keep)
        return made

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        yield from self._plain(text)
        yield from self._encoded(text)

    def _encoded(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Base64 that says a name. Most says none: it is looked through many runs at a time. Tables repeat themselves:
        what short runs say is remembered."""
        found = encoded.runs(text, self._least)
        while some := list(itertools.islice(found, RUNS_AT_ONCE)):
            said = self._said_by({run.letters: run for run in some if run.letters not in self._known})
            for run in some:
                if alias := said.get(run.letters) or self._known.get(run.letters):
                    yield run.start, run.stop, ENCODED + alias
            if len(self._known) > MOST_REMEMBERED:
                self._known.clear()
            self._known.update((letters, alias) for letters, alias in said.items() if len(letters) <= LONGEST_WORD)

    def _said_by(self, runs: dict[str, encoded.Run]) -> dict[str, str]:
        """The letters of each run -> the word for the first name that it says, "" for none."""
        said = {letters: "\n".join(encoded.readings(run)) for letters, run in runs.items()}
        if not self._may_name("\n".join(said.values())):
            return dict.fromkeys(said, "")
        return {letters: self._first_of(words) for letters, words in said.items()}

    def _first_of(self, words: str) -> str:
        hit = next(self._plain(words), None) if self._may_name(words) else None
        return hit[2] if hit is not None else ""

    def _may_name(self, text: str) -> bool:
        """Whether it is worth a closer look: quick, and never wrong where it says no."""
        if self._anywhere is not None and self._anywhere.search(text):
            return True
        if self.addresses and (_V4.search(text) or _V6.search(text)):
            return True
        begins = {run.lower() for pattern in (_RUN, _ESCAPED_RUN) for run in pattern.findall(text)}
        return not begins.isdisjoint(self._index)

    def _plain(self, text: str) -> Iterator[tuple[int, int, str]]:
        if self._anywhere is not None:
            for hit in self._anywhere.finditer(text):
                yield hit.start(), hit.end(), self._word_alias.get(hit.group().lower(), "word")
        if self._index:
            for start in _starts(text):
                yield from self._at(text, start)
        if self.addresses:
            yield from self._addresses(text)

    def _at(self, text: str, start: int) -> Iterator[tuple[int, int, str]]:
        run = _RUN.match(text, start)
        if run is None:
            return
        for form, alias in self._index.get(run.group().lower(), ()):
            stop = start + len(form)
            if text[start:stop].lower() == form.lower() and not text[stop : stop + 1].isalnum():
                yield start, stop, alias
                return

    def _addresses(self, text: str) -> Iterator[tuple[int, int, str]]:
        for pattern in (_V4, _V6):
            for hit in pattern.finditer(text):
                plain = re.sub(r"[\[\]()]", "", hit.group())
                if start := _private_start(plain):
                    number = self.number_of(str(ipaddress.ip_address(plain)))
                    yield hit.start(), hit.end(), f"{start}-address-{number:02d}"


def _private_start(text: str) -> str:
    """How an address of a network that is not routed is begun in its alias; "" for any other text."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return next((start for network, start in _PRIVATE if address in network), "")


def _starts(text: str) -> Iterator[int]:
    """Where a name may begin: at each run of letters and digits, and inside one behind an escape (`\\n`, `%5C`)."""
    for run in _RUN.finditer(text):
        start = run.start()
        yield start
        if not start:
            continue
        before = text[start - 1]
        if before == "\\" and text[start] in "nrtbf":
            yield start + 1
        elif before == "%" and _ESCAPED.match(text, start - 1):
            yield start + 2


def _index_of(names: Iterable[Name]) -> dict[str, list[tuple[str, str]]]:
    """The first run of each form -> the forms that begin with it, the longest first; of two the first name wins."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        for form in _cases(name.forms):
            if run := _RUN.match(form):
                found.setdefault(run.group().lower(), {}).setdefault(form, name.alias)
    return {run: sorted(forms.items(), key=lambda pair: -len(pair[0])) for run, forms in found.items()}


def _cases(forms: Iterable[str], *, whole: bool = False) -> Iterator[str]:
    """Each form as it may be typed: composed and decomposed, and in cases that change its length. Trimmed to what
    begins and ends with a letter or a digit; where that is shorter than SHORTEST it is no name, or with `whole` it is
    taken as it was typed."""
    for form in forms:
        for typed in (form, unicodedata.normalize("NFC", form), unicodedata.normalize("NFD", form)):
            for cased in dict.fromkeys((typed, typed.lower(), typed.upper(), typed.casefold(), typed.title())):
                trimmed = _trim(cased)
                if len(trimmed) >= SHORTEST:
                    yield trimmed
                elif whole:
                    yield cased


def _trim(form: str) -> str:
    inside = [place for place, letter in enumerate(form) if letter.isalnum()]
    return form[inside[0] : inside[-1] + 1] if inside else ""
