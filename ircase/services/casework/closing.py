"""Closing a case: what holds it, what is only advised, a second person's look, and then the close itself.

Apps above register what they know of (devices that are still isolated) when Django starts.
"""

import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import (
    Activity,
    Approval,
    Case,
    Classification,
    Clock,
    Evidence,
    HandOver,
    Milestone,
    NoticeCode,
    User,
)
from ircase.services import approvals, cases, log, notices
from ircase.services.phases import checklist

KIND: Final = "case.close"
LIFETIME: Final = timedelta(days=14)
_ENDED = ("done", "failed", "cancelled", "partial", "expired", "refused")
_NAMED = 8
approvals.tells_itself(KIND)


@dataclass(frozen=True)
class Finding:
    """One line of the check: `holds` stops the close, else it is advised and may be passed over with a reason.
    `url_name` takes the case's reference."""

    code: str
    holds: bool
    text: str
    names: tuple[str, ...] = ()
    url_name: str = "ircase:case"


Check = Callable[[Case], list[Finding]]


def look_over(case: Case) -> list[Finding]:
    """What the check found, what holds first. A bounded number of queries."""
    found = [finding for check in _checks for finding in check(case)]
    return sorted(found, key=lambda finding: not finding.holds)


def needs_review(case: Case) -> bool:
    """Whether a second person has to look: by severity (CLOSE_REVIEW), except where nothing bad had happened."""
    trivial = case.classification in (Classification.FALSE_POSITIVE, Classification.EXPECTED)
    return case.severity in settings.CLOSE_REVIEW and not trivial


def waiting(case: Case) -> Approval | None:
    """The question that waits for an answer."""
    found = Approval.objects.filter(case=case, kind=KIND, state=Approval.State.REQUESTED)
    return found.filter(expires_at__gt=timezone.now()).select_related("requested_by").first()


def last_answer(case: Case) -> Approval | None:
    """The newest answer, where it sent the case back."""
    found = Approval.objects.filter(case=case, kind=KIND).order_by("-requested_at", "-pk")
    last = found.select_related("decided_by", "requested_by").first()
    return last if last is not None and last.state == Approval.State.REJECTED else None


@transaction.atomic
def close(*, case: Case, actor: User, reason: str) -> Approval | None:
    """Close, or ask a second person where one has to look: then the question is returned. Passing over what is advised
    takes a reason. Raises PermissionDenied, ValidationError."""
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can close it.")
    # The row is the lock: two leads who press at once ask once.
    case = Case.objects.select_for_update().get(pk=case.pk)
    advised = _require_closable(case, reason)
    if not needs_review(case):
        _close(case, actor, reason, advised)
        return None
    if waiting(case) is not None:
        raise ValidationError("A second person was asked already. Another lead of the case has to answer.")
    reviewers = [lead for lead in notices.leads_of(case) if lead.pk != actor.pk]
    if not reviewers:
        raise ValidationError(
            f"A case of severity {case.get_severity_display()} is closed by two people. Make a colleague lead first."
        )
    return _ask(case, actor, reason, advised, reviewers)


def _require_closable(case: Case, reason: str) -> list[Finding]:
    """What is advised, where nothing holds the case."""
    if not case.is_open:
        raise ValidationError("The case is closed already.")
    found = look_over(case)
    holding = [finding.text for finding in found if finding.holds]
    if holding:
        raise ValidationError([f"The case cannot be closed yet. {text}" for text in holding])
    if found and not reason.strip():
        raise ValidationError(
            f"{len(found)} of the checks advise{'s' if len(found) == 1 else ''} against it. Say why it closes anyway."
        )
    return found


def _ask(case: Case, actor: User, reason: str, advised: list[Finding], reviewers: list[User]) -> Approval:
    passed = [finding.text for finding in advised]
    approval = approvals.request(
        case=case,
        actor=actor,
        kind=KIND,
        subject=uuids.uuid4(),
        title=f"Close {case.reference}",
        detail={
            "Case": case.title,
            "Classification": case.get_classification_display(),
            "Severity": case.get_severity_display(),
            "Passed over": " ".join(passed) or "Nothing",
            "Why": reason.strip() or "–",
        },
        digest=_binding(case, reason, " ".join(passed)),
        task="ircase.close_decided",
        reason=reason.strip(),
        lifetime=LIFETIME,
    )
    notices.tell(
        code=NoticeCode.APPROVAL,
        people=reviewers,
        case=case,
        subject=approval.uuid,
        title=f"{actor.name} asks you to review the closing of {case.reference}",
        path=reverse("ircase:closing", args=[case.reference]),
    )
    return approval


def decided(subject: uuids.UUID) -> None:
    """Another lead has answered: close where the yes covers the case as it stands now. Harmless twice."""
    with transaction.atomic():
        asked = Approval.objects.select_related("case", "requested_by").filter(subject=subject, kind=KIND).first()
        if asked is None:
            return
        case = Case.objects.select_for_update().get(pk=asked.case_id)
        if case.is_open and asked.state == Approval.State.APPROVED:
            _close_as_asked(case, asked)
        elif asked.state in (Approval.State.REJECTED, Approval.State.EXPIRED):
            _tell_asker(asked, f"The closing of {case.reference} was sent back", asked.comment)


def _close_as_asked(case: Case, asked: Approval) -> None:
    advised = look_over(case)
    passed = str(asked.detail["Passed over"])
    # What was put right meanwhile is welcome; what came up since was never looked at.
    new = [finding.text for finding in advised if finding.holds or finding.text not in passed]
    valid = approvals.find_valid(asked.subject, _binding(case, asked.reason, passed.removesuffix("Nothing")))
    if new or valid is None or valid.decided_by is None:
        words = " ".join(new) or "What the case says of itself has changed since you asked: look at it and ask again."
        log.record("case.close_overtaken", case=case, reason=words)
        _tell_asker(asked, f"{case.reference} was not closed", words)
        return
    _close(case, asked.requested_by, asked.reason, advised, approved_by=valid.decided_by.name)
    _tell_asker(asked, f"{case.reference} is closed", f"{valid.decided_by.name} has reviewed it. {valid.comment}")


def _tell_asker(asked: Approval, title: str, words: str) -> None:
    notices.tell(
        code=NoticeCode.DECIDED,
        people=[asked.requested_by],
        case=asked.case,
        subject=notices.about(asked.uuid, "answer"),
        title=title,
        path=reverse("ircase:closing", args=[asked.case.reference]),
        lines=[words[:1000]] if words else [],
    )


def _close(case: Case, actor: User, reason: str, advised: list[Finding], approved_by: str = "") -> None:
    cases.close_case(case=case, actor=actor, reason=reason, approved_by=approved_by,
                     passed_over=[finding.code for finding in advised])  # fmt: skip


def _binding(case: Case, reason: str, passed: str) -> str:
    return approvals.binding(
        close=case.uuid, classification=case.classification, determination=case.determination, reason=reason.strip(),
        passed=passed,
    )  # fmt: skip


def _classification(case: Case) -> list[Finding]:
    if case.classification != Classification.UNKNOWN:
        return []
    words = "Set the classification: it is what the metrics and Defender are told."
    return [Finding("classification", True, words, url_name="ircase:case_edit")]


def _running(case: Case) -> list[Finding]:
    jobs = list(Activity.objects.filter(case=case).exclude(state__in=_ENDED).values_list("title", flat=True)[:50])
    return _if(jobs, "running", True, "Work still runs on the case: let it end or cancel it.", "ircase:log")


def _questions(case: Case) -> list[Finding]:
    asked = Approval.objects.filter(case=case, state=Approval.State.REQUESTED, expires_at__gt=timezone.now())
    titles = list(asked.exclude(kind=KIND).values_list("title", flat=True)[:50])
    words = "Somebody waits for a second person's yes: decide it or take it back."
    return _if(titles, "approvals", True, words, "ircase:case")


def _clocks(case: Case) -> list[Finding]:
    running = Clock.objects.filter(case=case).running().values_list("title", "kind")
    laws = [title for title, kind in running if kind == Clock.Kind.LAW]
    others = [title for title, kind in running if kind != Clock.Kind.LAW]
    held = "Deadlines of the law run: end each as delivered, with its proof, or as not applicable, with its reason."
    return [
        *_if(laws, "clocks", True, held, "ircase:clocks"),
        *_if(others, "service_levels", False, "Service levels still run.", "ircase:clocks"),
    ]


def _handovers(case: Case) -> list[Finding]:
    waiting_ones = HandOver.objects.filter(case=case, state=HandOver.State.OFFERED).select_related("receiver")
    names = [f"to {one.receiver.name}" for one in waiting_ones[:50]]
    return _if(names, "handovers", False, "A hand-over waits for its receiver.", "ircase:handovers")


def _required(case: Case) -> list[Finding]:
    titles = [item.title for item in checklist.open_required(case)]
    return _if(titles, "required", False, "Required items of the checklist are open.", "ircase:checklist")


def _milestones(case: Case) -> list[Finding]:
    kinds = Milestone.Kind
    wanted = [kinds.OCCURRED, kinds.DETECTED, kinds.CONTAINED, kinds.ERADICATED, kinds.RECOVERED]
    if case.classification in (Classification.FALSE_POSITIVE, Classification.EXPECTED):
        wanted = [kinds.DETECTED]
    there = set(case.milestones.values_list("kind", flat=True))
    missing = [kind.label for kind in wanted if kind not in there]
    return _if(missing, "milestones", False, "Milestones are missing: the metrics are made of them.", "ircase:case")


def _evidence(case: Case) -> list[Finding]:
    states = Evidence.Integrity
    wrong = Evidence.objects.filter(case=case, integrity__in=[states.ALTERED, states.MISSING, states.UNCHECKED])
    rows = list(wrong.only("number", "name", "integrity", "case_id")[:500])
    bad = [str(item) for item in rows if item.integrity != states.UNCHECKED]
    unseen = [str(item) for item in rows if item.integrity == states.UNCHECKED]
    return [
        *_if(bad, "evidence_broken", False, "Exhibits are no longer what was sealed.", "ircase:evidence"),
        *_if(unseen, "evidence_unchecked", False, "Exhibits were never verified since they were sealed.",
             "ircase:evidence"),
    ]  # fmt: skip


def _texts(case: Case) -> list[Finding]:
    empty = [name for name, text in (("Executive summary", case.summary), ("Lessons learned", case.lessons))
             if not text.strip()]  # fmt: skip
    return _if(empty, "texts", False, "What readers of the report read first is not written.", "ircase:case_summary")


def _if(names: list[str], code: str, holds: bool, text: str, url_name: str) -> list[Finding]:
    shown = tuple(names[:_NAMED]) + ((f"and {len(names) - _NAMED} more",) if len(names) > _NAMED else ())
    return [Finding(code, holds, text, shown, url_name)] if names else []


_checks: list[Check] = [
    _classification, _running, _questions, _clocks, _handovers, _required, _milestones, _evidence, _texts,
]  # fmt: skip


def register(check: Check) -> None:
    """`check` is asked too from now on, before every close."""
    if check not in _checks:
        _checks.append(check)
