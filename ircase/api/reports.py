"""Reports: asked for, watched, read over, signed off, fetched; authorities' questions; the key to masked documents."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case, CaseRole, ReportBuild, ReportKind, ReportReview, Tlp
from ircase.redaction import Redaction, RedactionError
from ircase.report import regimes
from ircase.services import reports
from ircase.services.reporting import notifying, signoff
from ircase.services.vault import delivery
from ircase.services.writing import redacting

router = Router(tags=["Reports"])
_BUILD = "/cases/{reference}/reports/{uuid}"


class ReportNew(Schema):
    """`notebooks` are those that the report prints; what is none of the case's is left out. `regime` and `stage` are a
    notification's. `words` and a wider `tlp` than the case's are a lead's to give."""

    kind: ReportKind = ReportKind.TECHNICAL
    regime: Literal["", "nis2", "gdpr", "dora"] = ""
    stage: Literal["", "initial", "update", "final"] = ""
    level: Literal["full", "names", "all"] = Field("full", description="What is masked.")
    tlp: Tlp = Field(Tlp.RED, description="The strictest marking that the readers may see.")
    words: list[str] = Field(default_factory=list, max_length=200)
    seal: bool = False
    notebooks: list[UUID] = Field(default_factory=list, max_length=20)
    comments: bool = Field(False, description="With the comments as an appendix.")

    def wanted(self) -> reports.Wanted:
        try:
            redaction = Redaction.of(self.level, tlp=self.tlp.value, words=self.words)
        except RedactionError as error:
            raise ValidationError({"words": str(error)}) from error
        return reports.Wanted(
            kind=self.kind.value,
            regime=self.regime,
            stage=self.stage,
            redaction=redaction,
            seal=self.seal,
            notebooks=[str(uuid) for uuid in self.notebooks],
            comments=self.comments,
        )


class ReportFile(Schema):
    format: str
    size: int
    sha256: str


class ReportReviewOut(Schema):
    answer: str
    words: str
    by: str
    at: datetime

    @staticmethod
    def resolve_by(row: ReportReview) -> str:
        return row.by.username


class ReportReviewNew(Schema):
    answer: ReportReview.Answer
    words: str = Field("", max_length=signoff.LONGEST)


class ReportOut(Schema):
    """`final_of`: the draft whose signed version this is. `superseded`: the case has changed since it was read."""

    uuid: UUID
    label: str
    kind: str
    regime: str
    stage: str
    redaction: dict[str, Any]
    missing: list[str]
    final_of: UUID | None
    superseded: bool
    signature: dict[str, Any] | None
    state: str
    reason: str
    progress: dict[str, Any]
    seal: bool
    evidence: UUID | None
    requested_by: str
    queued_at: datetime
    finished_at: datetime | None
    files: list[ReportFile]

    @staticmethod
    def resolve_files(build: ReportBuild) -> list[dict[str, Any]]:
        return build.downloads

    @staticmethod
    def resolve_final_of(build: ReportBuild) -> UUID | None:
        return build.final_of.uuid if build.final_of else None

    @staticmethod
    def resolve_superseded(build: ReportBuild, context: Any) -> bool:
        changed = getattr(context["request"], "report_changed_at", 0)
        return build.is_done and build.log_sequence < changed

    @staticmethod
    def resolve_signature(build: ReportBuild) -> dict[str, Any] | None:
        signed = getattr(build, "signed", None)
        if signed is None:
            return None
        return {
            "statement": signed.statement,
            "signature": signed.signature,
            "key_id": signed.key.key_id,
            "public_key": signed.key.public_key,
            "holds": signoff.holds(signed, build.downloads),
        }

    @staticmethod
    def resolve_evidence(build: ReportBuild) -> UUID | None:
        return build.evidence.uuid if build.evidence else None

    @staticmethod
    def resolve_requested_by(build: ReportBuild) -> str:
        return build.requested_by.username


_WITH = ("evidence", "requested_by", "case", "final_of", "signed__key")


def _find(request: HttpRequest, case: Case, uuid: UUID) -> ReportBuild:
    request.report_changed_at = reports.changed_at(case)  # type: ignore[attr-defined]
    return get_object_or_404(ReportBuild.objects.select_related(*_WITH), case=case, uuid=uuid)


@router.get("/cases/{reference}/reports", response=Page[ReportOut], summary="Reports of the case, newest first")
def list_reports(request: HttpRequest, reference: str, window: Query[Window]) -> dict[str, Any]:
    case = case_of(request, reference)
    request.report_changed_at = reports.changed_at(case)  # type: ignore[attr-defined]
    return page_of(ReportBuild.objects.filter(case=case).select_related(*_WITH), window)


@router.post("/cases/{reference}/reports", response={202: ReportOut}, summary="Build a report, in the background")
def request_report(request: HttpRequest, reference: str, body: ReportNew) -> Status[ReportBuild]:
    """What it lacks is in `missing`, and does not stop it."""
    case, wanted = case_of(request, reference, CaseRole.ANALYST), body.wanted()
    missing = [gap.text for gap in reports.gaps(case, wanted.kind)]
    if wanted.kind == ReportKind.NOTIFICATION and wanted.regime and wanted.stage:
        rows = regimes.answers(case, wanted.regime, wanted.stage)
        missing = [*(row.label for row in rows if not row.answer), *missing]
    build = reports.request_report(case=case, actor=person(request), wanted=wanted, missing=missing)
    return Status(202, _find(request, case, build.uuid))


@router.get(_BUILD, response=ReportOut, summary="How far it is")
def get_report(request: HttpRequest, reference: str, uuid: UUID) -> ReportBuild:
    return _find(request, case_of(request, reference), uuid)


@router.post(f"{_BUILD}/cancel", response=ReportOut, summary="Stop building it")
def cancel_report(request: HttpRequest, reference: str, uuid: UUID) -> ReportBuild:
    case = case_of(request, reference, CaseRole.ANALYST)
    reports.cancel(build=_find(request, case, uuid), actor=person(request))
    return _find(request, case, uuid)


@router.get(f"{_BUILD}/reviews", response=list[ReportReviewOut], summary="What others said of a draft, oldest first")
def list_reviews(request: HttpRequest, reference: str, uuid: UUID) -> list[ReportReview]:
    return list(_find(request, case_of(request, reference), uuid).reviews.select_related("by"))


@router.post(
    f"{_BUILD}/reviews", response={201: ReportReviewOut}, summary="Read a draft over: accept it, or want changes"
)
def review_report(request: HttpRequest, reference: str, uuid: UUID, body: ReportReviewNew) -> Status[ReportReview]:
    """By somebody else than who asked for it."""
    build = _find(request, case_of(request, reference, CaseRole.ANALYST), uuid)
    return Status(201, signoff.review(build=build, actor=person(request), answer=body.answer.value, words=body.words))


@router.post(f"{_BUILD}/signature", response={202: ReportOut}, summary="Sign a draft off, as a lead")
def sign_report(request: HttpRequest, reference: str, uuid: UUID) -> Status[ReportBuild]:
    """The answer is the signed version, which is made in the background, sealed as an exhibit."""
    case = case_of(request, reference, CaseRole.LEAD)
    final = signoff.sign_off(build=_find(request, case, uuid), actor=person(request))
    return Status(202, _find(request, case, final.uuid))


@router.get(f"{_BUILD}/{{format}}", response={200: bytes}, summary="The file: pdf, docx, html, markdown or json")
def download_report(request: HttpRequest, reference: str, uuid: UUID, format: str) -> StreamingHttpResponse:
    build = _find(request, case_of(request, reference), uuid)
    try:
        chunks, name, size = reports.open_file(build=build, kind=format, actor=person(request))
    except reports.ReportFileGone as error:
        raise delivery.FileGone(str(error)) from None
    return delivery.attachment(chunks, name=name, size=size)


class NotificationFactOut(Schema):
    """`answer` is "" where nobody answered: neither a person nor the case itself."""

    field: str
    label: str
    article: str
    answer: str


class AnswersIn(Schema):
    """By field."""

    answers: dict[str, str]


Regime = Literal["nis2", "gdpr", "dora"]
Stage = Literal["initial", "update", "final"]
_FACTS = "/cases/{reference}/notifications/{regime}/{stage}"


@router.get(_FACTS, response=list[NotificationFactOut], summary="What an authority asks for, with the answers")
def list_answers(request: HttpRequest, reference: str, regime: Regime, stage: Stage) -> list[Any]:
    return list(regimes.answers(case_of(request, reference), regime, stage))


@router.put(_FACTS, response=list[NotificationFactOut], summary="Answer what an authority asks for, field by field")
def put_answers(request: HttpRequest, reference: str, regime: Regime, stage: Stage, body: AnswersIn) -> list[Any]:
    """An empty text takes an answer away; fields that are not named stay as they are."""
    case = open_case_of(request, reference)
    notifying.answer(case=case, actor=person(request), answers=body.answers, known=frozenset(regimes.fields()))
    return list(regimes.answers(case, regime, stage))


class MaskWordsOut(Schema):
    words: list[str]


@router.get("/cases/{reference}/redaction-words", response=MaskWordsOut, summary="Words to mask that the case suggests")
def redaction_words(request: HttpRequest, reference: str) -> dict[str, Any]:
    """The domains of its accounts and devices; `words` of a report or a share take them."""
    return {"words": redacting.suggested_words(case_of(request, reference))}


class MaskKeyOut(Schema):
    alias: str
    kind: str
    names: list[str]


@router.get("/cases/{reference}/redaction-key", response=list[MaskKeyOut], summary="Who is who in masked documents")
def redaction_key(request: HttpRequest, reference: str) -> list[Any]:
    """For leads alone; each look is logged."""
    return list(redacting.key_table(case=case_of(request, reference, CaseRole.LEAD), actor=person(request)))
