"""What happened and where it stands: summary, figures, timeline, entities, incidents, lessons."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from ircase.report import document as doc
from ircase.report.document import Piece
from ircase.report.sections import cut, listed
from ircase.report.shape import ReportData


def summary(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Executive summary"))
    if d.summary.blocks:
        yield doc.prose(d.summary.blocks)
    else:
        yield doc.note(
            _("Not written yet. People write the summary, on the case's overview; this report does not make one up.")
        )
    if d.case.description:
        yield doc.heading(_("As first described"), 2)
        yield doc.paragraph(d.case.description)


def figures(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Key figures"))
    yield metrics(d)
    yield doc.heading(_("Milestones"), 2)
    yield from milestones(d)
    yield doc.heading(_("Phases (NIST SP 800-61r2)"), 2)
    names = {"todo": _("Not begun"), "current": _("Current"), "done": _("Done")}
    rows = ((p.name, names.get(p.state, p.state), p.took, f"{p.ended} / {p.items}") for p in d.phases)
    yield doc.table((_("Phase"), _("State"), _("Time spent"), _("Checklist ended")), (0, 24, 28, 34), rows)
    if d.phase_moves:
        moves = ((p.phase, doc.at(p.entered_at), doc.at(p.left_at), p.by, p.reason) for p in d.phase_moves)
        header = (_("Phase"), _("Entered"), _("Left"), _("Moved by"), _("Reason"))
        yield doc.table(header, (0, 32, 32, 32, 0), moves)


def metrics(d: ReportData) -> Piece:
    rows = (
        (m.name, m.took or "–", m.words if m.seconds is not None else f"{m.words}: {_('a milestone is missing')}")
        for m in d.metrics
    )
    return Piece("figures", rows=tuple(tuple(doc.cell(one) for one in row) for row in rows))


def milestones(d: ReportData) -> Iterator[Piece]:
    rows = ((doc.strong(m.label), doc.at(m.at), m.set_by, m.note) for m in d.milestones)
    none = _("No milestone is set: when it occurred, was detected, contained and recovered is not known.")
    yield from listed((_("Milestone"), _("Time (UTC)"), _("Set by"), _("Note")), (30, 36, 40, 0), rows, none)


def timeline(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Timeline"))
    yield from cut(d, "events")
    tones = {"Attacker": "bad", "Defender": "good"}
    rows = (
        (
            e.time or doc.at(e.at).replace(" ", doc.BREAK),
            doc.stack(doc.strong(e.title), e.description, doc.quiet(e.assets)),
            doc.stack(*((doc.mono(t.technique), " ", t.name, doc.quiet(f" ({t.tactic})" if t.tactic else ""))
                        for t in e.techniques)),
            doc.stack(doc.badge(e.lane, tones.get(e.lane, "soft")), doc.quiet(e.source)),
        )
        for e in d.events
    )  # fmt: skip
    header = (_("Time (UTC)"), _("Event"), _("ATT&CK techniques"), _("Lane and source"))
    yield from listed(header, (24, 0, 36, 29), rows, _("No event is on the timeline yet."))


def entities(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Entities"))
    yield doc.heading(_("Assets"), 2)
    yield from assets(d)
    yield doc.heading(_("Indicators"), 2)
    yield from indicators(d)


def assets(d: ReportData) -> Iterator[Piece]:
    yield from cut(d, "assets")
    rows = (
        (
            a.kind,
            doc.stack(doc.strong(a.name), doc.mono(a.identifier)),
            doc.badge(a.compromise_words, doc.tone(a.compromise)),
            a.description,
        )
        for a in d.assets
    )
    header = (_("Kind"), _("Asset"), _("Compromise"), _("Description"))
    yield from listed(header, (20, 0, 25, 0), rows, _("No asset is named."))


def indicators(d: ReportData) -> Iterator[Piece]:
    yield from cut(d, "indicators")
    rows = (
        (
            i.kind,
            doc.stack(doc.mono(i.value), doc.quiet(i.description)),
            doc.stack(doc.badge(i.verdict_words, doc.tone(i.verdict)), i.tlp),
            doc.stack(doc.at(i.first_seen), doc.at(i.last_seen)),
        )
        for i in d.indicators
    )
    # The rest is as wide as a SHA-256 in one piece; that of the assets, as a device id.
    header = (_("Kind"), _("Value"), _("Verdict and TLP"), _("First and last seen (UTC)"))
    yield from listed(header, (20, 0, 32, 28), rows, _("No indicator is kept."))


def incidents(d: ReportData) -> Iterator[Piece]:
    if not d.incidents:
        return
    yield doc.heading(_("Incidents in this case"))
    yield from cut(d, "incidents")
    rows = (
        (
            doc.strong(i.number),
            doc.stack(i.title, doc.quiet(i.origin)),
            doc.stack(i.via, doc.badge(_("Taken out"), "warn") if i.removed_at else "", doc.quiet(i.why)),
            doc.stack(i.added_by, doc.quiet(doc.at(i.added_at)), doc.quiet(doc.at(i.removed_at))),
        )
        for i in d.incidents
    )
    header = (_("Number"), _("Incident"), _("How it came"), _("By (UTC)"))
    yield doc.table(header, (26, 0, 40, 38), rows)


def lessons(d: ReportData) -> Iterator[Piece]:
    if d.lessons.blocks:
        yield doc.heading(_("Lessons learned"))
        yield doc.prose(d.lessons.blocks)


def lessons_whole(d: ReportData) -> Iterator[Piece]:
    """As the report of the lessons has it: the heading also where nothing was written."""
    yield doc.heading(_("What was learned"))
    yield doc.prose(d.lessons.blocks) if d.lessons.blocks else doc.note(_("No lessons were written down yet."))


def improvements(d: ReportData) -> Iterator[Piece]:
    if d.improvements:
        yield from improvements_whole(d)


def improvements_whole(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Improvements"))
    yield from cut(d, "improvements")
    rows = (
        (
            doc.stack(doc.strong(i.title), i.description, doc.quiet(f"CSF {i.outcome}" if i.outcome else "")),
            doc.stack(i.owner or doc.badge(_("Nobody"), "warn"), doc.quiet(_("by %s") % i.due_on if i.due_on else "")),
            doc.badge(i.state, doc.tone(i.state)),
            i.result,
        )
        for i in d.improvements
    )
    header = (_("Improvement"), _("Owner and date"), _("State"), _("Result"))
    yield from listed(header, (0, 34, 24, 0), rows, _("No improvement was written down."))
