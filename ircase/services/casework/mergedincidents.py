"""The incidents of a case that is merged into another: the other case holds them from then on, and speaks for them.

Else the duplicate's end would be told to Defender as the end of the incident (`incidents/incidentsync.py`), and what
Defender adds to it would be told to nobody who still works on it.
"""

from collections.abc import Iterable

from django.db.models import QuerySet
from django.utils import timezone

from ircase.models import Case, CaseIncident, SyncState, User

UNDONE = "The merge that had brought it was undone."


def lacking(case: Case, into: Case) -> QuerySet[CaseIncident]:
    """Those that the other case does not hold. One whose source is gone cannot be known again and stays."""
    there = CaseIncident.objects.held().filter(case=into, incoming__isnull=False)
    here = CaseIncident.objects.held().filter(case=case, incoming__isnull=False)
    return here.exclude(incoming__in=there.values("incoming"))


def bring(links: Iterable[CaseIncident], into: Case, actor: User) -> dict[str, list[str]]:
    """The other case holds them too, in the version that was taken over, with what was agreed with Defender. Their
    sealed JSON stays with the duplicate, and what they brought comes as findings do. The new rows' uuids, if any."""
    made = []
    for link in links:
        copy = CaseIncident.objects.create(
            case=into, incoming=link.incoming, number=link.number, title=link.title, url=link.url, origin=link.origin,
            via=CaseIncident.Via.MERGED, added_by=actor, taken_version=link.taken_version,
        )  # fmt: skip
        for state in SyncState.objects.filter(link=link):
            SyncState.objects.create(link=copy, agreed=state.agreed, ours=state.ours)
        made.append(str(copy.uuid))
    return {"incidents": made} if made else {}


def take_away(into: Case, uuids: Iterable[str], actor: User) -> int:
    """Take them out of the other case, but for those of which a newer version was taken over there: how many stayed."""
    held = CaseIncident.objects.held().filter(case=into, uuid__in=list(uuids))
    held.filter(evidence=None).update(removed_at=timezone.now(), removed_by=actor, removed_reason=UNDONE)
    return held.count()
