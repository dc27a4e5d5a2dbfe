"""The words of a message that leaves IRCase: what it is about, or no more than that something waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from ircase.models import MONTHLY, Case, Delivery, NoticeCode
from ircase.models.cases import CaseQuerySet

BARE = "Something in a case of yours waits"


@dataclass(frozen=True)
class Word:
    """One piece of news as it may be told outside. `case` is "" and `title` says nothing where the case is
    confidential and its lead has not allowed more."""

    code: str
    label: str
    at: datetime
    case: str
    title: str
    url: str
    lines: Sequence[str] = ()

    @property
    def bare(self) -> bool:
        return not self.case


def absolute(path: str) -> str:
    return settings.PUBLIC_URL.rstrip("/") + path


def may_name(case: Case) -> bool:
    """Whether a message about `case` may say what it is about. Reads `case.telling`."""
    return not case.confidential or (hasattr(case, "telling") and case.telling.names)


def namable(cases: CaseQuerySet) -> CaseQuerySet:
    """Those of `cases` that `may_name` allows, in the database."""
    found: CaseQuerySet = cases.filter(Q(confidential=False) | Q(telling__names=True))
    return found


def of(delivery: Delivery) -> Word:
    """What may be said of it now."""
    if delivery.case is None:
        return Word(MONTHLY, "Monthly dashboard", delivery.at, "", delivery.title, absolute(delivery.path))
    if not may_name(delivery.case):
        # Neither the code nor an address of the case: what kind of thing happens there is told inside.
        return Word("waits", "News", delivery.at, "", BARE, absolute(reverse("ircase:notices")))
    lines = tuple(str(line) for line in delivery.notice.lines[:5]) if delivery.notice else ()
    label = NoticeCode(delivery.code).label
    case = delivery.case.reference
    return Word(delivery.code, label, delivery.at, case, delivery.title, absolute(delivery.path), lines)
