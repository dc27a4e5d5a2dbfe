"""The codes of the case log in words, for people. A code that is not here is shown as it is, with its detail."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import TextChoices
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from ircase import hookwords, incidentwords, lifewords, readywords, reportwords, sharewords, shelf
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
    "custody": "fingerprint",
    "export": "package",
    "hunt": "crosshair",
    "collection": "package",
    "action": "zap",
    "device_action": "zap",
    "import": "database",
    "report": "file-text",
    "row": "star",
    "watch": "eye",
    "upload": "upload",
    "push": "upload",
    "approval": "stamp",
    "note": "message-square",
    "comment": "message-square",
    "notebook": "book-open",
    "asset": "laptop",
    "indicator": "flag",
    "event": "clock",
    "timeline": "clock",
    "harmless": "shield-check",
    "attack": "table",
    "incident": "siren",
    "hold": "lock",
    "retention": "archive",
    "destruction": "trash-2",
    "store": "database",
    "library": "book-open",
    "script": "file-text",
    "lookup": "search",
    **lifewords.ICONS,
    **hookwords.ICONS,
    **reportwords.ICONS,
    **sharewords.ICONS,
    **reportwords.ICONS,
    **readywords.ICONS,
}
_TONES = {
    "evidence.altered": "danger",
    "evidence.missing": "danger",
    "evidence.destroyed": "warn",
    "case.closed": "ok",
    "approval.rejected": "warn",
    "script.replaced_seen": "danger",
    "script.uploaded_seen": "warn",
    "script.deleted_seen": "warn",
    "case.administrator_joined": "warn",
    "action.break_glass": "danger",
    "site.frozen": "danger",
    "site.thawed": "warn",
    **lifewords.TONES,
    **reportwords.TONES,
}
_WORK = {
    "hunt": "the hunt",
    "collection": "the collection",
    "action": "the action",
    "import": "",
    "report": "",
    "push": "",
    "export": "",
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
    **lifewords.SENTENCES,
    **reportwords.SENTENCES,
    **sharewords.SENTENCES,
    **readywords.SENTENCES,
    "row.tagged": lambda d: _tagged(d),
    "timeline.view_saved": lambda d: f"saved the view “{d.get('title')}” of the super-timeline",
    "timeline.view_removed": lambda d: f"removed the view “{d.get('title')}” of the super-timeline",
    "timeline.export_asked": lambda d: f"asked for events of the super-timeline as {d.get('title')}",
    "timeline.exported": lambda d: f"exported {d.get('events', 0):,} events of the super-timeline as {d.get('title')}",
    "timeline.downloaded": lambda d: f"downloaded the super-timeline's export as {d.get('title')}",
    "person.keys_changed": lambda d: f"switched single-key shortcuts {'on' if d.get('on') else 'off'}",
    "view.saved": lambda d: f"saved a{' shared' if d.get('shared') else ''} view",
    "view.removed": lambda d: "removed a saved view",
    "case_list.exported": lambda d: "exported a list of cases",
    "case.tagged": lambda d: f"on the case, {_tagged(d)}",
    "hunt.schema_asked": lambda d: f"had the tables of {d.get('source')} read again",
    "case.opened": lambda d: "opened the case" + (f" with the playbook “{_playbook(d)}”" if d.get("playbook") else ""),
    "case.edited": lambda d: f"changed the case's {_names(d.get('changes'))}",
    "case.connected": lambda d: "connected the case to the tenant",
    "case.confidentiality": lambda d: (
        "made the case confidential" if d.get("confidential") else "lifted the confidentiality"
    ),
    "case.phase_moved": lambda d: (
        f"moved the case from {_label(Phase, d, 'left')} to {_label(Phase, d, 'phase')}{_despite(d)}"
    ),
    "case.closed": lambda d: "closed the case",
    "case.reopened": lambda d: "opened the case again",
    "case.milestone": lambda d: f"set {_label(Milestone.Kind, d, 'kind')} to {_time(d.get('at'))}",
    "case.member": lambda d: f"gave {d.get('member')} the role {_label(CaseRole, d, 'role')}",
    "case.member_removed": lambda d: f"removed {d.get('member')} from the case",
    "case.team": lambda d: f"put the team {d.get('team')} on the case as {_label(CaseRole, d, 'role')}",
    "case.team_removed": lambda d: f"took the team {d.get('team')} off the case",
    "case.access_reviewed": lambda d: "reviewed who sees the case",
    "case.administrator_joined": lambda d: "joined the case as an administrator",
    "checklist.added": lambda d: "added the item",
    "checklist.planned": lambda d: f"planned for {d.get('owner') or 'nobody yet'}{_due(d)}:",
    "checklist.done": lambda d: "finished",
    "checklist.skipped": lambda d: "skipped",
    "checklist.reopened": lambda d: "opened again",
    "checklist.proven": lambda d: "linked a proof:",
    "checklist.given": lambda d: f"gave {d.get('owner')}, who is {d.get('role')}, the item",
    "checklist.noted": lambda d: "wrote what is known of",
    "checklist.started": lambda d: "began",
    "checklist.waits": lambda d: f"waits for {d.get('waiting_for')}:",
    "checklist.review": lambda d: f"asked {d.get('reviewer') or 'the leads'} to review",
    "checklist.repeated": lambda d: f"opened {d.get('items')} steps for",
    "checklist.asset_left": lambda d: f"skipped {d.get('items')} steps of",
    "checklist.playbook_applied": lambda d: (
        f"added {d.get('items')} items of version {d.get('version')} of the playbook"
    ),
    "asset.removed": lambda d: "took off the case the asset",
    "preparation.added": lambda d: "added to the preparation",
    "preparation.changed": lambda d: f"changed {_names(d.get('fields'))} of the preparation item",
    "preparation.removed": lambda d: "took off the preparation",
    "library.playbook_saved": lambda d: f"saved version {d.get('version')} of the playbook",
    "library.playbook_reviewed": lambda d: f"reviewed version {d.get('version')} of the playbook",
    "library.playbook_approved": lambda d: f"approved version {d.get('version')} of the playbook",
    "library.playbook_retired": lambda d: "retired the playbook",
    "library.playbook_restored": lambda d: "brought back the playbook",
    "note.created": lambda d: "wrote the note",
    "note.saved": lambda d: f"saved a note (version {d.get('version')})",
    "note.conflict": lambda d: f"saved a note late, against version {d.get('version')}; both texts are kept",
    "note.late_left": lambda d: "left the page as it is, beside a text that came late, in the note",
    "note.restored": lambda d: f"brought back version {d.get('version')} of the note",
    "note.placed": lambda d: (
        f"put into {d.get('folder') or 'no folder'}{', pinned' if d.get('pinned') else ''}, the note"
    ),
    "note.archived": lambda d: "archived the note",
    "note.unarchived": lambda d: "brought back the note",
    "comment.written": lambda d: "commented on",
    "comment.edited": lambda d: f"edited a comment (version {d.get('version')}) on",
    "comment.resolved": lambda d: "resolved a comment on",
    "comment.reopened": lambda d: "opened again a comment on",
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
    "asset.added": lambda d: f"{_asked_for(d)}added the {_label(Asset.Kind, d, 'kind').lower()}",
    "asset.added_many": lambda d: f"{_asked_for(d)}added {d.get('count')} devices at once",
    "asset.identified": lambda d: (
        "learnt Defender's id of"
        if d.get("count") == 1
        else f"learnt Defender's ids of {d.get('count')} devices, first"
    ),
    "asset.judged": lambda d: f"judged as {_label(Asset.Compromise, d, 'compromise').lower()}",
    "indicator.added": lambda d: f"added the indicator ({_label(Indicator.Kind, d, 'kind')})",
    "indicator.judged": lambda d: f"judged as {_label(Indicator.Verdict, d, 'verdict').lower()}",
    "event.added": lambda d: "added to the timeline",
    "event.edited": lambda d: f"changed an event's {_names(d.get('fields'))}",
    "event.changed_many": lambda d: f"changed {d.get('count')} events at once",
    "event.exported": lambda d: f"took {d.get('count')} events of the timeline as a CSV, with times of {d.get('zone')}",
    "event.imported": lambda d: f"brought {d.get('count')} events in from",
    "indicator.edited": lambda d: f"changed an indicator's {_names(d.get('fields'))}",
    "person.address_confirmed": lambda d: "confirmed their address for news",
    "indicator.added_many": lambda d: f"added {d.get('count')} indicators at once",
    "indicator.changed_many": lambda d: f"changed {d.get('count')} indicators at once",
    "indicator.look_asked": lambda d: f"had {d.get('count')} indicators looked for in the case's tables",
    "indicator.looked": lambda d: f"found {d.get('found')} of {d.get('count')} indicators in the case's tables",
    "harmless.added": lambda d: f"put on the list of what is known to be harmless: {d.get('value')}",
    "harmless.withdrawn": lambda d: f"took off the list of what is known to be harmless: {d.get('value')}",
    "attack.brought": lambda d: "uploaded ATT&CK data",
    "attack.used": lambda d: f"uses ATT&CK {d.get('version')} ({d.get('techniques')} techniques) from now on:",
    "attack.withdrawn": lambda d: f"withdrew the ATT&CK data {d.get('version')}:",
    "event.removed": lambda d: "took off the timeline",
    "evidence.registered": lambda d: f"registered {d.get('count')} exhibits that lie elsewhere from",
    "evidence.sealed": lambda d: f"sealed {d.get('exhibit')}",
    "evidence.marked": lambda d: _marked(d),
    "evidence.altered": lambda d: f"found {d.get('exhibit')} ALTERED: its bytes no longer match their hash",
    "evidence.missing": lambda d: f"found {d.get('exhibit')} MISSING from the store",
    "evidence.destroyed": lambda d: (
        f"destroyed {d.get('exhibit')}, as {d.get('asked_by')} and {d.get('approved_by')} decided:"
    ),
    "hold.placed": lambda d: f"placed a legal hold on {d.get('on')}",
    "hold.lifted": lambda d: f"lifted the legal hold on {d.get('on')}, as {d.get('asked_by')} had asked",
    "retention.kept": lambda d: f"keeps {d.get('exhibits')} until {_time(d.get('until'))}",
    "retention.policy_made": lambda d: f"made a retention policy of {d.get('days')} days:",
    "retention.policy_changed": lambda d: f"changed a retention policy ({d.get('days')} days):",
    "destruction.requested": lambda d: f"asked to destroy {d.get('exhibits')}",
    "destruction.refused": lambda d: "did not destroy what was asked for",
    "destruction.spared": lambda d: f"spared {d.get('exhibit')} of a destruction, for a legal hold came meanwhile",
    "destruction.certified": lambda d: f"certified the destruction in {d.get('exhibit')}",
    "store.survey_asked": lambda d: "had the evidence store looked through",
    "store.cleanup_asked": lambda d: "asked to remove what no record needs from the evidence store",
    "store.cleaned_up": lambda d: f"removed {d.get('removed')} files that no record needs from the evidence store",
    "store.rewrapped": lambda d: f"put {d.get('files')} files of the evidence store under the key {d.get('key')}",
    "store.moved": lambda d: f"copied {d.get('files')} files from the store {d.get('source')} to {d.get('target')}",
    "evidence.typed": lambda d: f"chose how {d.get('exhibit')} is read{_zone(d)}:",
    "custody.offered": lambda d: f"handed {d.get('exhibit')} to {d.get('receiver')}, who has not confirmed yet:",
    "custody.transferred": lambda d: f"transferred the custody of {d.get('exhibit')} to {d.get('receiver')}:",
    "custody.refused": lambda d: f"refused to take {d.get('exhibit')}:",
    "custody.withdrawn": lambda d: f"took back the offer of {d.get('exhibit')} to {d.get('receiver')}:",
    "custody.returned": lambda d: f"returned {d.get('exhibit')} to {d.get('receiver')}:",
    "custody.sealed_again": lambda d: f"sealed {d.get('exhibit')} again, with the seal {d.get('seal')}:",
    "custody.viewed": lambda d: f"looked at {d.get('exhibit')} itself:",
    "export.downloaded": lambda d: f"downloaded{' in an encrypted zip' if d.get('form') == 'aes-256 zip' else ''}",
    "import.password_given": lambda d: f"gave another password for {d.get('name')}",
    "export.removed": lambda d: "removed the file of",
    "case.brought_in": lambda d: f"brought the case in from another IRCase, where it was {d.get('reference')}:",
    "signing.key_made": lambda d: f"made the signing key {d.get('key')}",
    "signing.rotated": lambda d: f"changed the signing key to {d.get('key')}",
    "statement.stamp_asked_again": lambda d: f"had a time stamp for statement {d.get('number')} asked for again",
    "statement.sent_again": lambda d: f"had statement {d.get('number')} sent again",
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
    "library.collection_saved": lambda d: f"saved version {d.get('version')} of the collection",
    "library.collection_approved": lambda d: f"approved version {d.get('version')} of the collection",
    "library.collection_retired": lambda d: "retired the collection",
    "library.collection_restored": lambda d: "brought back the collection",
    "script.uploaded_asked": lambda d: f"asked to upload to the library of {d.get('connection')} the file",
    "script.uploaded_done": lambda d: f"uploaded to the library of {d.get('connection')} the file",
    "script.uploaded_failed": lambda d: f"could not upload to the library of {d.get('connection')} the file",
    "script.uploaded_seen": lambda d: f"found in the library of {d.get('connection')} the new file",
    "script.replaced_asked": lambda d: f"asked to replace in the library of {d.get('connection')} the file",
    "script.replaced_done": lambda d: f"replaced in the library of {d.get('connection')} the file",
    "script.replaced_failed": lambda d: f"could not replace in the library of {d.get('connection')} the file",
    "script.replaced_seen": lambda d: f"found CHANGED in the library of {d.get('connection')} the file",
    "script.deleted_asked": lambda d: f"asked to delete from the library of {d.get('connection')} the file",
    "script.deleted_done": lambda d: f"deleted from the library of {d.get('connection')} the file",
    "script.deleted_failed": lambda d: f"could not delete from the library of {d.get('connection')} the file",
    "script.deleted_seen": lambda d: f"found gone from the library of {d.get('connection')} the file",
    "library.pack_saved": lambda d: f"saved version {d.get('version')} of the pack",
    "library.pack_retired": lambda d: "retired the pack",
    "library.pack_restored": lambda d: "brought back the pack",
    "library.import_queued": lambda d: "handed in hunts to import:",
    "library.imported": lambda d: f"kept {d.get('kept')} of an import:",
    "hunt.pack_queued": lambda d: f"ran a pack of {d.get('hunts')} hunts:",
    "hunt.pack_stopped": lambda d: "stopped the pack",
    "hunt.step_not_run": lambda d: "did not run, as the pack's condition says,",
    "collection.resumed": lambda d: "let a collection go on, so that its result is fetched:",
    "collection.batch_drafted": lambda d: "chose devices for many collections:",
    "collection.batch_queued": lambda d: f"asked for a collection on {d.get('count')} devices:",
    "collection.batch_refused": lambda d: "refused the collection on many devices:",
    "collection.batch_cancelled": lambda d: "cancelled the collection on many devices:",
    "device_action.elsewhere": lambda d: (
        f"saw what {d.get('by') or 'somebody'} started outside IRCase on {_time(d.get('at'))}:"
    ),
    **incidentwords.SENTENCES,
    **hookwords.SENTENCES,
    "lookup.asked": lambda d: f"asked Defender about the {d.get('kind')}",
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


def _asked_for(detail: Detail) -> str:
    """What was asked of a device that became an asset by that."""
    source = detail.get("provenance")
    asked = {"collection": "a collection", "collection_batch": "a collection", "action": "a response action"}
    said = next((words for name, words in asked.items() if isinstance(source, dict) and name in source), "")
    return f"asked for {said}, which " if said else ""


def _marked(detail: Detail) -> str:
    said = {"malicious": "as malicious", "safe": "as safe to leave as it is"}.get(str(detail.get("mark")))
    return f"marked {detail.get('exhibit')} {said}" if said else f"took back the mark of {detail.get('exhibit')}"


def _tagged(detail: Detail) -> str:
    said = [
        f"{verb} {', '.join(d)}"
        for verb, d in (("tagged", detail.get("added")), ("untagged", detail.get("removed")))
        if d
    ]
    return " and ".join(said) or "tagged"


def _first(detail: Detail, names: tuple[str, ...]) -> str:
    return next((str(detail[name])[:500] for name in names if detail.get(name)), "")


def _label(choices: type[TextChoices], detail: Detail, name: str) -> str:
    """A choice as people read it; as it stands where no present choice has that value."""
    value = str(detail.get(name, ""))
    return dict(choices.choices).get(value, value.replace("_", " "))


def _playbook(detail: Detail) -> str:
    identifier = str(detail["playbook"])
    return shelf.title(identifier)


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


def _despite(detail: Detail) -> str:
    """A gate that was passed with required items open, and why."""
    if not detail.get("despite"):
        return ""
    return f" with {len(detail.get('required_left_open') or ())} required items open (“{detail['despite']}”)"


def _zone(detail: Detail) -> str:
    return f", times in {detail['zone']}" if detail.get("zone") else ""


def _due(detail: Detail) -> str:
    return f", due {_time(detail['due'])}" if detail.get("due") else ""


def sentences(case: Case, entries: Iterable[ChainedRow], titles: Mapping[str, str] | None = None) -> list[Sentence]:
    """Entries of one case in words, with the titles of its checklist by their keys: one query more than the entries
    themselves where they are not given."""
    if titles is None:
        titles = dict(ChecklistItem.objects.filter(case=case).values_list("key", "title"))
    return [sentence_of(entry, titles) for entry in entries]
