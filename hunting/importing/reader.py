"""The importer's door: a source in, a preview out. Nothing is kept, nothing of the source is run."""

import hashlib
import io
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, Literal

from hunting.importing.checkout import Checkout, read_checkout
from hunting.importing.data import read_json, read_yaml
from hunting.importing.drafts import About, Context, Draft, Reading, parts_of, titled_apart, with_twins
from hunting.importing.fingerprint import fingerprint
from hunting.importing.kustohawk import read_kustohawk
from hunting.importing.licence import is_licence, recognise
from hunting.importing.markdown import read_markdown
from hunting.importing.model import (
    LIMITS,
    NO_LICENCE,
    Candidate,
    Format,
    ImportRefused,
    Licence,
    Limits,
    Member,
    Origin,
    Outcome,
    PackCandidate,
    Part,
    Preview,
)
from hunting.importing.own import is_own_hunt, is_own_pack, read_own_hunt, read_own_pack
from hunting.importing.packs import pack_of
from hunting.importing.plainfile import read_plain
from hunting.importing.sentinel import is_sentinel, read_sentinel
from hunting.importing.sigma import is_sigma, read_sigma
from hunting.importing.sources import Raw, read_path, read_stream, shown, walk_folder, walk_zip
from hunting.importing.text import decode, unix_lines

Source = Path | str | bytes | BinaryIO
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_MARKDOWN: Final = frozenset({".md", ".markdown"})
MAX_ITEMS: Final = 500
_YAML: Final = frozenset({".yaml", ".yml"})


def read(
    source: Source, *, name: str = "", known: Set[str] = frozenset(), licence: str = "", limits: Limits = LIMITS
) -> Preview:
    """What a source holds.

    `source`: a path of a file, a folder, a zip or a git checkout; or the bytes, or an open binary file, of a file or a
    zip, which is then called `name`. `known`: content hashes (`fingerprint`) of the hunts that there are; what has one
    of them is a duplicate. `licence`: what the person says of it; else it is looked for in the source. Raises
    ImportRefused where the source as a whole cannot be read; a member that cannot is listed with its reason.
    """
    opened = _open(source, name, limits)
    said = Licence(licence, "") if licence else opened.licence
    importer = _Importer(opened, said, known, limits)
    members = tuple(importer.members())
    return Preview(
        source=opened.name,
        kind=opened.kind,
        members=members,
        licence=importer.licence,
        commit=opened.checkout.commit,
        address=opened.checkout.address,
        notes=tuple(importer.notes),
    )


@dataclass
class _Opened:
    name: str
    kind: Literal["file", "folder", "zip", "checkout"]
    members: Iterator[Raw]
    licence: Licence = NO_LICENCE
    checkout: Checkout = field(default_factory=lambda: Checkout("", ""))


def _open(source: Source, name: str, limits: Limits) -> _Opened:
    if isinstance(source, bytes):
        return _open_stream(io.BytesIO(source), name or "upload", limits)
    if not isinstance(source, str | Path):
        return _open_stream(source, name or Path(str(getattr(source, "name", "upload"))).name, limits)
    path = Path(source)
    called = name or path.name or str(path)
    if path.is_dir():
        return _open_folder(path, called, limits)
    if not path.exists():
        raise ImportRefused(f"There is no file or folder {shown(str(path))}.")
    if path.is_symlink() or not path.is_file():
        raise ImportRefused(f"{shown(str(path))} is no plain file and no folder.")
    with path.open("rb") as file:
        zipped = _is_zip(file.read(4), path.name)
    if zipped:
        return _Opened(shown(called), "zip", _zip_of(path, limits))
    return _Opened(called, "file", iter([read_path(path, called, limits, limits.total_bytes)]))


def _is_zip(head: bytes, name: str) -> bool:
    return head in (_ZIP, _EMPTY_ZIP) or name.lower().endswith(".zip")


def _open_stream(file: BinaryIO, name: str, limits: Limits) -> _Opened:
    head = file.read(4)
    file.seek(0)
    if _is_zip(head, name):
        return _Opened(shown(name), "zip", walk_zip(file, limits))
    return _Opened(name, "file", iter([read_stream(file, shown(name), limits, limits.total_bytes)]))


def _zip_of(path: Path, limits: Limits) -> Iterator[Raw]:
    with path.open("rb") as file:
        yield from walk_zip(file, limits)


def _open_folder(path: Path, name: str, limits: Limits) -> _Opened:
    checkout = read_checkout(path)
    found = next((f for f in sorted(path.iterdir()) if is_licence(f.name) and f.is_file() and not f.is_symlink()), None)
    licence = NO_LICENCE
    if found:
        with found.open("rb") as file:
            licence = recognise(file.read(64 * 1024).decode("utf-8", "replace"), shown(found.name))
    return _Opened(
        shown(name), "checkout" if checkout else "folder", walk_folder(path, limits), licence,
        checkout or Checkout("", ""),
    )  # fmt: skip


class _Importer:
    """Reads member after member, and knows what it has already seen."""

    def __init__(self, opened: _Opened, licence: Licence, known: Set[str], limits: Limits) -> None:
        self.opened = opened
        self.licence = licence
        self.known = known
        self.limits = limits
        self.deadline = time.monotonic() + limits.seconds
        self.seen: dict[str, str] = {}
        self.slugs: Counter[str] = Counter()
        self.candidates = 0
        self.characters = 0
        self.notes: list[str] = []

    def members(self) -> Iterator[Member]:
        """What became of each file. A licence in a zip may come after what it covers."""
        read_so_far = [self._member(raw) for raw in self.opened.members if not self._is_licence(raw)]
        for member in read_so_far:
            yield _licensed(member, self.licence) if self.opened.kind == "zip" else member

    def _is_licence(self, raw: Raw) -> bool:
        top = raw.path.split("/", 1)[-1] if self.opened.kind == "zip" else raw.path
        if not is_licence(raw.path) and not (self.opened.kind == "zip" and is_licence(top)):
            return False
        if self.opened.kind == "file":
            return False
        if self.licence == NO_LICENCE and raw.data:
            self.licence = recognise(raw.data[: 64 * 1024].decode("utf-8", "replace"), raw.path)
        return True

    def _member(self, raw: Raw) -> Member:
        if raw.refusal:
            return Member(raw.path, _format_of(raw.path), Outcome.REFUSED, raw.refusal)
        digest = hashlib.sha256(raw.data).hexdigest()
        try:
            text, changes = decode(raw.data)
            text, more = unix_lines(text)
            reading = _reading(text, raw.path, self.limits)
        except ImportRefused as error:
            return Member(raw.path, _format_of(raw.path), Outcome.REFUSED, str(error), error.line, sha256=digest)
        origin = Origin(self.opened.name, raw.path, 1, self.opened.checkout.address, self.opened.checkout.commit)
        context = Context(origin, self.licence, (*changes, *more, *reading.changes))
        return replace(self._summed(raw.path, reading, context), sha256=digest)

    def _summed(self, path: str, reading: Reading, context: Context) -> Member:
        parts = [part for draft in reading.drafts for part in self._parts(draft, context)]
        parts = [self._judged(part, path) for part in titled_apart(with_twins(parts))]
        packs = [replace(p, origin=context.origin, licence=context.licence) for p in reading.packs]
        kept = [part.candidate for part in parts if part.candidate]
        if reading.as_pack and kept:
            packs.append(pack_of(reading.as_pack, kept, context))
        outcome, reason, line = _verdict(parts, packs, context.changes)
        return Member(path, reading.format, outcome, reason, line, tuple(parts), tuple(packs))

    def _parts(self, draft: Draft, context: Context) -> Iterator[Part]:
        if time.monotonic() > self.deadline:
            reason = f"The import has taken {self.limits.seconds:,} seconds; this one stays out. Import it by itself."
            yield Part(draft.place, draft.line, Outcome.REFUSED, reason)
        else:
            yield from parts_of(draft, context)

    def _judged(self, part: Part, path: str) -> Part:
        """The part, unless there is one like it or the import is full."""
        candidate = part.candidate
        if candidate is None:
            return part
        digest = candidate.content_hash
        where = f"{path}, line {part.line}" if part.line else path
        if digest in self.seen:
            return replace(
                part, outcome=Outcome.DUPLICATE, reason=f"It asks the same as {self.seen[digest]}.", candidate=None
            )
        if digest in self.known:
            self.seen[digest] = where
            return replace(
                part, outcome=Outcome.DUPLICATE, reason="A hunt that asks the same is already there.", candidate=None
            )
        self.candidates += 1
        self.characters += len(candidate.kql) + len(candidate.twin) + len(candidate.original)
        if self.candidates > self.limits.candidates or self.characters > self.limits.kept_characters:
            reason = (
                f"The import is full: {self.limits.candidates:,} hunts or {self.limits.kept_characters:,} characters."
            )
            return replace(part, outcome=Outcome.REFUSED, reason=reason, candidate=None)
        self.seen[digest] = where
        if candidate.twin:
            self.seen.setdefault(fingerprint(candidate.twin, candidate.parameters), where)
        return replace(part, candidate=replace(candidate, slug=self._unique(candidate)))

    def _unique(self, candidate: Candidate) -> str:
        self.slugs[candidate.slug] += 1
        number = self.slugs[candidate.slug]
        if number == 1:
            return candidate.slug
        wanted = f"{candidate.slug[:58]}-{number}"
        return wanted if self.slugs[wanted] == 0 else self._unique(replace(candidate, slug=wanted))


def _licensed(member: Member, licence: Licence) -> Member:
    parts = (replace(p, candidate=replace(p.candidate, licence=licence)) if p.candidate else p for p in member.parts)
    packs = (replace(p, licence=licence) for p in member.packs)
    return replace(member, parts=tuple(parts), packs=tuple(packs))


def _verdict(
    parts: list[Part], packs: list[PackCandidate], changes: Iterable[str]
) -> tuple[Outcome, str, int | None]:  # fmt: skip
    """The outcome of a member from those of its parts: kept or changed where anything of it is."""
    kept = [part for part in parts if part.candidate]
    missing = [p for p in parts if not p.candidate and p.outcome in (Outcome.REFUSED, Outcome.DUPLICATE)]
    first = missing[0] if missing else None
    if kept:
        changed = any(part.outcome is Outcome.CHANGED for part in kept)
        said = list(dict.fromkeys(change for part in kept if part.candidate for change in part.candidate.changes))
        if len(said) > 4:
            said = [*said[:4], f"There are {len(said) - 4} more changes."]
        whole = len([part for part in parts if part.outcome in (Outcome.KEPT, Outcome.CHANGED)])
        # A part that stands for the rest is no one query.
        of = "" if any(part.place == "the rest" for part in parts) else f" of {len(parts)}"
        left = f"{whole}{of} kept; {_listed(missing)}" if missing else ""
        return Outcome.CHANGED if changed else Outcome.KEPT, " ".join(s for s in (*said, left) if s), None
    if packs:
        said = list(changes)
        return Outcome.CHANGED if said else Outcome.KEPT, " ".join(said), None
    if first is None:
        return Outcome.REFUSED, "It holds no query.", None
    refused = next((p for p in missing if p.outcome is Outcome.REFUSED), None)
    if refused is None:
        return Outcome.DUPLICATE, _listed(missing) if len(missing) > 1 else first.reason, first.line
    return Outcome.REFUSED, _listed(missing) if len(missing) > 1 else refused.reason, refused.line


def _listed(parts: list[Part]) -> str:
    said = [f"{part.place} (line {part.line}): {part.reason}" for part in parts[:5]]
    more = [f"There are {len(parts) - 5:,} more, each with its reason."] if len(parts) > 5 else []
    return " ".join((*said, *more))


# --- which format


def _format_of(path: str) -> Format:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _MARKDOWN:
        return Format.MARKDOWN
    if suffix in _YAML:
        return Format.YAML
    named = {
        ".json": Format.JSON,
        ".kql": Format.PLAIN,
        ".csl": Format.PLAIN,
        ".kusto": Format.PLAIN,
        ".zip": Format.ZIP,
    }
    return named.get(suffix, Format.UNKNOWN)


def _reading(text: str, path: str, limits: Limits) -> Reading:
    """The member as its format's reader sees it. Raises ImportRefused."""
    name = _title(path)
    format_ = _format_of(path)
    if not text.strip():
        raise ImportRefused("It is empty.")
    if format_ is Format.MARKDOWN or (format_ is Format.UNKNOWN and "```" in text):
        reading = read_markdown(text, name, limits)
        if not reading.drafts:
            raise ImportRefused("It holds no block of KQL.")
        return reading
    if format_ is Format.YAML:
        return _yaml(text)
    if format_ is Format.JSON:
        return read_kustohawk(read_json(text), name, text)
    return read_plain(text, name, doubtful=format_ is not Format.PLAIN)


def _title(path: str) -> str:
    return " ".join(PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split())


def _yaml(text: str) -> Reading:
    changes: tuple[str, ...] = ()
    try:
        documents = read_yaml(text)
    except ImportRefused as error:
        text, documents = _without_tabs(text, error)
        changes = ("Tabs became spaces, for YAML has none.",)
    if not documents:
        raise ImportRefused("It is empty YAML.")
    documents = [(line, item) for line, document in documents for item in _flat(document)][:MAX_ITEMS]
    readings = [_document(n, line, d, text, len(documents)) for n, (line, d) in enumerate(documents, 1)]
    return Reading(
        next((r.format for r in readings if r.format is not Format.YAML), Format.YAML),
        tuple(draft for reading in readings for draft in reading.drafts),
        tuple(pack for reading in readings for pack in reading.packs),
        changes,
    )


def _without_tabs(text: str, error: ImportRefused) -> tuple[str, list[tuple[int, Any]]]:
    """The text with spaces for tabs, where it then reads. Raises the refusal that it had."""
    for width in (2, 4, 8) if "\t" in text else ():
        spaced = text.replace("\t", " " * width)
        try:
            return spaced, read_yaml(spaced)
        except ImportRefused:
            continue
    raise error


def _flat(document: Any) -> list[Any]:
    """A list of hunts in one document is as good as several documents."""
    hunts = isinstance(document, list) and document and all(isinstance(item, dict) for item in document)
    return document if hunts else [document]


def _document(number: int, line: int, document: Any, text: str, of: int) -> Reading:
    """One document's reading. Raises ImportRefused where it is the only one; of several, the others are still read."""
    place = "the file" if of == 1 else f"document {number}"
    try:
        return _kind_of(document, place, line, text)
    except ImportRefused as error:
        if of == 1:
            raise
        return Reading(Format.YAML, (Draft(place, error.line or line, "", About(), refusal=str(error)),))


def _kind_of(document: Any, place: str, line: int, text: str) -> Reading:
    if is_own_hunt(document):
        return read_own_hunt(document, place, line)
    if is_own_pack(document):
        return read_own_pack(document)
    if is_sigma(document):
        return read_sigma(document, place, line)
    if is_sentinel(document):
        return read_sentinel(document, place, line, text)
    raise ImportRefused(
        "It is YAML, but none of the kinds in which hunts come: Sentinel, Sigma, or IRCase's own.", line
    )
