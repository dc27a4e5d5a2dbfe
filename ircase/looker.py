"""The work behind a look at an exhibit: made in a child, kept as files beside the evidence, never twice."""

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError

from artifacts.looks import shapes
from artifacts.looks.process import NoLook, look_in_child
from artifacts.process import LoadCancelled, LoadFailed
from ircase import store
from ircase.models import Evidence, Indicator, JobState, Preview
from ircase.recognition import is_elsewhere, recognise
from ircase.runner import RETRY_SECONDS, spool_folder
from ircase.services import evidence
from ircase.services.analysis.findings import normalise
from ircase.services.vault import looking
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
MOST_INDICATORS: Final = 1_000
_TOKEN: Final = re.compile(r"[^\s\"'<>()\[\]{},;|`]{4,300}")
_PATH: Final = re.compile(
    r"(?i)(?:[a-z]:\\|\\\\[a-z0-9_.-]+\\|HKEY_[A-Z_]+\\|HK(?:LM|CU|U|CR)\\)[^\"<>|*?\x00-\x1f]{2,250}"
)
# Names of a program's own parts look like domains (`System.Text`): what is no country's is asked to be a usual ending.
_TOP_LEVEL: Final = re.compile(
    "com|net|org|info|biz|io|app|dev|xyz|top|online|site|club|shop|live|cloud|tech|store|icu|pro|link|click|work|win"
    "|bid|stream|download|onion|local|arpa|gov|edu|mil|int|mobi|name|tel|asia"
)
_NO_COUNTRY: Final = re.compile("so|py|pl|sh|cc|md|rs|in|ps|cs|vb|la|id|is|to")
_KINDS: Final = (
    Indicator.Kind.URL, Indicator.Kind.IP, Indicator.Kind.DOMAIN, Indicator.Kind.EMAIL, Indicator.Kind.SHA256,
    Indicator.Kind.SHA1, Indicator.Kind.MD5, Indicator.Kind.REGISTRY, Indicator.Kind.FILE_PATH,
    Indicator.Kind.FILE_NAME,
)  # fmt: skip


def make_preview(job: Preview) -> None:
    """Make one claimed look. Ends the row whatever happens; a database that is away leaves it to the sweep."""
    folder = spool_folder("preview")
    try:
        with hold(Preview.objects.all(), job) as held:
            _look(job, folder, held)
            held.beat_now()
            held.check()
            _keep(job, folder)
    except (Stopped, LoadCancelled):
        Preview.objects.end(job.pk, job.owner, JobState.CANCELLED, reason="Cancelled")  # nothing where it is not ours
    except (NoLook, LoadFailed) as error:
        Preview.objects.end(job.pk, job.owner, JobState.FAILED, reason=str(error))
    except evidence.StoreError as error:
        _later(job, error)
    except DatabaseError:
        raise
    except OSError as error:
        Preview.objects.end(
            job.pk, job.owner, JobState.FAILED, reason=f"It could not be written: {error.strerror or 'a disk error'}."
        )
    except Exception:
        logger.exception("preview.fault", extra={"preview": str(job.uuid), "kind": job.kind})
        reason = "A fault in IRCase stopped this look; the evidence is untouched. Its log has the details."
        Preview.objects.end(job.pk, job.owner, JobState.FAILED, reason=reason)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _look(job: Preview, folder: Path, held: Hold) -> None:
    with evidence.local(job.evidence) as path:
        look_in_child(
            job.kind,
            path,
            job.evidence.name,
            folder,
            cancel=held.stop,
            on_progress=lambda note: held.progress(**{str(k): v for k, v in note.items() if isinstance(v, int | str)}),
        )
    if job.kind == "strings":
        found = indicators_of(_strings(folder / "lines.ndjson", held))
        (folder / "indicators.json").write_text(json.dumps(found), encoding="utf-8")


def _strings(path: Path, held: Hold) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % 1_000 == 0:
                held.check()
            offset, _, text, _ = json.loads(line)
            yield offset, text


def indicators_of(strings: Iterator[tuple[int, str]]) -> list[tuple[str, str, int]]:
    """(kind, value, offset of the first string that names it), by kind; at most `MOST_INDICATORS`."""
    found: dict[tuple[str, str], int] = {}
    for offset, text in strings:
        for kind, value in _named(text):
            found.setdefault((kind, value), offset)
        if len(found) >= MOST_INDICATORS:
            break
    order = {str(kind): place for place, kind in enumerate(_KINDS)}
    rows = sorted(found.items(), key=lambda one: (order[one[0][0]], one[1]))
    return [(kind, value, at) for (kind, value), at in rows[:MOST_INDICATORS]]


def _named(text: str) -> Iterator[tuple[str, str]]:
    for match in _PATH.finditer(text):
        value = match[0].rstrip(" .\\")
        kind = recognise(value)
        if kind in (Indicator.Kind.FILE_PATH, Indicator.Kind.REGISTRY):
            yield str(kind), value
    for token in _TOKEN.findall(_PATH.sub(" ", text)):
        token = token.rstrip(".:!?&=")
        kind = recognise(token)
        if kind in _KINDS and _is_telling(kind, token):
            yield str(kind), normalise(kind, token)


def _is_telling(kind: str, token: str) -> bool:
    """Whether a token of this shape is likely the thing, not a part of the program's own text."""
    if kind == Indicator.Kind.IP:
        return "." in token and is_elsewhere(token)
    if kind in (Indicator.Kind.DOMAIN, Indicator.Kind.EMAIL):
        last = token.rsplit(".", 1)[-1].lower()
        country = len(last) == 2 and not _NO_COUNTRY.fullmatch(last)
        return (country or _TOP_LEVEL.fullmatch(last) is not None) and len(token.split(".")[-2]) > 1
    if kind == Indicator.Kind.FILE_NAME:
        return shapes.is_run_by_name(token)
    return kind != Indicator.Kind.FILE_PATH  # those are found with their blanks above


def _keep(job: Preview, folder: Path) -> None:
    """Into its place, then the row. Where the exhibit was destroyed meanwhile, nothing stays."""
    place = job.path
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    shutil.move(folder, place)
    if Evidence.objects.filter(pk=job.evidence_id, integrity=Evidence.Integrity.DESTROYED).exists():
        looking.forget(job.evidence)
        raise Stopped
    Preview.objects.end(job.pk, job.owner, JobState.DONE, progress={}, reason="")


def _later(job: Preview, error: evidence.StoreError) -> None:
    if job.attempt >= settings.MAX_ATTEMPTS or isinstance(error, store.NotStored | store.StoreAltered):
        Preview.objects.end(job.pk, job.owner, JobState.FAILED, reason=str(error))
    else:
        Preview.objects.hand_back(job.pk, job.owner, reason=str(error), wait=RETRY_SECONDS)
