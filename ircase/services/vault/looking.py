"""The looks at an exhibit that workers make: asked for, and read page by page. `ircase.looker` makes them."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from artifacts.looks import hexes
from artifacts.looks.kinds import VERSION
from ircase import jobs, store
from ircase.models import Case, Evidence, Indicator, JobState, Preview, User
from ircase.models.handling import previews_of
from ircase.services import evidence, sweep
from ircase.services.analysis import findings

LABELS: Final = {
    "text": "Text",
    "table": "Table",
    "json": "JSON",
    "image": "Picture",
    "events": "Events",
    "archive": "Contents",
    "strings": "Strings",
    "metadata": "Metadata",
    "hex": "Hex",
}


class LookGone(Exception):
    """Its files are not there; asking again makes them."""


@transaction.atomic
def ask(item: Evidence, kind: str, actor: User) -> Preview:
    """The look, which a worker is told to make where there is none of this version."""
    job, new = Preview.objects.get_or_create(
        evidence=item, kind=kind, version=VERSION, defaults={"requested_by": actor}
    )
    job.evidence = item
    if new:
        jobs.enqueue("ircase.make_preview", job.pk)
    elif job.state == JobState.DONE and not (job.path / "look.json").is_file():
        again(job)
    return job


@transaction.atomic
def again(job: Preview) -> None:
    """Have a final look made anew; one under way stays as it is."""
    final = Preview.objects.filter(pk=job.pk, state__in=(JobState.DONE, JobState.FAILED, JobState.CANCELLED))
    fresh: dict[str, Any] = {"state": JobState.QUEUED, "attempt": 0, "reason": "", "progress": {}, "not_before": None}
    if final.update(**fresh, queued_at=timezone.now(), finished_at=None, cancel_requested=False):
        job.state, job.reason = JobState.QUEUED, ""
        jobs.enqueue("ircase.make_preview", job.pk)


def tidy() -> None:
    """Beat's part: looks whose worker was lost, or whose message was, go on."""
    sweep.take_up(Preview.objects.all(), "ircase.make_preview")


def forget(item: Evidence) -> None:
    """Every look at a destroyed exhibit goes: they hold what its bytes held."""
    Preview.objects.filter(evidence=item).unfinished().update(cancel_requested=True)
    shutil.rmtree(previews_of(item.uuid), ignore_errors=True)


def content(job: Preview) -> dict[str, Any]:
    """What the look found. Raises LookGone."""
    found: dict[str, Any] = _json(job.path / "look.json")
    return found


def picture(item: Evidence) -> bytes:
    """The PNG that was drawn of the exhibit; empty where there is none."""
    job = Preview.objects.filter(evidence=item, kind="image", state=JobState.DONE).order_by("-version").first()
    if job is None:
        return b""
    job.evidence = item
    try:
        data = (job.path / "picture.png").read_bytes()
    except OSError:
        return b""
    return data if data.startswith(b"\x89PNG\r\n\x1a\n") else b""


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LookGone("The look is not there any more. Have it made again.") from error


@dataclass(frozen=True)
class Part:
    """Some of the lines that match: those of page `number`, and how many match in all."""

    items: list[Any]
    matched: int
    number: int
    per_page: int


def _part(path: Path, fits: Callable[[Any], bool], number: int, per_page: int) -> Part:
    """One page of a file of JSON lines, read as a stream; beyond the end it is the last page."""
    try:
        found, matched = _collect(path, fits, number, per_page)
        last = max(1, -(-matched // per_page))
        if number > last:
            number = last
            found, matched = _collect(path, fits, number, per_page)
    except (OSError, ValueError) as error:
        raise LookGone("The look is not there any more. Have it made again.") from error
    return Part(found, matched, number, per_page)


def _collect(path: Path, fits: Callable[[Any], bool], number: int, per_page: int) -> tuple[list[Any], int]:
    first, matched, found = (number - 1) * per_page, 0, []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if fits(row):
                if first <= matched < first + per_page:
                    found.append(row)
                matched += 1
    return found, matched


@dataclass(frozen=True)
class StringsAsked:
    text: str = ""
    least: int = 4
    kind: str = ""
    """`a` for ASCII, `w` for UTF-16LE, empty for both."""

    def fits(self, row: list[Any]) -> bool:
        return (
            row[3] >= self.least
            and (not self.kind or row[1] == self.kind)
            and (not self.text or self.text in row[2].lower())
        )


def strings(job: Preview, asked: StringsAsked, number: int, per_page: int) -> Part:
    """Strings that match, each (offset, kind, text, whole length). Raises LookGone."""
    return _part(job.path / "lines.ndjson", asked.fits, number, per_page)


@dataclass(frozen=True)
class EventsAsked:
    """`since` and `until` are ISO 8601 in UTC as far as a person wrote them; `until` is inclusive."""

    ids: tuple[int, ...] = ()
    level: int | None = None
    provider: str = ""
    since: str = ""
    until: str = ""

    def fits(self, row: list[Any]) -> bool:
        at = row[1].replace(" ", "T")
        return (
            (not self.ids or row[2] in self.ids)
            and (self.level is None or row[3] == self.level)
            and (not self.provider or self.provider in row[4].lower())
            and (not self.since or at >= self.since)
            and (not self.until or at[: len(self.until)] <= self.until)
        )


def events(job: Preview, asked: EventsAsked, number: int, per_page: int) -> Part:
    """Records that match: (id, time, event id, level, provider, channel, computer, offset, bytes). Raises LookGone."""
    return _part(job.path / "index.ndjson", asked.fits, number, per_page)


def record(job: Preview, offset: int) -> dict[str, Any]:
    """The record that begins at `offset`. Raises LookGone where none does."""
    try:
        with (job.path / "records.ndjson").open("rb") as records:
            if offset > 0:
                records.seek(offset - 1)
                if records.read(1) != b"\n":
                    raise ValueError("between two records")
            found: dict[str, Any] = json.loads(records.readline(1 << 21))
    except (OSError, ValueError) as error:
        raise LookGone("There is no such record.") from error
    return found


def flat(record: dict[str, Any]) -> list[tuple[str, str]]:
    """A record's fields as (path, value), as its XML nests them: `System/Provider@Name`, `EventData/TargetUserName`."""
    return list(_fields(record.get("Event", record), ""))[:1_000]


def _fields(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "#attributes" and isinstance(inner, dict):
                yield from ((f"{path}@{name}", str(one)) for name, one in inner.items() if name != "xmlns")
            else:
                yield from _fields(inner, path if key == "#text" else f"{path}/{key}".lstrip("/"))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _fields(inner, f"{path}[{number}]")
    else:
        yield path, "" if value is None else str(value)


def hex_page(item: Evidence, offset: int) -> list[hexes.HexLine]:
    """4 KiB from `offset`, and no more is read of it, however large it is. Raises StoreError."""
    evidence.require_readable(item)
    data = b"".join(store.chunks(item.sha256, offset, min(item.size, offset + hexes.PAGE)))
    return hexes.lines(data, offset)


@dataclass(frozen=True)
class Seen:
    """An indicator that was recognised in a string; `number` is its place in the list."""

    number: int
    kind: str
    value: str
    offset: int
    known: bool

    @property
    def label(self) -> str:
        return str(Indicator.Kind(self.kind).label)


def recognised(job: Preview, case: Case) -> list[Seen]:
    """What strings name, and whether the case has it already. Raises LookGone."""
    rows = [row for row in _json(job.path / "indicators.json") if row[0] in Indicator.Kind.values]
    known = set(case.indicators.filter(kind__in={row[0] for row in rows}).values_list("kind", "value")) if rows else ()
    return [Seen(number, kind, value, at, (kind, value) in known) for number, (kind, value, at) in enumerate(rows)]


@transaction.atomic
def take(*, job: Preview, case: Case, actor: User, numbers: set[int], verdict: str) -> int:
    """Make the chosen ones indicators of the case; how many are new. Raises LookGone, ValidationError."""
    made = 0
    for seen in recognised(job, case):
        if seen.number in numbers:
            provenance = {
                "evidence": str(job.evidence.uuid),
                "exhibit": job.evidence.exhibit,
                "sha256": job.evidence.sha256,
                "read": "strings",
                "offset": seen.offset,
            }
            _, new = findings.add_indicator(
                case=case, actor=actor, kind=seen.kind, value=seen.value, tlp=case.tlp, verdict=verdict,
                provenance=provenance,
            )  # fmt: skip
            made += new
    return made
