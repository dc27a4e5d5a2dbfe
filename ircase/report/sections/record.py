"""What the record holds: evidence, custody, deadlines, decisions, approvals, hand-overs, notes, people, the log."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from ircase.report import document as doc
from ircase.report import shape
from ircase.report.document import Piece
from ircase.report.sections import cut, listed, signed
from ircase.report.shape import ReportData


def integrity(d: ReportData) -> Iterator[Piece]:
    """The verdict, as the cover has it."""
    sound = d.integrity.sound
    title = _("Integrity: verified") if sound else _("Integrity: VERIFICATION FAILED")
    faults = [doc.Part(f"• {fault}") for fault in d.integrity.faults[:6]]
    if len(d.integrity.faults) > len(faults):
        faults.append(doc.quiet(_("The evidence register lists the rest.")))
    checked = _("Checked %s UTC while this report was built.") % doc.at(d.integrity.checked_at)
    parts = doc.stack(doc.strong(title), d.integrity.verdict, *faults, doc.quiet(checked))
    yield Piece("note", parts=parts, tone="good" if sound else "bad")


def evidence(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Evidence register"))
    yield doc.paragraph(d.integrity.verdict)
    for fault in d.integrity.faults:
        yield doc.paragraph(doc.Part(f"• {fault}", "", "bad"))
    yield from cut(d, "exhibits")
    header = (_("Exhibit"), _("Name and SHA-256"), _("Sealed (UTC)"), _("Integrity and custody"))
    yield from listed(header, (16, 0, 34, 30), (_exhibit(e) for e in d.evidence), _("No evidence is sealed."))
    yield doc.heading(_("How to verify"), 2)
    yield doc.paragraph(
        _("Each exhibit is kept as a file whose name is its SHA-256. On a copy of the evidence, "),
        doc.mono("sha256sum FILE"),
        _(
            " must print the digest in this register, character by character. Custody entries and the case log are "
            "chained: each holds the SHA-256 of the one before. The format is in "
        ),
        doc.mono("docs/evidence.md"),
        _(", and "),
        doc.mono(f"manage.py verify_evidence {d.case.reference}"),
        _(" repeats every check of this report."),
    )
    if d.integrity.log_digest:
        said = _("The case log had %(n)s entries when this report was built; the digest of the newest was ")
        yield doc.paragraph(said % {"n": d.integrity.log_entries}, doc.mono(d.integrity.log_digest), ".")


def _exhibit(e: shape.ExhibitRow) -> tuple[Any, ...]:
    loud = e.integrity.upper() if e.integrity in ("altered", "missing") else e.integrity.capitalize()
    if e.record:
        loud = _("Record: %s") % loud
    size = f"{e.kind}, {e.size:,} {_('byte') if e.size == 1 else _('bytes')}" if not e.record else e.kind
    entries = f"{e.custody_entries} {_('custody entry') if e.custody_entries == 1 else _('custody entries')}"
    chain = doc.Part(f"{entries}, {_('chain')} {e.chain}", "quiet", "" if e.chain == "intact" else "bad")
    return (
        doc.strong(e.exhibit),
        doc.stack(
            doc.strong(e.name),
            doc.cell(doc.quiet(size), " " if e.partial else "", doc.badge(_("Partial"), "warn") if e.partial else ""),
            e.description,
            *_hashes(e),
        ),
        signed(doc.at(e.sealed_at), "") + doc.cell(doc.BREAK, doc.quiet(e.sealed_by)),
        doc.stack(doc.badge(loud, doc.tone(e.integrity)), chain),
    )


def _hashes(e: shape.ExhibitRow) -> list[Any]:
    if not e.record:
        return [doc.mono(e.sha256)]
    said = [doc.quiet(_("Its bytes are not held here. The record of it:")), doc.mono(e.sha256)]
    if e.stated_sha256:
        said += [doc.quiet(_("Stated SHA-256, not verified:")), doc.mono(e.stated_sha256)]
    return said


def custody(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Appendix: chain of custody"))
    if not d.evidence:
        yield doc.note(_("No evidence is sealed."))
    for e in d.evidence:
        yield doc.heading(f"{e.exhibit}  {e.name}", 3, listed=False)
        for fault in e.faults:
            yield doc.paragraph(doc.Part(f"• {fault}", "", "bad"))
        rows = ((str(c.sequence), doc.at(c.at), c.action, c.actor, doc.mono(f"{c.digest[:24]}…")) for c in e.custody)
        header = ("#", _("Time (UTC)"), _("Action"), _("By"), _("Digest"))
        yield doc.table(header, (10, 34, 26, 0, 44), rows)
        if len(e.custody) < e.custody_entries:
            said = _("%(some)s of %(all)s entries: the first and the newest.")
            yield doc.paragraph(doc.quiet(said % {"some": len(e.custody), "all": e.custody_entries}))


def deadlines(d: ReportData) -> Iterator[Piece]:
    if not d.clocks:
        return
    yield doc.heading(_("Deadlines"))
    yield from cut(d, "deadlines")
    tones = {"missed": "bad", "delivered late": "bad", "running": "warn", "delivered in time": "good"}
    rows = (
        (
            doc.stack(doc.strong(c.title), doc.quiet(c.law), doc.quiet(c.counted)),
            doc.stack(f"{_('began')} {doc.at(c.started_at)}", f"{_('due')} {doc.at(c.due_at)}"),
            doc.stack(doc.badge(c.outcome, tones.get(c.outcome, "soft")), doc.quiet(doc.at(c.delivered_at))),
            c.proof,
        )
        for c in d.clocks
    )
    header = (_("Deadline"), _("Began and due (UTC)"), _("Outcome"), _("Proof or reason"))
    yield doc.table(header, (0, 38, 34, 0), rows)


def decisions(d: ReportData) -> Iterator[Piece]:
    if not d.decisions:
        return
    yield doc.heading(_("Decision log"))
    yield from cut(d, "decisions")
    rows = (
        (
            doc.strong(x.label),
            doc.stack(
                doc.strong(x.what),
                doc.badge(_("Superseded by %s") % x.superseded_by, "warn") if x.superseded_by else "",
                doc.quiet(_("Takes the place of %s") % x.supersedes if x.supersedes else ""),
                *(doc.quiet(link) for link in x.links),
            ),
            doc.stack(x.why, doc.cell(doc.quiet(_("Considered: ")), x.alternatives) if x.alternatives else ""),
            doc.stack(
                x.decided_by, doc.quiet(doc.at(x.decided_at)), doc.quiet(f"{_('Told')}: {x.told}" if x.told else "")
            ),
        )
        for x in d.decisions
    )
    header = ("#", _("Decision"), _("Why, and what else was considered"), _("Who and when (UTC)"))
    yield doc.table(header, (13, 0, 0, 38), rows)


def approvals(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Decisions and approvals"))
    yield from cut(d, "approvals")
    rows = (
        (
            doc.stack(doc.strong(a.title), a.reason, doc.cell(doc.mono(a.binding[:16]), doc.quiet(f" {_('binding')}"))),
            doc.badge(a.state, doc.tone(a.state)),
            signed(a.requested_by, a.requested_at),
            doc.stack(a.decided_by, doc.quiet(doc.at(a.decided_at)), a.comment),
        )
        for a in d.approvals
    )
    header = (_("Asked"), _("State"), _("By (UTC)"), _("Decided (UTC)"))
    yield from listed(header, (0, 26, 38, 38), rows, _("No approval was asked for."))


def handovers(d: ReportData) -> Iterator[Piece]:
    if d.handovers:
        yield from handovers_whole(d)


def handovers_whole(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Hand-overs"))
    yield from cut(d, "hand-overs")
    if not d.handovers:
        yield doc.note(_("The case was never handed over."))
    for h in d.handovers:
        yield doc.heading(f"{h.giver} → {h.receiver}, {doc.at(h.offered_at)}", 2, listed=False)
        yield doc.facts(
            [
                (_("State"), doc.cell(doc.badge(h.state), f" {doc.at(h.answered_at)}" if h.answered_at else "")),
                (_("Where things stand"), h.situation),
                (_("Next steps"), h.next_steps),
                (_("Answer"), h.answer),
                (_("Went over"), h.moved),
                (_("Exhibit"), h.exhibit),
            ]
        )


def open_work(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("What is open"))
    yield from cut(d, "open items", "running work", "waiting approvals")
    rows = (
        (o.kind, doc.strong(o.title), o.who or doc.badge(_("Nobody"), "warn"), doc.at(o.since), doc.at(o.due_at))
        for o in d.open_work
    )
    header = (_("Kind"), _("What"), _("Who"), _("Since (UTC)"), _("Due or ends (UTC)"))
    none = _("Nothing is open: no item, no running work, no approval.")
    yield from listed(header, (30, 0, 34, 34, 34), rows, none)


def notes(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Notes"))
    yield from cut(d, "notes")
    if not d.notes:
        yield doc.note(_("No note was written."))
    for n in d.notes:
        yield doc.heading(n.title, 2, listed=False)
        yield doc.paragraph(doc.quiet(f"{_('Version')} {n.version}, {n.updated_by}, {doc.at(n.updated_at)}"))
        yield doc.prose(n.prose.blocks)


def people(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Appendix: people"))
    rows = ((m.name, m.role, m.duty) for m in d.case.members)
    yield from listed((_("Person"), _("Role on the case"), _("Duty")), (0, 0, 0), rows, _("Nobody is on the case."))


def comments(d: ReportData) -> Iterator[Piece]:
    if not d.comments:
        return
    yield doc.heading(_("Appendix: comments"))
    yield from cut(d, "comments")
    for c in d.comments:
        yield doc.heading(c.about, 3, listed=False)
        edited = f", {_('edited')} {doc.at(c.edited_at)}" if c.edited_at else ""
        resolved = f", {_('resolved')} {c.resolved}" if c.resolved else ""
        yield doc.paragraph(doc.quiet(f"{c.author}, {doc.at(c.at)}{edited}{resolved}"))
        yield doc.prose(c.prose.blocks)


def log(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Appendix: case log"))
    yield from cut(d, "log entries")
    rows = ((str(x.sequence), doc.at(x.at), x.actor, x.text) for x in d.log)
    header = ("#", _("Time (UTC)"), _("Who"), _("What"))
    yield from listed(header, (12, 34, 32, 0), rows, _("The log is empty."))
