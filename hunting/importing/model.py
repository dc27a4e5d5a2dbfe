"""What an import finds, before anything of it is kept."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from hunting.values import Kind

Default = str | int | bool | tuple[str, ...]


class Outcome(StrEnum):
    """What becomes of a member, or of a part of it."""

    KEPT = "kept"
    CHANGED = "changed"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


class Format(StrEnum):
    """How a member is written; the value is for people."""

    MARKDOWN = "Markdown"
    SENTINEL_HUNT = "Sentinel hunting query"
    SENTINEL_RULE = "Sentinel analytics rule"
    KUSTOHAWK = "KustoHawk pack"
    PLAIN = "KQL file"
    SIGMA = "Sigma rule"
    OWN_HUNT = "IRCase hunt"
    OWN_PACK = "IRCase pack"
    YAML = "YAML"
    JSON = "JSON"
    ZIP = "zip"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Limits:
    """Caps of one import; what lies beyond is refused with its reason, never cut silently. Sizes in bytes."""

    members: int = 20_000
    member_bytes: int = 8 * 1024 * 1024
    total_bytes: int = 400 * 1024 * 1024
    candidates: int = 5_000
    blocks: int = 500
    kept_characters: int = 40_000_000
    seconds: int = 300
    zip_bytes: int = 200 * 1024 * 1024
    zip_directory_bytes: int = 4 * 1024 * 1024
    zip_ratio: int = 200


LIMITS: Final = Limits()


class ImportRefused(Exception):
    """A source or a member cannot be read. The message is a whole sentence; `line` is 1-based in the member."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class ParameterGuess:
    """A typed parameter that a text seems to have. `default` is as the library writes it, None where there is none;
    `fill` as in hunting/catalogue.py, "" where nothing is known; `original` is the text in the member that it replaces,
    `line` where that stands; `found_as` tells a `let` from a placeholder and from a constant in a comparison."""

    name: str
    kind: Kind
    required: bool = False
    default: Default | None = None
    fill: str = ""
    help: str = ""
    original: str = ""
    line: int | None = None
    found_as: Literal["let", "placeholder", "constant", "declared"] = "let"


@dataclass(frozen=True)
class Origin:
    """Where a candidate comes from: the source as the person named it, the member in it, the first line of the query
    in the member, an address where one is known, and the commit of a checkout."""

    source: str
    member: str = ""
    line: int = 1
    address: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Licence:
    """`name` is an SPDX identifier, "not recognised", or "none found"; `file` is the file that says so."""

    name: str
    file: str = ""


NO_LICENCE: Final = Licence("none found")


@dataclass(frozen=True)
class Candidate:
    """A hunt that may be kept.

    `kql` uses its parameters as plain identifiers. `twin` is the same hunt's text for Log Analytics where the member
    gave both, "" otherwise. `original` is the text as the member had it, "" where `kql` is that. `sources` are values
    of hunting.models.Source. `content_hash` is `fingerprint` of the text. `frequency` is how often a rule ran ("1h");
    `details` is what a rule also said, by key.
    """

    slug: str
    title: str
    description: str
    kql: str
    entity: str
    tables: tuple[str, ...]
    sources: tuple[str, ...]
    time_column: str
    content_hash: str
    parameters: tuple[ParameterGuess, ...] = ()
    require_any: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    meaning: str = ""
    false_positives: tuple[str, ...] = ()
    author: str = ""
    severity: str = ""
    frequency: str = ""
    details: tuple[tuple[str, str], ...] = ()
    twin: str = ""
    original: str = ""
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origin: Origin = Origin("")
    licence: Licence = NO_LICENCE


@dataclass(frozen=True)
class PackStep:
    """A hunt of a pack, by its id; `only_if` is the id of an earlier hunt that must have had hits, or ""."""

    hunt: str
    only_if: str = ""


@dataclass(frozen=True)
class PackCandidate:
    """A pack that may be kept; `hunts` name candidates of the same import by `slug`, or hunts of the library."""

    id: str
    title: str
    description: str
    entity: str
    hunts: tuple[PackStep, ...]
    version: int = 1
    origin: Origin = Origin("")
    licence: Licence = NO_LICENCE


@dataclass(frozen=True)
class Part:
    """One query of a member: a fence, a document, an entry. `place` is for people ("block 2"), `line` 1-based."""

    place: str
    line: int | None
    outcome: Outcome
    reason: str
    candidate: Candidate | None = None


@dataclass(frozen=True)
class Member:
    """A file of the source and what became of it. `reason` is one sentence, empty only where all was kept as it is.

    `sha256` is of the bytes as they came; "" where they were not read.
    """

    path: str
    format: Format
    outcome: Outcome
    reason: str
    line: int | None = None
    parts: tuple[Part, ...] = ()
    packs: tuple[PackCandidate, ...] = ()
    sha256: str = ""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What may be kept of it."""
        return tuple(part.candidate for part in self.parts if part.candidate is not None)


@dataclass(frozen=True)
class Preview:
    """All that a source holds. `kind` is file, folder, zip or checkout."""

    source: str
    kind: Literal["file", "folder", "zip", "checkout"]
    members: tuple[Member, ...]
    licence: Licence = NO_LICENCE
    commit: str = ""
    address: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def counts(self) -> dict[str, int]:
        """Members by outcome, all four named."""
        found = Counter(member.outcome for member in self.members)
        return {outcome.value: found[outcome] for outcome in Outcome}

    def candidates(self) -> Iterator[Candidate]:
        """Every candidate, in the order of the members."""
        for member in self.members:
            yield from member.candidates

    def packs(self) -> Iterator[PackCandidate]:
        """Every pack, in the order of the members."""
        for member in self.members:
            yield from member.packs
