"""A second person reads a draft over; a lead signs it off: the same words once more, without the watermark, sealed."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import Evidence, NoticeCode, ReportBuild, ReportReview, ReportSignature, User
from ircase.services import log, notices, reports
from ircase.services.analysis.findings import clean
from ircase.services.vault import signing

FORMAT = "ircase-report-signature/1"
LONGEST = 4_000


def _draft(build: ReportBuild) -> None:
    if build.is_final_version:
        raise ValidationError("This is a signed version. Nothing of it changes; a new report takes its place.")
    if not build.is_done:
        raise ValidationError("The report is not built yet.")
    if hasattr(build, "final") and build.final.state not in ("failed", "cancelled"):
        raise ValidationError(f"It was signed off already, as {build.final.label}.")


@transaction.atomic
def review(*, build: ReportBuild, actor: User, answer: str, words: str = "") -> ReportReview:
    """A second person's answer; who asked for the report is told. Raises PermissionDenied, ValidationError."""
    _draft(build)
    if actor.pk == build.requested_by_id:
        raise PermissionDenied("Somebody else reads your report over.")
    if answer not in ReportReview.Answer.values:
        raise ValidationError({"answer": "Accept it, or say what has to change."})
    said = clean(words).strip()[:LONGEST]
    if answer == ReportReview.Answer.CHANGES and not said:
        raise ValidationError({"words": "Say what has to change."})
    made = ReportReview.objects.create(build=build, answer=answer, words=said, by=actor)
    log.record(
        "report.reviewed", case=build.case, actor=actor, report=build.label, build=str(build.uuid), answer=answer,
        comment=said,
    )  # fmt: skip
    notices.tell(
        code=NoticeCode.DECIDED,
        people=[build.requested_by],
        case=build.case,
        subject=notices.about(build.uuid, f"review {made.pk}"),
        title=f"{actor.name} read {build.label} of {build.case.reference} over: {made.get_answer_display().lower()}",
        path=reverse("ircase:report", args=[build.case.reference, build.uuid]),
    )
    return made


def accepted(build: ReportBuild) -> ReportReview | None:
    """The review by which it may be signed: the last one, where it accepts."""
    last = build.reviews.select_related("by").order_by("-at", "-pk").first()
    return last if last is not None and last.answer == ReportReview.Answer.ACCEPTED else None


def sign_off(*, build: ReportBuild, actor: User) -> ReportBuild:
    """The signed version of a draft, made in the background. Raises PermissionDenied, ValidationError."""
    _draft(build)
    if not access.still_may(actor, build.case, access.LEAD):
        raise PermissionDenied("A lead of the case signs its reports.")
    if accepted(build) is None:
        raise ValidationError("A second person has to read it over and accept it first.")
    try:
        signing.active_key()
    except ImproperlyConfigured as error:
        raise ValidationError(str(error)) from error
    with transaction.atomic():
        # What failed before makes way: a draft has one signed version.
        ReportBuild.objects.filter(final_of=build, state__in=("failed", "cancelled")).update(final_of=None)
        return reports.begin(
            case=build.case,
            actor=actor,
            title=f"Signed version of {build.label} of {build.case.reference}",
            seal=True,
            final_of=build,
            kind=build.kind,
            regime=build.regime,
            stage=build.stage,
            language=build.language,
            redaction=build.redaction,
            look=build.look,
            missing=build.missing,
            log_sequence=build.log_sequence,
        )


def facts_of(final: ReportBuild) -> tuple[tuple[str, str], ...]:
    """Who read it over and who signs, for the cover. Raises ValidationError where the review was taken back since."""
    draft = final.final_of
    found = accepted(draft) if draft is not None else None
    if draft is None or found is None:
        raise ValidationError("A second person no longer accepts it. Nothing was signed.")
    return (
        ("Read over", f"{found.at:%Y-%m-%d %H:%M:%S} UTC by {found.by.name}"),
        ("Signed off", f"{final.queued_at:%Y-%m-%d %H:%M:%S} UTC by {final.requested_by.name}"),
        ("Version", f"{final.label}, of the draft {draft.label}"),
    )


def signature_of(final: ReportBuild, files: list[dict[str, Any]]) -> ReportSignature:
    """The signature over its files, not saved yet: the manifest of its exhibit names it."""
    draft = final.final_of
    found = accepted(draft) if draft is not None else None
    if draft is None or found is None:
        raise ValidationError("A second person no longer accepts it. Nothing was signed.")
    statement = {
        "format": FORMAT,
        "case": final.case.reference,
        "case_uuid": str(final.case.uuid),
        "report": final.label,
        "kind": final.kind,
        "build": str(final.uuid),
        "draft": str(draft.uuid),
        "files": {str(file["format"]): file["sha256"] for file in files},
        "read_over_by": found.by.username,
        "read_over_at": found.at.isoformat(),
        "signed_by": final.requested_by.username,
        "signed_at": timezone.now().isoformat(),
        "log_sequence": final.log_sequence,
    }
    text, key = signing.sign(signing.canonical(statement))
    return ReportSignature(build=final, statement=statement, signature=text, key=key, by=final.requested_by)


def keep_signature(signature: ReportSignature, exhibit: Evidence) -> None:
    """In the transaction that ends the build."""
    signature.save()
    build = signature.build
    log.record(
        "report.signed", case=build.case, actor=signature.by, report=build.label, build=str(build.uuid),
        exhibit=exhibit.exhibit, signature=signature.signature, key=signature.key.key_id,
    )  # fmt: skip
    draft = build.final_of
    if draft is not None and draft.requested_by_id != signature.by_id:
        notices.tell(
            code=NoticeCode.DECIDED,
            people=[draft.requested_by],
            case=build.case,
            subject=notices.about(build.uuid, "signed"),
            title=f"{signature.by.name} signed {build.label} of {build.case.reference} off",
            path=reverse("ircase:report", args=[build.case.reference, build.uuid]),
        )


def holds(signature: ReportSignature, files: list[dict[str, Any]]) -> bool:
    """Whether the signature is of this statement, and the statement of these files."""
    same = signature.statement.get("files") == {str(file["format"]): file["sha256"] for file in files}
    return same and signing.holds(signature.key, signing.canonical(signature.statement), signature.signature)
