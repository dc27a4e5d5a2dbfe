"""What was done: starred rows, hunts, notebooks, collections and actions, imports, the checklist."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from ircase.report import document as doc
from ircase.report import shape
from ircase.report.document import Piece
from ircase.report.sections import cut, listed
from ircase.report.shape import ReportData


def stars(d: ReportData) -> Iterator[Piece]:
    if not d.stars:
        return
    yield doc.heading(_("Starred rows"))
    yield from cut(d, "starred rows")
    same = {
        "same": doc.cell(_("The exhibit's table holds this very row.")),
        "gone": doc.cell(_("Not checked: the table is not there.")),
        "differs": doc.cell(doc.Part(_("NOT the row that was starred: the table has changed."), "strong", "bad")),
    }
    for s in d.stars:
        yield doc.heading(f"{s.exhibit} {s.where}, {_('row')} {s.number:,}", 2, listed=False)
        yield doc.facts(
            [
                (_("Note"), doc.cell(s.note, doc.quiet(f" ({s.noted_by})")) if s.note else ""),
                (_("From"), s.run),
                (_("Starred"), f"{s.starred_by}, {doc.at(s.starred_at)}"),
                *((pair.name, doc.mono(pair.value)) for pair in s.cells),
                (_("Row SHA-256"), doc.mono(s.row_sha256)),
                (_("Checked"), same[s.same]),
            ]
        )


def _ran(w: shape.Work) -> str:
    return f"{doc.at(w.started_at)} – {doc.at(w.ended_at) or _('now')}" if w.started_at else ""


def _verdict(w: shape.Work) -> doc.Cell:
    if not w.verdict:
        return doc.cell(doc.quiet(_("Not judged")))
    return doc.cell(doc.badge(w.verdict_words, doc.tone(w.verdict)), f" {w.judged_by}" if w.judged_by else "")


def _work(w: shape.Work) -> list[tuple[str, Any]]:
    cut_off = doc.badge(_("Truncated or incomplete"), "warn") if w.partial else ""
    return [
        (_("Requested"), f"{w.requested_by}, {doc.at(w.requested_at)}"),
        (_("Ran"), _ran(w)),
        (_("Outcome"), doc.cell(w.outcome, " " if cut_off else "", cut_off)),
        (_("Rows"), "" if w.rows is None or "row" in w.outcome else f"{w.rows:,}"),
        (_("Exhibits"), ", ".join(w.exhibits)),
        (_("Verdict"), _verdict(w)),
        (_("What it means"), w.sentence),
        (_("Proves"), "; ".join(w.proves)),
    ]


def _title(w: shape.Work) -> Iterator[Piece]:
    yield doc.heading(w.title, 2, listed=False)
    yield doc.paragraph(doc.state(w.state))


def hunts(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Hunts"))
    yield from cut(d, "activities")
    rows = (
        (
            str(number),
            h.work.title,
            doc.stack(doc.state(h.work.state), doc.badge(_("Truncated"), "warn") if h.work.partial else ""),
            "" if h.work.rows is None else f"{h.work.rows:,}",
            _verdict(h.work),
            ", ".join(h.work.exhibits),
        )
        for number, h in enumerate(d.hunts, 1)
    )
    header = ("#", _("Hunt"), _("State"), _("Rows"), _("Verdict"), _("Exhibits"))
    yield from listed(header, (9, 0, 25, 18, 28, 22), rows, _("No hunt was run."))
    for h in d.hunts:
        yield from _hunt(h)


def _hunt(h: shape.HuntEntry) -> Iterator[Piece]:
    yield from _title(h.work)
    window = f"{doc.at(h.window_start)} – {doc.at(h.window_end)}" if h.window_start else ""
    yield doc.facts(
        [
            (_("Source"), h.source + (f", tenant {h.tenant}" if h.tenant else "")),
            (_("Window (UTC)"), window),
            (_("Parameters"), doc.stack(*(f"{p.name} = {p.value}" for p in h.parameters))),
            *_work(h.work),
            *((doc.named(p.name), p.value) for p in h.more),
            (_("Query SHA-256"), doc.mono(h.query_sha256)),
        ]
    )
    if h.query:
        yield doc.code_block(h.query)


def notebooks(d: ReportData) -> Iterator[Piece]:
    if d.notebooks:
        yield doc.heading(_("Notebooks"))
    for book in d.notebooks:
        yield doc.heading(book.title, 2)
        for cell in book.cells:
            if cell.kind == "markdown":
                yield doc.prose(cell.prose.blocks)
            else:
                yield from _cell(cell)


def _cell(c: shape.NotebookCell) -> Iterator[Piece]:
    yield doc.heading(f"[{c.number}] {c.name}".strip(), 3, listed=False)
    yield doc.code_block(c.query)
    changed = _("The query, or a result that it reads, has changed since this result.")
    yield doc.facts(
        [
            (_("State"), doc.state(c.state) if c.state else ""),
            (_("Source"), c.source),
            (_("Window (UTC)"), f"{doc.at(c.window_start)} – {doc.at(c.window_end)}" if c.window_start else ""),
            (_("Outcome"), doc.cell(c.outcome, doc.badge(_("Truncated"), "warn") if c.truncated else "")),
            (_("Note"), changed if c.stale else ""),
            (_("Read"), c.read),
            (_("Run"), doc.mono(c.run)),
            (_("Exhibit"), doc.stack(doc.strong(c.exhibit), doc.mono(c.sha256)) if c.exhibit else ""),
        ]
    )
    if c.rows:
        yield doc.table(c.columns, (0,) * len(c.columns), (tuple(doc.mono(one) for one in row) for row in c.rows))
    rows = c.total - len(c.rows) if c.rows else 0
    more = [f"{rows:,} {_('more rows')}" if rows > 0 else ""]
    more.append(f"{c.columns_left_out} {_('more columns')}" if c.rows and c.columns_left_out else "")
    if said := ", ".join(one for one in more if one):
        yield doc.paragraph(doc.quiet(f"{said} {_('are in the exhibit.')}"))


def devices(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Collections and response actions"))
    if not d.devices:
        yield doc.note(_("Nothing was collected from a device, and no response action was taken."))
    for one in d.devices:
        yield from _device(one)
    if d.imports:
        yield doc.heading(_("Imports"), 2)
        rows = ((w.title, doc.state(w.state), "" if w.rows is None else f"{w.rows:,}", w.outcome) for w in d.imports)
        yield doc.table((_("Import"), _("State"), _("Rows"), _("Outcome")), (0, 26, 20, 0), rows)


def _device(c: shape.DeviceEntry) -> Iterator[Piece]:
    yield from _title(c.work)
    yield doc.facts(
        [
            (_("Kind"), c.work.kind),
            (_("Device"), c.device),
            (_("Reason"), c.reason),
            (_("Script"), c.script),
            (_("Script SHA-256"), doc.mono(c.script_sha256)),
            *_work(c.work),
            *((doc.named(p.name), p.value) for p in c.more),
            *((_("Approval"), _approval(a)) for a in c.approvals),
        ]
    )


def _approval(a: shape.ApprovalRow) -> str:
    answered = f" by {a.decided_by}, {doc.at(a.decided_at)}" if a.decided_by else ""
    return f"{a.state}{answered}; {_('asked by')} {a.requested_by}{f': {a.comment}' if a.comment else ''}"


def checklist(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Checklist"))
    yield from cut(d, "checklist items")
    if not d.checklist:
        yield doc.note(_("This case has no checklist."))
    for phase in dict.fromkeys(item.phase for item in d.checklist):
        yield doc.heading(phase, 2)
        rows = (_item(item) for item in d.checklist if item.phase == phase)
        header = (_("Item"), _("State"), _("Owner and times (UTC)"), _("Result and proof"))
        yield doc.table(header, (0, 22, 34, 0), rows)


def _item(i: shape.ChecklistRow) -> tuple[Any, ...]:
    keys = (
        _("Required") if i.required else _("Optional"),
        f"SP 800-61r2 {i.r2_step}" if i.r2_step else "",
        f"CSF {i.csf_outcome}" if i.csf_outcome else "",
    )
    due = f"{_('due')} {doc.at(i.due_at)}" if i.due_at else ""
    ended = f"{_('ended')} {doc.at(i.ended_at)}, {i.ended_by}" if i.ended_at else ""
    return (
        doc.stack(doc.strong(i.title), doc.quiet("  ·  ".join(key for key in keys if key))),
        doc.stack(doc.state(i.state), doc.Part(_("late"), "", "bad") if i.late else ""),
        doc.stack(i.owner, doc.quiet(due), doc.quiet(ended)),
        doc.stack(i.result, *(doc.quiet(f"{_('Proof')}: {proof}") for proof in i.proofs)),
    )
