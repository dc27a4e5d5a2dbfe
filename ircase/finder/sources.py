"""What the case itself has to be found. The apps above register theirs, as these are registered, when Django starts."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.urls import NoReverseMatch, reverse

from ircase.models import (
    Activity,
    Asset,
    Case,
    CaseTable,
    ChecklistItem,
    Comment,
    Decision,
    Event,
    Evidence,
    Indicator,
    LogEntry,
    Note,
    Proof,
    SearchEntry,
)
from ircase.search import index
from ircase.search.sources import Draft, Source, numbered
from ircase.sentences import sentence_of

CASE, TABLE, LOG = "case", "table", "log"


def register_all() -> None:
    """Called when Django starts."""
    for source in (*_CASE_AND_FINDINGS, *_WORK):
        index.register(source)


def url_below_case(name: str) -> Callable[[SearchEntry], str]:
    """The page `name`, which takes the case's reference and the subject."""
    return lambda entry: reverse(name, args=[_reference(entry), entry.subject])


def url_by_number(name: str) -> Callable[[SearchEntry], str]:
    """The page `name`, which takes the case's reference and the row's number."""
    return lambda entry: reverse(name, args=[_reference(entry), entry.subject.int])


def _reference(entry: SearchEntry) -> str:
    return entry.case.reference if entry.case else ""


def _case(case: Case) -> Draft:
    return Draft(
        case.pk, case.uuid, f"{case.reference} {case.title}", case.opened_at,
        _joined(case.description, case.summary, case.lessons),
        also=(case.incident_id, case.get_severity_display(), case.get_phase_display()),
        status="open" if case.is_open else "closed",
    )  # fmt: skip


def _note(note: Note) -> Draft:
    return Draft(note.case_id, note.uuid, note.title, note.updated_at, note.body, owner_id=note.updated_by_id)


def _indicator(found: Indicator) -> Draft:
    return Draft(
        found.case_id, found.uuid, found.value, found.added_at, found.description, also=(found.get_kind_display(),),
        status=found.verdict, owner_id=found.added_by_id,
    )  # fmt: skip


def _asset(asset: Asset) -> Draft:
    return Draft(
        asset.case_id, asset.uuid, asset.name, asset.added_at, _joined(asset.identifier, asset.description),
        also=(asset.get_kind_display(), *_values(asset.details)), status=asset.compromise, owner_id=asset.added_by_id,
    )  # fmt: skip


def _event(event: Event) -> Draft:
    return Draft(
        event.case_id, event.uuid, event.title, event.at, event.description,
        also=(event.technique, event.source, *_values(event.row)), marks=techniques([event.technique]),
        owner_id=event.added_by_id,
    )  # fmt: skip


def _item(item: ChecklistItem) -> Draft:
    at = item.ended_at or item.case.opened_at
    return Draft(
        item.case_id, numbered(item.pk), item.title, at, _joined(item.result, item.guidance), status=item.state,
        owner_id=item.owner_id, also=(item.r2_step, item.csf_outcome),
    )  # fmt: skip


def _proof(proof: Proof) -> Draft | None:
    """A decision that proves an item, in words; other proofs are found as what they are."""
    if not proof.decision:
        return None
    return Draft(
        proof.item.case_id, numbered(proof.pk), proof.item.title, proof.added_at, proof.decision,
        owner_id=proof.added_by_id, place=f"ircase:checklist_item {proof.item_id}",
    )  # fmt: skip


def _evidence(item: Evidence) -> Draft:
    return Draft(
        item.case_id, item.uuid, f"{item.exhibit} {item.name}", item.sealed_at, item.description,
        also=(item.sha256, item.get_kind_display(), *_hashes(item.manifest)), status=item.integrity,
        owner_id=item.sealed_by_id,
    )  # fmt: skip


def _activity(done: Activity) -> Draft:
    return Draft(
        done.case_id, done.uuid, done.title, done.requested_at, _joined(done.sentence, done.outcome),
        also=(done.get_kind_display(), done.get_verdict_display()), status=done.state,
        owner_id=done.requested_by_id, place=f"{done.url_name} {done.subject}",
    )  # fmt: skip


def _log(entry: LogEntry) -> Draft | None:
    """Entries of the site are for administrators, who read them where they stand."""
    if entry.case_id is None:
        return None
    said = sentence_of(entry)
    title = " ".join(part for part in (said.actor, said.text, said.object) if part)
    return Draft(entry.case_id, numbered(entry.pk), title, entry.at, said.quote, owner_id=entry.actor_id)


def _table(table: CaseTable) -> Draft:
    """Its name and columns; the texts of its cells are further parts (finder.cells)."""
    columns = ", ".join(str(name) for name, _ in table.columns)
    return Draft(table.case_id, table.uuid, table.name, table.evidence.sealed_at, columns[:4000], also=(table.origin,))


def techniques(ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Marks of ATT&CK techniques; a sub-technique is found by its technique, too."""
    found = [part for one in ids if one for part in (one.lower(), one.lower().split(".")[0])]
    return tuple(("technique", one) for one in dict.fromkeys(found))


def _joined(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


def _values(row: Any, room: int = 4000) -> tuple[str, ...]:
    """The texts of a JSON object, to be found and not shown."""
    found = (
        [str(value)[:500] for value in row.values() if isinstance(value, str | int)] if isinstance(row, dict) else []
    )
    return (" \n ".join(found)[:room],)


_HASHES: Final = ("sha1", "md5", "sha256", "stated_sha256")


def _hashes(manifest: Any) -> tuple[str, ...]:
    """Further hashes that a manifest holds, as of a file before it was packed, or of one that is kept elsewhere."""
    found = manifest.items() if isinstance(manifest, dict) else ()
    return tuple(str(value)[:200] for name, value in found if name in _HASHES and value)


def place_url(entry: SearchEntry) -> str:
    """The page that the entry names itself: a URL's name and what it takes beside the case's reference. A page that is
    gone since the entry was written must not take the answer with it: the case stands for it."""
    name, *more = entry.place.split(" ")
    try:
        return reverse(name, args=[*([_reference(entry)] if entry.case_id else []), *more])
    except NoReverseMatch:
        return _case_url(entry) if entry.case_id else reverse("ircase:search")


def _case_url(entry: SearchEntry) -> str:
    return reverse("ircase:case", args=[_reference(entry)])


def _log_url(entry: SearchEntry) -> str:
    return reverse("ircase:log", args=[_reference(entry)])


def _comment(row: Comment) -> Draft:
    whole = not any(letter in row.subject for letter in " /")
    place = f"ircase:comments {row.kind} {row.subject}" if whole else "ircase:case"
    return Draft(row.case_id, row.uuid, row.body[:120], row.at, row.body, owner_id=row.author_id, place=place)


def _decision(row: Decision) -> Draft:
    body = _joined(row.why, row.alternatives, row.told)
    return Draft(
        row.case_id, row.uuid, row.what, row.decided_at, body, also=(row.decided_by,), owner_id=row.written_by_id
    )


_CASE_AND_FINDINGS = (
    Source(CASE, "Cases", "Case", "briefcase", Case, _case, _case_url, order=10),
    Source(
        "indicator",
        "Indicators",
        "Indicator",
        "flag",
        Indicator,
        _indicator,
        url_below_case("ircase:indicator"),
        order=20,
    ),
    Source("asset", "Assets", "Asset", "laptop", Asset, _asset, url_below_case("ircase:asset"), order=20),
    Source("event", "Timeline", "Event", "clock", Event, _event, url_below_case("ircase:event"), order=20),
    Source("note", "Notes", "Note", "file-text", Note, _note, url_below_case("ircase:note"), order=20),
    Source("comment", "Comments", "Comment", "message-square", Comment, _comment, place_url, order=25),
    Source(
        "decision", "Decisions", "Decision", "gavel", Decision, _decision, url_below_case("ircase:decision"), order=25
    ),
)
_WORK = (
    Source(
        "item", "Checklist", "Item", "list-checks", ChecklistItem, _item, url_by_number("ircase:checklist_item"),
        related=("case",), order=30,
    ),
    Source(
        "proof", "Decisions that prove an item", "Proof", "check", Proof, _proof, place_url, related=("item",),
        order=30,
    ),
    Source(
        "evidence", "Evidence", "Exhibit", "fingerprint", Evidence, _evidence, url_below_case("ircase:evidence_item"),
        order=40,
    ),
    Source("activity", "Work", "Work", "activity", Activity, _activity, place_url, order=40),
    Source(
        TABLE, "Tables", "Table", "table", CaseTable, _table, url_below_case("ircase:table"), related=("evidence",),
        order=80,
    ),
    Source(LOG, "Log", "Log entry", "activity", LogEntry, _log, _log_url, order=90),
)  # fmt: skip
