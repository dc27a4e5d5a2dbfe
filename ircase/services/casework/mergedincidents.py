"""The incidents of a case that is merged into another: the other case holds them from then on, and speaks for them.

Else the duplicate's end would be told to Defender as the end of the incident (`incidents/incidentsync.py`), and what
Defender adds to it would be told to nobody who still works on it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from ircase.models import Case, CaseIncident, SyncState, User

UNDONE = "The merge that had brought it was undone."


@dataclass(frozen=True)
class Incidents:
    """Those that the other case does not hold: they come to it, or stay with the duplicate, being another tenant's."""

    come: list[CaseIncident]
    stay: list[CaseIncident]


def lacking(case: Case, into: Case) -> Incidents:
    """One whose source is gone cannot be known again, and is neither."""
    there = CaseIncident.objects.held().filter(case=into, incoming__isnull=False)
    here = CaseIncident.objects.held().filter(case=case, incoming__isnull=False)
    here = here.exclude(incoming__in=there.values("incoming"))
    found = Incidents([], [])
    for link in here.select_related("incoming__connection", "incoming__source__connection"):
        fits = link.incoming is not None and link.incoming.fits(into)
        (found.come if fits else found.stay).append(link)
    return found


def bring(links: list[CaseIncident], into: Case, actor: User) -> dict[str, list[str]]:
    """The other case holds them too, in the version that was taken over, with what was agreed with Defender. Their
    sealed JSON stays with the duplicate, and what they brought comes as findings do. The new rows' uuids, if any."""
    copies = {
        link.pk: CaseIncident(
            case=into, incoming=link.incoming, number=link.number, title=link.title, url=link.url, origin=link.origin,
            via=CaseIncident.Via.MERGED, added_by=actor, taken_version=link.taken_version,
        )
        for link in links
    }  # fmt: skip
    CaseIncident.objects.bulk_create(copies.values())
    agreed = SyncState.objects.filter(link__in=links)
    SyncState.objects.bulk_create(
        SyncState(link=copies[state.link_id], agreed=state.agreed, ours=state.ours) for state in agreed
    )
    return {"incidents": [str(copy.uuid) for copy in copies.values()]} if copies else {}


def take_away(into: Case, uuids: Iterable[str], actor: User) -> int:
    """Take them out of the other case, but for those of which a newer version was taken over there: how many stayed."""
    held = CaseIncident.objects.held().filter(case=into, uuid__in=list(uuids))
    held.filter(evidence=None).update(removed_at=timezone.now(), removed_by=actor, removed_reason=UNDONE)
    return held.count()
