"""The kinds of reports: which sections each has, what its cover says, and what it lacks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from ircase.models import ReportKind, ReportLook
from ircase.report import document as doc
from ircase.report import fields, regimes
from ircase.report.document import Document, Look, Piece
from ircase.report.lifeshape import ReportHead
from ircase.report.sections import brief, record, story, work
from ircase.report.shape import ReportData

Section = Callable[[ReportData], Iterator[Piece]]
MOST_MISSING = 600
"""Characters of what a draft lacks, on a single page."""
LANGUAGES: Mapping[str, str] = {"en": "English"}


_TECHNICAL: tuple[Section, ...] = (
    story.summary, story.figures, story.timeline, story.entities, story.incidents, work.stars, work.hunts,
    work.notebooks, work.devices, work.checklist, story.lessons, record.evidence, story.improvements,
    record.deadlines, record.decisions, record.approvals, record.handovers, record.notes, record.people,
    record.comments, record.custody, record.log,
)  # fmt: skip
SECTIONS: Mapping[str, tuple[Section, ...]] = {
    ReportKind.TECHNICAL: _TECHNICAL,
    ReportKind.EXECUTIVE: (brief.executive,),
    ReportKind.NOTIFICATION: (brief.notification,),
    ReportKind.LESSONS: (
        story.summary, story.figures, story.lessons_whole, story.improvements_whole, record.deadlines,
        record.decisions, story.timeline,
    ),
    ReportKind.HANDOVER: (
        brief.state, story.summary, record.open_work, record.deadlines, record.handovers_whole, record.decisions,
        story.timeline, story.entities, record.notes, record.people,
    ),
    ReportKind.REGISTER: (record.evidence, record.people, record.custody),
}  # fmt: skip


def look_of(row: ReportLook | None, data: ReportData, *, logo: str = "") -> Look:
    """The organisation's own for this report, the fields of its texts filled in."""
    if row is None:
        return Look()
    texts = {name: fields.fill(getattr(row, name), data) for name in ("cover", "footer", "disclaimer", "contact")}
    return Look(organisation=row.organisation, accent=row.accent, logo=logo, **texts)


def compose(data: ReportData, look: Look | None = None) -> Document:
    """The document of a data set, of the kind and in the language that its head names."""
    with override(data.report.language):
        return _compose(data, look or Look())


def _compose(data: ReportData, look: Look) -> Document:
    plan = data.report
    one_page = plan.kind == ReportKind.EXECUTIVE
    pieces = tuple(piece for section in SECTIONS[plan.kind] for piece in section(data))
    cover = () if one_page else (*_cover(data), *record.integrity(data), *_said(data, look))
    return Document(
        reference=data.case.reference,
        title=data.case.title,
        kind=_name(plan),
        language=plan.language if plan.language in LANGUAGES else "en",
        tlp=data.case.tlp,
        tlp_words=data.case.tlp_words,
        generated_at=data.generated_at,
        prepared_by=data.prepared_by,
        watermark=plan.watermark,
        one_page=one_page,
        words=_words(),
        badges=_badges(data),
        cover=cover,
        pieces=(*_short_notes(data), *pieces) if one_page else pieces,
        look=look,
        pictures=tuple(row.exhibit for row in data.pictures),
    )


def _words() -> dict[str, str]:
    return {
        "contents": _("Contents"),
        "page": _("Page"),
        "of": _("of"),
        "prepared": _("Prepared"),
        "times": _("Times are UTC"),
        "contact": _("Contact"),
    }


def _name(plan: ReportHead) -> str:
    if plan.kind != ReportKind.NOTIFICATION:
        names = {
            ReportKind.TECHNICAL: _("Incident report"),
            ReportKind.EXECUTIVE: _("Executive summary"),
            ReportKind.LESSONS: _("Lessons learned"),
            ReportKind.HANDOVER: _("Hand-over"),
            ReportKind.REGISTER: _("Evidence register"),
        }
        return names[ReportKind(plan.kind)]
    regime = regimes.regimes()[plan.regime]
    return f"{regime.title}: {regime.stages[plan.stage].title}"


def _badges(data: ReportData) -> doc.Cell:
    case = data.case
    tones = {"critical": "bad", "high": "bad", "medium": "warn"}
    made: list[Any] = [doc.badge(f"{case.severity_words} {_('severity')}", tones.get(case.severity, "soft"))]
    made.append(doc.badge(case.status, "warn" if case.status == "Open" else "good"))
    made += [doc.badge(_("Confidential"), "bad")] if case.confidential else []
    made += [doc.badge(_("Exercise"), "soft")] if case.exercise else []
    return doc.cell(*made)


def _cover(data: ReportData) -> Iterator[Piece]:
    case, plan = data.case, data.report
    law = regimes.regimes().get(plan.regime)
    yield doc.facts(
        [
            (_("Law"), law.law if law else ""),
            (_("To"), law.to if law else ""),
            (_("Classification"), case.classification),
            (_("Determination"), case.determination),
            (_("Phase"), case.phase),
            (_("Opened"), f"{doc.at(case.opened_at)} {_('by')} {case.opened_by}"),
            (_("Closed"), doc.at(case.closed_at)),
            (_("Incident"), f"Microsoft Defender {case.incident_id}" if case.incident_id else ""),
            (_("Tenant"), case.tenant),
            (_("Playbook"), case.playbook),
            (_("Led by"), ", ".join(m.name for m in case.members if m.role == "Lead")),
            (_("Prepared"), f"{doc.at(data.generated_at)} {_('by')} {data.prepared_by}"),
            *plan.signed,
            (_("Times"), _("Coordinated Universal Time (UTC) throughout")),
        ]
    )


def _said(data: ReportData, look: Look) -> Iterator[Piece]:
    """What a reader has to know before they read: masks, cuts, what is missing, the organisation's own words."""
    yield from _limits(data)
    plan = data.report
    if plan.missing and plan.watermark:
        rows = doc.stack(doc.strong(_("Missing in this draft")), *(f"• {one}" for one in plan.missing))
        yield Piece("note", parts=rows, tone="warn")
    for text in (look.cover, look.disclaimer):
        if text:
            yield doc.paragraph(text)
    if look.contact:
        yield doc.facts([(_("Contact"), look.contact)])


def _limits(data: ReportData) -> Iterator[Piece]:
    """What is masked, left out or cut: figures are of what is left."""
    if data.report.redaction:
        yield doc.note(data.report.redaction, "warn")
    if data.cuts:
        cuts = ", ".join(f"{cut.shown} {_('of')} {cut.total} {cut.what}" for cut in data.cuts)
        yield doc.note(f"{_('Parts of this report are cut')}: {cuts}.", "warn")


def _short_notes(data: ReportData) -> Iterator[Piece]:
    """On a single page: the mask and the cuts, what the draft lacks, and who signed."""
    yield from _limits(data)
    plan = data.report
    if plan.missing and plan.watermark:
        missing = brief.short("; ".join(plan.missing), MOST_MISSING)
        yield doc.note(f"{_('Missing in this draft')}: {missing}", "warn")
    if plan.signed:
        yield doc.paragraph(doc.quiet("  ·  ".join(f"{name}: {value}" for name, value in plan.signed)))
