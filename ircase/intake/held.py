"""The incidents that a case holds, for its pages and its report."""

from dataclasses import dataclass

from ircase.intake import syncview
from ircase.models import Case, CaseIncident


@dataclass(frozen=True)
class Held:
    """One of them. `newer`: its source has a newer version than the case took over."""

    link: CaseIncident
    rows: int
    newer: bool
    sync: syncview.SyncRow | None = None

    @property
    def merged_into(self) -> str:
        """The incident that Defender merged this one into, if it did."""
        return self.link.incoming.redirect_id if self.link.incoming else ""


def rows_of(case: Case) -> tuple[list[Held], syncview.Word]:
    """All of them, also those that were taken out, and the word on telling Defender of a confidential case."""
    found = CaseIncident.objects.filter(case=case).select_related("incoming", "added_by", "removed_by", "evidence")
    links = list(found.defer("evidence__manifest", "incoming__raw"))
    sync, word = syncview.of_case(case, links)
    return [Held(link, len(link.brought), _is_newer(link), sync.get(link.pk)) for link in links], word


def _is_newer(link: CaseIncident) -> bool:
    return (
        link.removed_at is None
        and link.incoming is not None
        and link.incoming.updated_at is not None
        and link.incoming.updated_at != link.taken_version
    )
