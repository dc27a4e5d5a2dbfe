"""File analyses: an exhibit, or pasted text made one, read by the worker; what it names, taken into the case."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from artifacts.analysis import MOST_BYTES, Entity, looks_like
from ircase import jobs
from ircase.models import Activity, Case, Evidence, Indicator, JobState, User
from ircase.recognition import recognise
from ircase.services import activity, evidence
from ircase.services.analysis import findings
from ircase.store import chunks_of
from liveresponse.models import FileAnalysis

MOST_TAKEN: Final = 500
_LOOKED: Final = 200
_OFFERED: Final = 20
_TEXTS: Final = (".json", ".txt", ".log", ".ndjson")
_PLAIN: Final = {
    "registry": Indicator.Kind.REGISTRY, "process": Indicator.Kind.PROCESS, "url": Indicator.Kind.URL,
    "file": Indicator.Kind.FILE_PATH,
}  # fmt: skip


def seal_text(*, case: Case, actor: User, text: str, file_hash: str = "") -> FileAnalysis:
    """Pasted console output as an exhibit, and its reading. Raises ValidationError where it is empty or too large."""
    content = text.encode("utf-8", "replace")
    if not content.strip():
        raise ValidationError("Paste the output of the analysis.")
    if len(content) > MOST_BYTES:
        raise ValidationError(f"The text is larger than {MOST_BYTES // 2**20} MB. Upload it as evidence instead.")
    stored = evidence.put(iter([content]))
    with transaction.atomic():
        sealed = evidence.seal(
            case=case,
            stored=stored,
            kind=Evidence.Kind.UPLOAD,
            name=f"File analysis {timezone.now():%Y-%m-%d %H%M%S}.json",
            media_type="application/json",
            manifest={"by": "hand", "what": "Pasted output of a file analysis", "pasted_by": actor.name},
            actor=actor,
        )
        return queue(evidence=sealed, actor=actor, file_hash=file_hash)


@transaction.atomic
def queue(*, evidence: Evidence, actor: User, file_hash: str = "") -> FileAnalysis:
    """Have the worker read an exhibit as a file analysis. A second call reads it again. Raises ValidationError."""
    if evidence.size > MOST_BYTES:
        raise ValidationError(f"{evidence.exhibit} is larger than {MOST_BYTES // 2**20} MB, which no analysis is.")
    row = FileAnalysis.objects.select_for_update().filter(evidence=evidence).first()
    if row is not None:
        if row.is_final:
            FileAnalysis.objects.filter(pk=row.pk).update(
                state=JobState.QUEUED, attempt=0, reason="", finished_at=None, file_hash=file_hash or row.file_hash
            )
            activity.progress(row.activity, JobState.QUEUED)
            jobs.enqueue("liveresponse.read_analysis", row.pk)
        return row
    row = FileAnalysis(case=evidence.case, evidence=evidence, requested_by=actor, file_hash=file_hash)
    row.activity = activity.begin(
        case=evidence.case,
        kind=Activity.Kind.IMPORT,
        title=f"Read {evidence.exhibit} {evidence.name} as a file analysis",
        subject=row.uuid,
        url_name="liveresponse:analysis",
        actor=actor,
        detail={"evidence": evidence.exhibit, "name": evidence.name},
    )
    row.save()
    jobs.enqueue("liveresponse.read_analysis", row.pk)
    return row


@dataclass(frozen=True)
class Candidate:
    """An exhibit that may be an analysis; `alike`: its first bytes have the words of one."""

    exhibit: Evidence
    alike: bool


def candidates(case: Case) -> list[Candidate]:
    """Uploads of text that are read as no analysis yet, those that look like one first, then the newest."""
    uploads = Evidence.objects.filter(case=case, kind=Evidence.Kind.UPLOAD, file_analysis=None, size__lte=MOST_BYTES)
    rows = [one for one in uploads.order_by("-number")[:_LOOKED] if one.name.lower().endswith(_TEXTS)]
    found = [Candidate(one, _is_alike(one)) for one in rows[:_OFFERED]]
    return sorted(found, key=lambda one: not one.alike)


def _is_alike(item: Evidence) -> bool:
    try:
        head = next(chunks_of(item.path), b"")
    except OSError:
        return False
    return looks_like(head[:65_536].decode("utf-8", "replace").replace("\x00", ""))


def entities_of(row: FileAnalysis) -> list[Entity]:
    """What the analysis names, in its order; a number from 0 is what a tick box sends."""
    return [Entity(**item) for item in row.document.get("entities", ())]


def indicator_of(entity: Entity) -> tuple[str, str]:
    """The kind and value of indicator that an entity is: by where it stood, else by its shape."""
    shape = recognise(entity.value)
    if shape in (Indicator.Kind.IP, Indicator.Kind.SHA256, Indicator.Kind.SHA1, Indicator.Kind.MD5):
        return shape, entity.value
    if entity.kind in ("network", "domain"):
        return (shape if shape != Indicator.Kind.FILE_NAME else Indicator.Kind.DOMAIN), entity.value
    if entity.kind == "file":
        return (Indicator.Kind.FILE_PATH if "\\" in entity.value or "/" in entity.value else shape), entity.value
    return _PLAIN.get(entity.kind, Indicator.Kind(shape)), entity.value


def folded(kind: str, value: str) -> tuple[str, str]:
    """An indicator as the case keeps it; its text where it is none of its kind."""
    try:
        return kind, findings.normalise(kind, value)
    except ValidationError:
        return kind, value


def known_already(row: FileAnalysis, named: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Indicator]:
    """Those that are indicators of the case, by kind and value: one query."""
    pairs = {folded(kind, value) for kind, value in named}
    found = Indicator.objects.filter(case=row.case, value__in=[value for _, value in pairs])
    return {(one.kind, one.value): one for one in found}


@dataclass(frozen=True)
class Taken:
    """How many indicators are new, how many the case had, and a sentence for each refused."""

    new: int
    known: int
    refused: tuple[str, ...]

    @property
    def sentence(self) -> str:
        said = f"{self.new} indicator{'' if self.new == 1 else 's'} added"
        return f"{said}, {self.known} known already." if self.known else f"{said}."


@transaction.atomic
def take(*, row: FileAnalysis, actor: User, numbers: Iterable[int], tlp: str, verdict: str = "unknown") -> Taken:
    """The chosen entities as indicators of the case, each once. Raises ValidationError where nothing was chosen."""
    found = entities_of(row)
    chosen = list(dict.fromkeys(number for number in numbers if 0 <= number < len(found)))
    if not chosen:
        raise ValidationError("Tick at least one line.")
    if len(chosen) > MOST_TAKEN:
        raise ValidationError(f"At most {MOST_TAKEN} at a time.")
    new = known = 0
    refused = []
    for number in chosen:
        entity = found[number]
        kind, value = indicator_of(entity)
        try:
            _, added = findings.add_indicator(
                case=row.case,
                actor=actor,
                kind=kind,
                value=value,
                tlp=tlp,
                verdict=verdict,
                description=f"File analysis, {entity.section}" + (f" ({entity.note})" if entity.note else ""),
                provenance=provenance(row),
            )
        except ValidationError as error:
            refused.append(f"{entity.value[:80]}: {' '.join(error.messages)}")
        else:
            new, known = new + added, known + (not added)
    return Taken(new, known, tuple(refused))


def provenance(row: FileAnalysis) -> dict[str, Any]:
    return {"evidence": str(row.evidence.uuid), "exhibit": row.evidence.exhibit}
