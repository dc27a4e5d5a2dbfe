"""Short documents: the executive's one page, a notification of an authority, where a case stands."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from django.utils.translation import gettext as _

from ircase.models import Improvement
from ircase.report import document as doc
from ircase.report.document import Piece
from ircase.report.sections import story
from ircase.report.shape import Block, ReportData, Span

# What fits on one page beside the figures.
SUMMARY = 1_800
FEW = 5
LONGEST_LINE = 160
_UNDER_WAY = (Improvement.State.OPEN.label, Improvement.State.DOING.label)


def executive(d: ReportData) -> Iterator[Piece]:
    """One page: the typesetter shrinks it until it fits, and these bounds let it."""
    yield story.metrics(d)
    yield doc.heading(_("What happened"), 2)
    blocks, cut = shortened(d.summary.blocks, SUMMARY)
    yield doc.prose(blocks) if blocks else doc.note(_("The summary is not written yet."), "warn")
    if cut:
        yield doc.paragraph(doc.quiet(_("The summary goes on in the technical report.")))
    yield doc.heading(_("Where it stands"), 2)
    yield doc.facts(_standing(d))
    yield doc.heading(_("When (UTC)"), 2)
    rows = ((doc.strong(m.label), doc.at(m.at)) for m in d.milestones[:11])
    yield doc.facts((row[0].text, row[1]) for row in rows)
    yield doc.paragraph(doc.quiet(short(d.integrity.verdict, 300)))


def _standing(d: ReportData) -> list[tuple[str, object]]:
    hit = [a for a in d.assets if a.compromise in ("confirmed", "recovered")]
    names = ", ".join(short(a.name, 60) for a in hit[:FEW]) + (f", +{len(hit) - FEW}" if len(hit) > FEW else "")
    bad = sum(1 for i in d.indicators if i.verdict == "malicious")
    used = Counter(t.name or t.technique for e in d.events for t in e.techniques)
    running = [c for c in d.clocks if c.outcome in ("running", "missed")]
    left = [i for i in d.improvements if i.state in _UNDER_WAY]
    required = sum(1 for o in d.open_work if o.kind == "Required item")
    actions = [x for x in d.devices if x.work.state == "done" and x.approvals]
    return [
        (_("Phase"), d.case.phase),
        (_("Judged"), ", ".join(one for one in (d.case.classification, d.case.determination) if one != "Not set")),
        (_("Compromised"), f"{len(hit)}: {names}" if hit else _("No asset is confirmed as compromised.")),
        (_("Indicators"), _("%(bad)s malicious of %(all)s") % {"bad": bad, "all": len(d.indicators)}),
        (_("Techniques"), ", ".join(short(name, 60) for name, _n in used.most_common(FEW))),
        (_("Done on devices"), ", ".join(short(x.work.title, 60) for x in actions[:FEW])),
        (
            _("Deadlines"),
            doc.stack(*(f"{short(c.title, 80)}: {doc.at(c.due_at)} UTC ({c.outcome})" for c in running[:FEW])),
        ),
        (_("Still to do"), _("%s required items are open") % required if required else _("No required item is open")),
        (_("Next improvements"), doc.stack(*(short(i.title, 120) for i in left[:FEW]))),
    ]


def notification(d: ReportData) -> Iterator[Piece]:
    """Every field that the law asks for, answered or named as missing."""
    missing = [row for row in d.facts if not row.answer]
    if missing:
        lines = doc.stack(doc.strong(_("Not answered yet")), *(f"• {row.label}" for row in missing))
        yield Piece("note", parts=lines, tone="bad")
    yield doc.heading(_("What the law asks for"))
    rows = (
        (
            doc.stack(doc.strong(row.label), doc.quiet(f"{_('Article')} {row.article}" if row.article else "")),
            row.answer or doc.badge(_("Missing"), "bad"),
        )
        for row in d.facts
    )
    yield doc.table((_("Asked"), _("Answer")), (58, 0), rows)


def state(d: ReportData) -> Iterator[Piece]:
    yield doc.heading(_("Where the case stands"))
    yield doc.facts(_standing(d))
    yield from story.milestones(d)


def short(text: str, most: int = LONGEST_LINE) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rstrip()}…"


def shortened(blocks: tuple[Block, ...], most: int) -> tuple[tuple[Block, ...], bool]:
    """The first blocks of a text, as much as `most` characters; whether something was left out."""
    kept: list[Block] = []
    left = most
    for block in (one for one in blocks if one.kind != "picture"):
        if left <= 0:
            return tuple(kept), True
        spans, left, cut = _spans(block.spans, left)
        kept.append(
            replace(block, spans=spans, cells=()) if block.kind != "row" else Block("paragraph", _joined(block))
        )
        left -= 40 if block.kind != "row" else 60 + sum(len(s.text) for s in _joined(block))
        if cut:
            return tuple(kept), True
    return tuple(kept), False


def _joined(block: Block) -> tuple[Span, ...]:
    return (Span(short("  ·  ".join("".join(span.text for span in cell) for cell in block.cells))),)


def _spans(spans: tuple[Span, ...], left: int) -> tuple[tuple[Span, ...], int, bool]:
    kept: list[Span] = []
    for span in spans:
        if len(span.text) > left:
            return (*kept, replace(span, text=f"{span.text[:left].rstrip()}…")), 0, True
        kept.append(span)
        left -= len(span.text)
    return tuple(kept), left, False
