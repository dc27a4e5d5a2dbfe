"""An incident into a case that is there already, and out of it again."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.intake import touched
from ircase.models import Asset, Case, CaseIncident, Event, IncomingIncident, Indicator, User
from ircase.services import evidence, log
from ircase.services.incidents import intake

_NAMES_LOGGED = 500


@dataclass(frozen=True)
class Taken:
    """What an unmerge did: how many rows left, and those that stayed with the reason of each."""

    left: int
    stayed: tuple[touched.Stays, ...]


def merge(*, case: Case, incident: IncomingIncident, actor: User) -> CaseIncident:
    """The incident joins the case: its entities, its alerts, and its JSON, sealed. Every row knows its incident.

    Where the case holds it already, what is new in its newest version comes. The caller has checked that `actor` may
    write in the case. Raises PermissionDenied, ValidationError, StoreError.
    """
    intake.require_inbox(actor)
    if not case.is_open:
        raise ValidationError("The case is closed. Open it again first.")
    if incident.redirect_id:
        raise ValidationError(f"Defender merged this incident into {incident.redirect_id}; merge that one.")
    held = CaseIncident.objects.held().filter(case=case, incoming=incident).first()
    if held is not None and held.taken_version == incident.updated_at:
        raise ValidationError("The case holds this incident already, in its newest version.")
    if not incident.fits(case):
        raise ValidationError(
            f"The incident is of {incident.tenant}, the case of another tenant. Open a case of its own."
        )
    stored = evidence.put(iter([intake.canonical(incident.raw)]))
    with transaction.atomic():
        incident = intake.lock(incident)
        # An incident that was the case's first one stays what it is when its newer version comes.
        via = held.via if held is not None else CaseIncident.Via.MERGED
        link = intake.take_over(case=case, incident=incident, actor=actor, via=via, stored=stored)
    return link


@transaction.atomic
def unmerge(*, link: CaseIncident, actor: User, reason: str) -> Taken:
    """Take a merged incident out of the case again: what came with it and nobody touched since leaves.

    What was changed, linked or named since stays, and is said; what another incident of the case names too becomes
    that one's. The sealed JSON stays, with a custody entry that says so. The caller has checked the right to write.
    """
    link = CaseIncident.objects.select_for_update().get(pk=link.pk)
    if link.removed_at is not None:
        raise ValidationError("The incident was taken out already.")
    if link.via == CaseIncident.Via.OPENED:
        raise ValidationError("The case was opened from this incident; it stays. Close the case instead.")
    if not reason.strip():
        raise ValidationError("Say why it does not belong here; the log keeps it.")
    going, staying = touched.weigh(link)
    names = [_name(row) for row in going[:_NAMES_LOGGED]]
    _hand_over(link, staying)
    for kind in touched.KINDS:
        kind.objects.filter(pk__in=[row.pk for row in going if isinstance(row, kind)]).delete()
    link.removed_at, link.removed_by, link.removed_reason = timezone.now(), actor, reason.strip()[:2000]
    link.save(update_fields=["removed_at", "removed_by", "removed_reason"])
    if link.evidence is not None:
        log.record_custody(link.evidence, "incident_taken_out", actor=actor, reason=link.removed_reason)
    log.record(
        "incident.unmerged",
        case=link.case,
        actor=actor,
        incident=link.number,
        reason=link.removed_reason,
        left=len(going),
        stayed=[[_name(one.row), one.why] for one in staying[:_NAMES_LOGGED]],
        names=names,
    )
    return Taken(len(going), tuple(staying))


def _name(row: Asset | Indicator | Event) -> str:
    return f"{row._meta.verbose_name} {row}"[:200]


def _hand_over(link: CaseIncident, staying: list[touched.Stays]) -> None:
    """What another incident of the case names too is that one's from now on, as if it had brought it."""
    kept = {str(one.row.uuid): one.row for one in staying}
    for other in CaseIncident.objects.held().filter(case=link.case_id).exclude(pk=link.pk):
        theirs = [uuid for uuid in other.named if uuid in kept]
        for uuid in theirs:
            row = kept.pop(uuid)
            row.provenance = {**row.provenance, "incident": other.number, "link": str(other.uuid)}
            row.save(update_fields=["provenance"])
            other.brought[uuid] = link.brought[uuid]
        if theirs:
            other.named = [uuid for uuid in other.named if uuid not in theirs]
            other.save(update_fields=["brought", "named"])
