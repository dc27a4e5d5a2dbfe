"""A case in another system's format: looked at beforehand, asked for, handed out, thrown away. The worker's part is
`ircase.sharer`."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import access, jobs
from ircase.exchange.formats import FORMATS
from ircase.exchange.model import LeftOut, Product, ShareData
from ircase.models import Activity, Case, CaseRole, CaseShare, JobState, Tlp, User
from ircase.redaction import Redaction
from ircase.services import activity, log
from ircase.services.transfer import shareddata
from ircase.services.transfer.shareddata import Wish
from ircase.store import chunks_of, digest_of

MOST_NAMED: Final = 500
"""Of what stayed here, so many are kept by name; the others are counted."""


class ShareGone(Exception):
    """The file is not there any more. The message says what to do."""


@dataclass(frozen=True)
class Preview:
    """What would leave: counts by kind of thing, the highest TLP of it, and what stays by reason."""

    counts: tuple[tuple[str, int], ...]
    highest: str
    left: tuple[tuple[str, str, int], ...]
    named: tuple[LeftOut, ...]
    size: int
    exhibits: int
    grave: bool


def is_grave(case: Case, tlp: str) -> bool:
    """Whether only a lead may let it go."""
    return case.confidential or tlp == Tlp.RED


def needed(case: Case, tlp: str) -> CaseRole:
    return access.LEAD if is_grave(case, tlp) else access.ANALYST


def require(case: Case, tlp: str) -> None:
    """Raise PermissionDenied where this needs a lead and they are none. `case` carries `my_role`."""
    if not access.may(case, needed(case, tlp)):
        raise PermissionDenied("A confidential case and TLP:RED leave by a lead of the case only.")


def produce(case: Case, kind: str, wish: Wish) -> tuple[ShareData, Product]:
    """The data and the file. Raises ValidationError for a format that is none."""
    if kind not in FORMATS:
        raise ValidationError(f"A case is shared as {', '.join(FORMATS)}.")
    parts = tuple(part for part in wish.parts if part in FORMATS[kind].parts)
    data = shareddata.collect(case, dataclasses.replace(wish, parts=parts, hunted=FORMATS[kind].hunted))
    return data, FORMATS[kind].make(data, timezone.now())


def preview(*, case: Case, kind: str, wish: Wish) -> Preview:
    """What a file that is made now would hold. Raises ValidationError, and PermissionDenied as `request` does."""
    require(case, wish.redaction.tlp)
    data, made = produce(case, kind, wish)
    left = (*data.left_out, *made.left_out)
    exhibits = len(data.exhibits) if FORMATS[kind].proves else 0
    return Preview(
        made.counts, data.highest_tlp, tuple(shareddata.grouped(left)), left[:MOST_NAMED], len(made.data), exhibits,
        is_grave(case, wish.redaction.tlp),
    )  # fmt: skip


@transaction.atomic
def request_share(*, case: Case, actor: User, kind: str, wish: Wish, receiver: str, purpose: str) -> CaseShare:
    """Make the file in the background. `case` carries the role of `actor`.

    Raises ValidationError while one is under way, and without receiver or purpose; PermissionDenied where it takes a
    lead.
    """
    require(case, wish.redaction.tlp)
    if kind not in FORMATS:
        raise ValidationError(f"A case is shared as {', '.join(FORMATS)}.")
    if not receiver.strip() or not purpose.strip():
        raise ValidationError("Say who receives it and what for; the log keeps both.")
    Case.objects.select_for_update().get(pk=case.pk)
    if CaseShare.objects.filter(case=case).unfinished().exists():
        raise ValidationError("A file of this case is being made. Wait for it, or cancel it.")
    share = CaseShare(
        case=case, requested_by=actor, format=kind, tlp=wish.redaction.tlp, pap=wish.pap, sender=wish.sender.strip(),
        redaction=wish.redaction.as_json(), parts=list(wish.parts), receiver=receiver.strip(), purpose=purpose.strip(),
        grave=is_grave(case, wish.redaction.tlp),
    )  # fmt: skip
    share.activity = activity.begin(
        case=case,
        kind=Activity.Kind.EXPORT,
        title=f"{FORMATS[kind].label} of {case.reference}",
        subject=share.uuid,
        url_name="ircase:share",
        actor=actor,
        detail={"format": kind, "receiver": share.receiver, "purpose": share.purpose, "tlp": share.tlp},
    )
    share.full_clean(exclude=["case", "activity", "requested_by"])
    share.save()
    jobs.enqueue("ircase.share_case", share.pk)
    return share


def wish_of(share: CaseShare) -> Wish:
    return Wish(Redaction.from_json(share.redaction), share.pap, tuple(share.parts), share.sender)


@transaction.atomic
def cancel(*, share: CaseShare, actor: User) -> None:
    """A queued one ends at once, a running one within a second or so; a final one stays as it is."""
    if not CaseShare.objects.filter(pk=share.pk).unfinished().update(cancel_requested=True):
        return
    log.record("export.cancel_requested", case=share.case, actor=actor, subject=str(share.uuid))
    reason, owner = f"Cancelled by {actor.name}", f"cancel:{actor.pk}"
    # Through RUNNING, so that a worker which claims meanwhile loses.
    if CaseShare.objects.filter(pk=share.pk, state="queued").update(state="running", owner=owner):
        CaseShare.objects.end(share.pk, owner, JobState.CANCELLED, reason=reason)
        activity.end(share.activity, state="cancelled", outcome=reason, actor=actor)


def may_take(case: Case, share: CaseShare) -> bool:
    """Whether who opened `case` may have the file: its gravity is judged by what the case is today, too."""
    return access.may(case, access.LEAD if share.grave else needed(case, share.tlp))


def judge(case: Case, shares: Iterable[CaseShare]) -> None:
    """Put on each, as `takes`, whether who opened `case` may have the file."""
    for share in shares:
        share.takes = may_take(case, share)


def chunks(*, share: CaseShare, actor: User, by: str = "browser") -> Iterator[bytes]:
    """The file's bytes; first the log entry is written. Raises ShareGone."""
    if share.state != JobState.DONE or share.removed_at or not share.path.is_file():
        raise ShareGone("The file is not here any more. Make it again.")
    if digest_of(share.path) != share.sha256:
        raise ShareGone("The file is no longer what was made. Make it again.")
    log.record(
        "share.downloaded", case=share.case, actor=actor, title=share.activity.title, receiver=share.receiver,
        sha256=share.sha256, by=by,
    )  # fmt: skip
    return chunks_of(share.path)


@transaction.atomic
def remove(*, share: CaseShare, actor: User | None) -> None:
    """Take the file away; the row and the log stay."""
    if share.state != JobState.DONE or share.removed_at:
        return
    share.removed_at = timezone.now()
    share.save(update_fields=["removed_at"])
    log.record("share.removed", case=share.case, actor=actor, title=share.activity.title, sha256=share.sha256)
    transaction.on_commit(lambda: share.path.unlink(missing_ok=True))


def tidy() -> None:
    """Beat's tick: files that were kept long enough go."""
    limit = timezone.now() - timedelta(days=settings.EXPORT_KEEP_DAYS)
    old = CaseShare.objects.filter(state=JobState.DONE, removed_at=None, finished_at__lt=limit)
    for share in old.select_related("case", "activity")[:20]:
        remove(share=share, actor=None)


def manifest_of(data: ShareData, made: Product, *, proves: bool) -> dict[str, Any]:
    """What left and what stayed, for the page and for the log."""
    left = (*data.left_out, *made.left_out)
    named = [{"what": one.what, "name": one.name[:200], "why": one.why} for one in itertools.islice(left, MOST_NAMED)]
    return {
        "counts": dict(made.counts),
        "highest": data.highest_tlp,
        "left": len(left),
        "left_out": named,
        "exhibits": list(data.exhibits) if proves else [],
    }
