"""The report as Markdown: the PDF's twin for wikis, mail and version control."""

from collections.abc import Iterable, Iterator
from typing import TextIO
from urllib.parse import quote

from ircase.report import shape

_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_{}[]<>#|~"})
_HIDDEN = {code: f"[U+{code:04X}]" for code in [*range(9), 11, 12, *range(14, 32), 127, *range(0x80, 0xA0)]}
_HIDDEN |= {
    code: f"[U+{code:04X}]" for code in [*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
}
_HIDDEN |= {code: f"[U+{code:04X}]" for code in [*range(0xD800, 0xE000), 0xFEFF]}


def write(data: shape.ReportData, out: TextIO) -> None:
    """Write `data` line by line, so that thousands of events are never one string."""
    for line in _report(data):
        out.write(line + "\n")


def inline(text: str) -> str:
    """One line in which nothing is markup."""
    return " ".join(text.translate(_HIDDEN).translate(_SPECIAL).split())


def fenced(text: str) -> Iterator[str]:
    """A code block that `text` cannot close."""
    shown = text.replace("\r\n", "\n").translate(_HIDDEN)
    ticks = max((len(run) for run in _runs(shown)), default=0)
    fence = "`" * max(3, ticks + 1)
    yield from (fence, *shown.split("\n"), fence, "")


def _runs(text: str) -> Iterator[str]:
    run = ""
    for letter in text:
        run = run + letter if letter == "`" else ""
        if run:
            yield run


def table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]], none: str) -> Iterator[str]:
    """A pipe table; `none` in its place when there is no row."""
    begun = False
    for row in rows:
        if not begun:
            yield f"| {' | '.join(header)} |"
            yield f"|{'---|' * len(header)}"
            begun = True
        yield f"| {' | '.join(inline(str(cell)) if cell not in (None, '') else '–' for cell in row)} |"
    if not begun:
        yield f"_{none}_"
    yield ""


def _report(d: shape.ReportData) -> Iterator[str]:
    yield from _cover(d)
    yield from _key_figures(d)
    yield from _findings(d)
    yield from _stars(d)
    yield from ("## Hunts", "", *(() if d.hunts else ("_No hunt was run._", "")))
    for hunt in d.hunts:
        yield from _hunt(hunt)
    yield from ("## Notebooks", "") if d.notebooks else ()
    for book in d.notebooks:
        yield from (f"### {inline(book.title)}", "")
        for cell in book.cells:
            yield from _prose(cell.prose) if cell.kind == "markdown" else _cell(cell)
    yield from ("## Collections and response actions", "")
    for device in d.devices:
        yield from _device(device)
    yield from () if d.devices else ("_Nothing was collected from a device, and no response action was taken._", "")
    if d.imports:
        rows = ((w.title, w.state, w.rows, w.outcome) for w in d.imports)
        yield from ("### Imports", "", *table(("Import", "State", "Rows", "Outcome"), rows, ""))
    yield from _checklist(d)
    yield from ("## Lessons learned", "", *_prose(d.lessons)) if d.lessons.text else ()
    yield from _evidence(d)
    yield from _record(d)


def _cover(d: shape.ReportData) -> Iterator[str]:
    c = d.case
    yield from (f"# {inline(c.reference)} {inline(c.title)}", "", f"**{inline(c.tlp_words)}**", "")
    marks = [word for word, on in (("Confidential", c.confidential), ("Exercise", c.exercise)) if on]
    rows = (
        ("Severity", c.severity_words),
        ("Status", ", ".join([c.status, *marks])),
        ("Classification", c.classification),
        ("Determination", c.determination),
        ("Phase", c.phase),
        ("Opened", f"{c.opened_at} by {c.opened_by}"),
        ("Closed", c.closed_at),
        ("Incident", c.incident_id),
        ("Tenant", c.tenant),
        ("Playbook", c.playbook),
        ("Prepared", f"{d.generated_at} by {d.prepared_by}"),
    )
    yield from table(("Fact", "Value"), rows, "")
    yield from (
        f"> **Integrity: {'verified' if d.integrity.sound else 'VERIFICATION FAILED'}.** {inline(d.integrity.verdict)}",
    )
    yield from (f"> - {inline(fault)}" for fault in d.integrity.faults)
    yield from ("", *(f"> Cut: {cut.shown} of {cut.total} {inline(cut.what)}." for cut in d.cuts), "")
    yield from ("## Executive summary", "", *(_prose(d.summary) if d.summary.text else ("_Not written yet._", "")))
    if c.description:
        yield from ("### As first described", "", *fenced(c.description))


def _prose(prose: shape.Prose) -> Iterator[str]:
    """From the blocks, so that raw HTML which a person wrote stays text in whatever shows this file."""
    for block in prose.blocks:
        spans = "".join(_span(span) for span in block.spans)
        match block.kind:
            case "heading":
                yield from (f"{'#' * (block.level + 2)} {spans}", "")
            case "item":
                yield f"{'   ' * (block.level - 1)}{'-' if block.marker in ('•', '') else inline(block.marker)} {spans}"
            case "code":
                yield from ("", *fenced("".join(span.text for span in block.spans)))
            case "row":
                yield f"| {' | '.join(''.join(_span(span) for span in cell) for cell in block.cells)} |"
            case "rule":
                yield from ("", "---", "")
            case _:
                yield from ("", f"{'> ' if block.kind == 'quote' else ''}{spans}", "")
    yield ""


def _span(span: shape.Span) -> str:
    if span.text == "\n":
        return "  \n"
    edge = (" " * span.text.startswith(" "), " " * (span.text.endswith(" ") and bool(span.text.strip())))
    text = inline(span.text)
    marked = {"strong": f"**{text}**", "emph": f"*{text}*"}.get(span.style, text) if text else ""
    url = quote(span.url, safe=":/?#@!$&'*+,;=%~", errors="replace")
    return edge[0] + (f"[{marked}](<{url}>)" if url else marked) + edge[1]


def _key_figures(d: shape.ReportData) -> Iterator[str]:
    yield from ("## Key figures", "")
    yield from table(("Metric", "Meaning", "Took"), ((m.name, m.words, m.took) for m in d.metrics), "")
    milestones = ((m.label, m.at, m.set_by, m.note) for m in d.milestones)
    yield from table(("Milestone", "Time (UTC)", "Set by", "Note"), milestones, "No milestone is set.")
    phases = ((p.name, p.state, p.took, f"{p.ended} of {p.items}") for p in d.phases)
    yield from table(("Phase", "State", "Time spent", "Checklist ended"), phases, "")
    moves = ((p.phase, p.entered_at, p.left_at, p.by, p.reason) for p in d.phase_moves)
    yield from table(("Phase", "Entered", "Left", "Moved by", "Reason"), moves, "The case never moved.")


def _findings(d: shape.ReportData) -> Iterator[str]:
    yield from ("## Timeline", "")
    events = (
        (e.at, e.title, e.description, f"{e.technique} {e.technique_name}".strip(), e.lane, e.source, e.assets)
        for e in d.events
    )
    header = ("Time (UTC)", "Event", "Description", "ATT&CK", "Lane", "Source", "Assets")
    yield from table(header, events, "No event is on the timeline yet.")
    yield from ("## Entities", "")
    assets = ((a.kind, a.name, a.identifier, a.compromise_words, a.description) for a in d.assets)
    yield from table(("Kind", "Asset", "Identifier", "Compromise", "Description"), assets, "No asset is named.")
    indicators = (
        (i.kind, i.value, i.verdict_words, i.tlp, i.first_seen, i.last_seen, i.description) for i in d.indicators
    )
    header = ("Kind", "Indicator", "Verdict", "TLP", "First seen", "Last seen", "Description")
    yield from table(header, indicators, "No indicator is kept.")


_SAME = {
    "same": "the exhibit's table holds this very row",
    "differs": "NOT the row that was starred: the table has changed",
    "gone": "not checked: the table is not there",
}


def _stars(d: shape.ReportData) -> Iterator[str]:
    if not d.stars:
        return
    yield from ("## Starred rows", "")
    for star in d.stars:
        rows = [
            ("Note", f"{star.note} ({star.noted_by})" if star.note else ""),
            ("From", star.run),
            ("Starred", f"{star.starred_at} by {star.starred_by}"),
            ("Row SHA-256", star.row_sha256),
            ("Checked", _SAME[star.same]),
            *((pair.name, pair.value) for pair in star.cells),
        ]
        yield from _facts(f"{star.exhibit} {star.where}, row {star.number}", rows)


def _work(w: shape.Work) -> list[tuple[str, str]]:
    return [
        ("State", f"{w.state}, TRUNCATED or incomplete" if w.partial else w.state),
        ("Requested", f"{w.requested_at} by {w.requested_by}"),
        ("Ran", f"{w.started_at} to {w.ended_at or 'now'}" if w.started_at else ""),
        ("Outcome", w.outcome),
        ("Rows", "" if w.rows is None else str(w.rows)),
        ("Exhibits", ", ".join(w.exhibits)),
        ("Verdict", f"{w.verdict_words}{f' by {w.judged_by}' if w.judged_by else ''}"),
        ("What it means", w.sentence),
        ("Proves", "; ".join(w.proves)),
    ]


def _facts(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"### {inline(title)}", "")
    yield from (f"- **{inline(name)}:** {inline(value)}" for name, value in rows if value)
    yield ""


def _hunt(h: shape.HuntEntry) -> Iterator[str]:
    rows = [
        ("Source", h.source),
        ("Tenant", h.tenant),
        ("Window (UTC)", f"{h.window_start} to {h.window_end}" if h.window_start else ""),
        *((pair.name, pair.value) for pair in h.parameters),
        *_work(h.work),
        *((pair.name, pair.value) for pair in h.more),
        ("Query SHA-256", h.query_sha256),
    ]
    yield from _facts(h.work.title, rows)
    yield from fenced(h.query) if h.query else ()


def _cell(c: shape.NotebookCell) -> Iterator[str]:
    yield from fenced(c.query)
    rows = [
        ("Cell", f"{c.number} {c.name}".strip()),
        ("Source", c.source),
        ("Window (UTC)", f"{c.window_start} to {c.window_end}" if c.window_start else ""),
        ("Outcome", f"{c.outcome}{', TRUNCATED' if c.truncated else ''}"),
        ("Note", "The query, or a result that it reads, has changed since this result." if c.stale else ""),
        ("Read", c.read),
        ("Run", c.run),
        ("Exhibit", f"{c.exhibit}, SHA-256 {c.sha256}" if c.exhibit else ""),
    ]
    yield from (f"- **{inline(name)}:** {inline(value)}" for name, value in rows if value)
    yield ""
    if c.rows:
        yield from table(tuple(inline(name) for name in c.columns), c.rows, "")
        yield from _rest(c)


def _rest(c: shape.NotebookCell) -> Iterator[str]:
    rows, columns = c.total - len(c.rows), c.columns_left_out
    said = [f"{rows:,} more rows" if rows > 0 else "", f"{columns} more columns" if columns else ""]
    if more := " and ".join(part for part in said if part):
        yield from (f"_{more} are in the exhibit._", "")


def _device(c: shape.DeviceEntry) -> Iterator[str]:
    rows = [
        ("Kind", c.work.kind),
        ("Device", c.device),
        ("Reason", c.reason),
        ("Script", c.script),
        ("Script SHA-256", c.script_sha256),
        *_work(c.work),
        *((pair.name, pair.value) for pair in c.more),
        *(("Approval", f"{a.state} by {a.decided_by or 'nobody yet'} {a.decided_at} {a.comment}") for a in c.approvals),
    ]
    yield from _facts(c.work.title, rows)


def _checklist(d: shape.ReportData) -> Iterator[str]:
    yield from ("## Checklist", "")
    rows = (
        (
            i.phase,
            f"{i.title}{' (required)' if i.required else ''}",
            f"{i.state}{', late' if i.late else ''}",
            i.owner,
            i.due_at,
            f"{i.ended_at} {i.ended_by}".strip(),
            i.result,
            "; ".join(i.proofs),
        )
        for i in d.checklist
    )
    header = ("Phase", "Item", "State", "Owner", "Due", "Ended", "Result", "Proof")
    yield from table(header, rows, "This case has no checklist.")


def _evidence(d: shape.ReportData) -> Iterator[str]:
    yield from ("## Evidence register", "", inline(d.integrity.verdict), "")
    rows = (
        (
            e.exhibit,
            f"{e.name}{' (partial)' if e.partial else ''}",
            e.kind,
            e.size,
            e.sha256,
            f"{e.sealed_at} {e.sealed_by}",
            e.integrity.upper() if e.integrity in ("altered", "missing") else e.integrity,
            f"{e.custody_entries} entries, chain {e.chain}",
        )
        for e in d.evidence
    )
    header = ("Exhibit", "Name", "Kind", "Bytes", "SHA-256", "Sealed", "Integrity", "Custody")
    yield from table(header, rows, "No evidence is sealed.")
    yield from (
        "Each exhibit is kept as a file named by its SHA-256: `sha256sum FILE` must print the same digest. "
        "`docs/evidence.md` describes the chains of custody and log; `manage.py verify_evidence` walks them.",
        "",
        f"Case log: {d.integrity.log_entries} entries, newest digest `{inline(d.integrity.log_digest)}`.",
        "",
    )


def _record(d: shape.ReportData) -> Iterator[str]:
    yield from ("## Decisions and approvals", "")
    rows = (
        (a.title, a.state, f"{a.requested_by} {a.requested_at}", f"{a.decided_by} {a.decided_at}".strip(), a.comment)
        for a in d.approvals
    )
    yield from table(("Asked", "State", "By", "Decided", "Comment"), rows, "No approval was asked for.")
    yield from _life(d)
    yield from ("## Notes", "")
    for note in d.notes:
        yield from (f"### {inline(note.title)}", "", f"_{inline(note.updated_by)}, {inline(note.updated_at)}_", "")
        yield from _prose(note.prose)
    if not d.notes:
        yield from ("_No note was written._", "")
    yield from ("## Appendix: people", "")
    yield from table(("Person", "Role", "Duty"), ((m.name, m.role, m.duty) for m in d.case.members), "")
    yield from ("## Appendix: comments", "") if d.comments else ()
    for said in d.comments:
        settled = f", resolved by {said.resolved}" if said.resolved else ""
        yield from (f"### {inline(said.about)}", "", f"_{inline(f'{said.author}, {said.at}{settled}')}_", "")
        yield from _prose(said.prose)
    yield from ("## Appendix: chain of custody", "")
    custody = ((e.exhibit, c.sequence, c.at, c.action, c.actor, c.digest) for e in d.evidence for c in e.custody)
    yield from table(("Exhibit", "#", "Time (UTC)", "Action", "By", "Digest"), custody, "No evidence is sealed.")
    yield from ("## Appendix: case log", "")
    yield from table(("#", "Time (UTC)", "Who", "What"), ((x.sequence, x.at, x.actor, x.text) for x in d.log), "")


def _life(d: shape.ReportData) -> Iterator[str]:
    yield from ("## Decision log", "")
    decided = (
        (x.label, x.what, x.why, x.alternatives, f"{x.decided_by} {x.decided_at}", x.told,
         f"Superseded by {x.superseded_by}" if x.superseded_by else "Stands", "; ".join(x.links))
        for x in d.decisions
    )  # fmt: skip
    header = ("#", "What", "Why", "Considered as well", "Who and when", "Told", "State", "Linked")
    yield from table(header, decided, "No decision was recorded.")
    yield from ("## Deadlines", "")
    ends = ((c.title, c.law, c.counted, c.started_at, c.due_at, c.outcome, c.delivered_at, c.proof) for c in d.clocks)
    header = ("Deadline", "Law", "Counted", "Began", "Due", "Outcome", "Delivered", "Proof or reason")
    yield from table(header, ends, "No deadline ran.")
    if d.improvements:
        rows = ((i.title, i.outcome, i.owner, i.due_on, i.state, i.result) for i in d.improvements)
        yield from ("## Improvements", "")
        yield from table(("Improvement", "Outcome", "Owner", "By", "State", "Result"), rows, "")
