"""The codes of the case log in words, for people. A code that is not here is shown as it is, with its detail."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import TextChoices
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from ircase import catalogue
from ircase.models import (
    Activity,
    Asset,
    Case,
    CaseRole,
    ChecklistItem,
    Indicator,
    Milestone,
    Phase,
)
from ircase.models.chain import ChainedRow

Detail = Mapping[str, Any]
_ICONS = {
    "case": "briefcase",
    "checklist": "list-checks",
    "evidence": "fingerprint",
    "hunt": "crosshair",
    "collection": "package",
    "action": "zap",
    "import": "database",
    "report": "file-text",
    "row": "star",
    "watch": "eye",
    "upload": "upload",
    "push": "upload",
    "approval": "stamp",
    "note": "message-square",
    "notebook": "book-open",
    "asset": "laptop",
    "indicator": "flag",
    "event": "clock",
    "incident": "siren",
    "library": "book-open",
}
_TONES = {
    "evidence.altered": "danger",
    "evidence.missing": "danger",
    "case.closed": "ok",
    "approval.rejected": "warn",
    "case.administrator_joined": "warn",
    "action.break_glass": "danger",
    "site.frozen": "danger",
    "site.thawed": "warn",
}
_WORK = {
    "hunt": "the hunt",
    "collection": "the collection",
    "action": "the action",
    "import": "",
    "report": "",
    "push": "",
    "evidence": "",
}
_WORK_VERBS = {
    "queued": "queued",
    "done": "finished",
    "failed": "could not finish",
    "cancelled": "cancelled",
    "partial": "finished in part",
    "expired": "let expire",
    "refused": "refused",
    "cancel_requested": "asked to cancel",
    "downloaded": "downloaded",
    "verified": "verified",
}

_SENTENCES: dict[str, Callable[[Detail], str]] = {
    "hunt.schema_asked": lambda d: f"had the tables of {d.get('source')} read again",
    "case.opened": lambda d: "opened the case" + (f" with the playbook “{_playbook(d)}”" if d.get("playbook") else ""),
    "case.edited": lambda d: f"changed the case's {_names(d.get('changes'))}",
    "case.connected": lambda d: "connected the case to the tenant",
    "case.confidentiality": lambda d: (
        "made the case confidential" if d.get("confidential") else "lifted the confidentiality"
    ),
    "case.phase_moved": lambda d: f"moved the case from {_label(Phase, d, 'left')} to {_label(Phase, d, 'phase')}",
    "case.closed": lambda d: "closed the case",
    "case.reopened": lambda d: "opened the case again",
    "case.milestone": lambda d: f"set {_label(Milestone.Kind, d, 'kind')} to {_time(d.get('at'))}",
    "case.member": lambda d: f"gave {d.get('member')} the role {_label(CaseRole, d, 'role')}",
    "case.member_removed": lambda d: f"removed {d.get('member')} from the case",
    "case.administrator_joined": lambda d: "joined the case as an administrator",
    "checklist.added": lambda d: "added the item",
    "checklist.planned": lambda d: f"planned for {d.get('owner') or 'nobody yet'}{_due(d)}:",
    "checklist.done": lambda d: "finished",
    "checklist.skipped": lambda d: "skipped",
    "checklist.reopened": lambda d: "opened again",
    "checklist.proven": lambda d: "linked a proof:",
    "note.created": lambda d: "wrote the note",
    "note.saved": lambda d: f"saved a note (version {d.get('version')})",
    "note.conflict": lambda d: f"saved a note late, against version {d.get('version')}; both texts are kept",
    "notebook.created": lambda d: "began the notebook",
    "notebook.imported": lambda d: f"made a notebook of a file, {d.get('cells')} cells:",
    "notebook.renamed": lambda d: f"renamed the notebook “{d.get('before')}”:",
    "notebook.exported": lambda d: "exported the notebook",
    "notebook.cell_added": lambda d: f"added a cell ({d.get('kind')}) to the notebook",
    "notebook.cell_saved": lambda d: f"saved a cell (version {d.get('version')}) of the notebook",
    "notebook.cell_conflict": lambda d: (
        f"saved a cell late, against version {d.get('version')}; both texts are kept, in the notebook"
    ),
    "notebook.cell_moved": lambda d: "moved a cell of the notebook",
    "notebook.cell_removed": lambda d: "deleted a cell of the notebook",
    "notebook.cell_restored": lambda d: "brought back a cell of the notebook",
    "notebook.run_all": lambda d: f"started all {d.get('cells')} queries of the notebook",
    "notebook.run_all_done": lambda d: "ran the notebook to its end:",
    "notebook.run_all_failed": lambda d: "stopped at a cell that failed, in the notebook",
    "notebook.run_all_cancelled": lambda d: "stopped running the notebook",
    "asset.added": lambda d: f"added the {_label(Asset.Kind, d, 'kind').lower()}",
    "asset.judged": lambda d: f"judged as {_label(Asset.Compromise, d, 'compromise').lower()}",
    "indicator.added": lambda d: f"added the indicator ({_label(Indicator.Kind, d, 'kind')})",
    "indicator.judged": lambda d: f"judged as {_label(Indicator.Verdict, d, 'verdict').lower()}",
    "event.added": lambda d: "added to the timeline",
    "event.edited": lambda d: f"changed an event's {_names(d.get('fields'))}",
    "event.removed": lambda d: "took off the timeline",
    "evidence.sealed": lambda d: f"sealed {d.get('exhibit')}",
    "evidence.altered": lambda d: f"found {d.get('exhibit')} ALTERED: its bytes no longer match their hash",
    "evidence.missing": lambda d: f"found {d.get('exhibit')} MISSING from the store",
    "evidence.typed": lambda d: f"chose how {d.get('exhibit')} is read{_zone(d)}:",
    "upload.begun": lambda d: f"began to upload ({filesizeformat(d.get('size') or 0)})",
    "upload.discarded": lambda d: "discarded the unfinished upload of",
    "upload.expired": lambda d: "gave up the unfinished upload of",
    "approval.requested": lambda d: "asked a second person to approve",
    "approval.approved": lambda d: "approved",
    "approval.rejected": lambda d: "rejected",
    "approval.withdrawn": lambda d: "withdrew the question",
    "approval.expired": lambda d: "let the question expire:",
    "approval.standing_revoked": lambda d: "took back the approval in advance of the script",
    "approval.standing_granted": lambda d: f"approved in advance, for {d.get('days')} days, the script",
    "action.break_glass": lambda d: "acted WITHOUT APPROVAL (break-glass):",
    "action.reviewed": lambda d: "reviewed the break-glass action",
    "site.frozen": lambda d: f"FROZE all outgoing actions ({d.get('what')})",
    "site.thaw_asked": lambda d: f"asked to thaw outgoing actions ({d.get('what')})",
    "site.thawed": lambda d: f"thawed outgoing actions ({d.get('what')})",
    "library.hunt_saved": lambda d: f"saved version {d.get('version')} of the hunt",
    "library.hunt_approved": lambda d: f"approved version {d.get('version')} of the hunt",
    "library.hunt_retired": lambda d: "retired the hunt",
    "library.hunt_restored": lambda d: "brought back the hunt",
    "row.starred": lambda d: "starred",
    "row.noted": lambda d: "wrote a note on" if d.get("comment") else "took the note off",
    "row.unstarred": lambda d: "took the star off",
    "watch.started": lambda d: f"began to watch, every {d.get('every_hours')} h:",
    "watch.changed": lambda d: f"changed a watch to every {d.get('every_hours')} h:",
    "watch.paused": lambda d: "paused the watch",
    "watch.resumed": lambda d: "resumed the watch",
    "watch.stopped": lambda d: "stopped the watch",
    "watch.new": lambda d: f"found {d.get('rows')} new row{'' if d.get('rows') == 1 else 's'} by the watch",
    "watch.undecided": lambda d: "could not tell what is new by the watch",
    "library.pack_saved": lambda d: f"saved version {d.get('version')} of the pack",
    "library.pack_retired": lambda d: "retired the pack",
    "library.pack_restored": lambda d: "brought back the pack",
    "library.import_queued": lambda d: "handed in hunts to import:",
    "library.imported": lambda d: f"kept {d.get('kept')} of an import:",
    "hunt.pack_queued": lambda d: f"ran a pack of {d.get('hunts')} hunts:",
    "hunt.pack_stopped": lambda d: "stopped the pack",
    "hunt.step_not_run": lambda d: "did not run, as the pack's condition says,",
    "incident.dismissed": lambda d: f"decided that incident {d.get('incident')} needs no case",
    "incident.taken_back": lambda d: f"took back the dismissal of incident {d.get('incident')}",
    "incident.imported": lambda d: (
        f"took over incident {d.get('incident')}: {d.get('assets', 0)} assets, {d.get('indicators', 0)} indicators, "
        f"{d.get('events', 0)} events"
    ),
}
_FIELDS = {"in_report": "place in the report", "at": "time", "lane": "side", "tlp": "TLP"}
_OBJECTS = ("title", "name", "value", "item", "proof", "script")
_QUOTES = ("reason", "comment", "result", "sentence", "outcome")


@dataclass(frozen=True)
class Sentence:
    """As components/log_row.html wants it. `object` is what was acted on, `quote` a person's own words."""

    actor: str
    text: str
    object: str
    quote: str
    icon: str
    tone: str
    at: Any
    sequence: int
    action: str
    detail: Detail


def sentence_of(entry: ChainedRow, items: Mapping[str, str] | None = None) -> Sentence:
    """The entry in words. Never raises: details are what past versions wrote.

    `items` are titles of the checklist by key, for entries that hold the key alone.
    """
    detail = entry.detail if isinstance(entry.detail, dict) else {}
    area = entry.action.split(".", 1)[0]
    return Sentence(
        actor=entry.actor_name,
        text=_text(entry.action, detail),
        object=_object(detail, items or {}),
        quote=_first(detail, _QUOTES),
        icon=_ICONS.get(area, "activity"),
        tone=_TONES.get(entry.action, ""),
        at=entry.at,
        sequence=entry.sequence,
        action=entry.action,
        detail=detail,
    )


def _text(action: str, detail: Detail) -> str:
    known = _SENTENCES.get(action)
    if known is not None:
        return known(detail)
    area, _, verb = action.partition(".")
    if area in _WORK and verb == "judged":
        return f"judged as {_label(Activity.Verdict, detail, 'verdict').lower()}"
    if area in _WORK and verb in _WORK_VERBS:
        return " ".join(part for part in (_WORK_VERBS[verb], _WORK[area]) if part)
    return action


def _object(detail: Detail, items: Mapping[str, str]) -> str:
    found = _first(detail, _OBJECTS)
    return items.get(found, found) if found == detail.get("item") else found


def _first(detail: Detail, names: tuple[str, ...]) -> str:
    return next((str(detail[name])[:500] for name in names if detail.get(name)), "")


def _label(choices: type[TextChoices], detail: Detail, name: str) -> str:
    """A choice as people read it; as it stands where no present choice has that value."""
    value = str(detail.get(name, ""))
    return dict(choices.choices).get(value, value.replace("_", " "))


def _playbook(detail: Detail) -> str:
    identifier = str(detail["playbook"])
    known = catalogue.playbooks().get(identifier)
    return known.title if known else identifier


def _names(changes: Any) -> str:
    return (
        ", ".join(_FIELDS.get(str(name), str(name).replace("_", " ")) for name in changes)
        if isinstance(changes, dict | list) and changes
        else "facts"
    )


def _time(value: Any) -> str:
    """A moment of the log in the reader's zone; as it is where it is none."""
    try:
        at = datetime.fromisoformat(str(value))
        return timezone.localtime(at).strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError):
        return str(value or "")


def _zone(detail: Detail) -> str:
    return f", times in {detail['zone']}" if detail.get("zone") else ""


def _due(detail: Detail) -> str:
    return f", due {_time(detail['due'])}" if detail.get("due") else ""


def sentences(case: Case, entries: Iterable[ChainedRow]) -> list[Sentence]:
    """Entries of one case in words, with the titles of its checklist: one query more than the entries themselves."""
    titles = dict(ChecklistItem.objects.filter(case=case).values_list("key", "title"))
    return [sentence_of(entry, titles) for entry in entries]
