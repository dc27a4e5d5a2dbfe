"""Looking after the store: every file hashed again in its time, everything it lists compared with the records."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from ircase import jobs, store
from ircase.models import Case, Evidence, StoredBytes, StoreSurvey, Turn, User
from ircase.services import evidence, log
from ircase.services.vault import removal

logger = logging.getLogger(__name__)

SHIFT: Final = 60.0
"""Seconds for which one tick hashes."""

YOUNG: Final = timedelta(days=1)
"""What is younger than this may be about to get its row."""

PATIENCE: Final = timedelta(hours=1)
"""After so long a look that was asked for, and was not done, may be asked for again."""

_EARLY: Final = 0.8  # of the days: so that a month's evidence, sealed in one night, is not all due in one night
_BATCH: Final = 200
_STORED: Final = ("unchecked", "verified", "altered", "missing")


def take_turn(name: str, seconds: float) -> bool:
    """Whether this work is ours for so long; False while another worker has it."""
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    if Turn.objects.filter(name=name, until__lte=now).update(until=until):
        return True
    return Turn.objects.get_or_create(name=name, defaults={"until": until})[1]


def end_turn(name: str) -> None:
    Turn.objects.filter(name=name).update(until=timezone.now())


# --- hashing again


def stored() -> QuerySet[Any]:
    """Exhibits that are to be in the store, each with `looked_at`: when its bytes were last seen to be right."""
    return Evidence.objects.filter(integrity__in=_STORED).annotate(looked_at=Coalesce("checked_at", "sealed_at"))


def due(now: datetime | None = None) -> QuerySet[Any]:
    """What is to be hashed again, the longest ago first."""
    if not settings.REHASH_DAYS:
        return stored().none()
    before = (now or timezone.now()) - timedelta(days=settings.REHASH_DAYS * _EARLY)
    return stored().filter(looked_at__lt=before).select_related("case").order_by("looked_at", "pk")


def rehash(seconds: float = SHIFT) -> int:
    """Hash what is due for about so long, no faster than the settings allow; how many exhibits were looked at."""
    if not due().exists() or not take_turn("rehash", seconds * 5):
        return 0
    try:
        return _rehash(time.monotonic() + seconds)
    finally:
        end_turn("rehash")


def _rehash(deadline: float) -> int:
    looked = 0
    for item in list(due()[:_BATCH]):
        if time.monotonic() > deadline:
            break
        began = time.monotonic()
        try:
            _look(item)
        except store.StoreError as error:
            # That says nothing of the bytes, and the next tick tries again. One file that cannot be read, for a bad
            # sector or a key that is gone, is always the longest unseen: it may not keep the others from their turn.
            logger.warning("store.rehash_unread", extra={"exhibit": str(item.uuid), "error": str(error)})
            if not _answers():
                break
            continue
        looked += 1
        # The turn outlives a shift by far; a very large file takes what it takes.
        rest = item.size / settings.REHASH_BYTES_PER_SECOND - (time.monotonic() - began)
        time.sleep(max(0.0, min(rest, deadline - time.monotonic())))
    return looked


def _answers() -> bool:
    try:
        store.current().backend.check()
    except store.StoreError:
        return False
    return True


def _look(item: Evidence) -> None:
    found = evidence.look(item)
    if found == item.integrity:
        # Only a change is written into custody and log: a monthly look must not bury them.
        Evidence.objects.filter(pk=item.pk).update(checked_at=timezone.now())
    else:
        evidence.keep_finding(item, found, None)


# --- everything that the store lists


def ask_survey(*, actor: User, remove: bool = False) -> StoreSurvey:
    """Have a worker look at everything, and with `remove` take away what no record holds. One at a time."""
    with transaction.atomic():
        waiting = StoreSurvey.objects.filter(at=None, asked_at__gt=timezone.now() - PATIENCE).first()
        if waiting is None:
            waiting = StoreSurvey.objects.create()
            log.record("store.cleanup_asked" if remove else "store.survey_asked", actor=actor)
        jobs.enqueue("ircase.survey_store", waiting.pk, remove)
    return waiting


def survey(row: StoreSurvey, *, remove: bool = False) -> StoreSurvey:
    """Compare what the store lists with the records. What is younger than a day, or has a row, is never touched."""
    for name in ("files", "size", "encrypted", "orphans", "orphan_size", "altered", "leftovers", "removed"):
        setattr(row, name, 0)
    row.keys, row.problem = {}, ""
    try:
        _survey(row, remove)
    except store.StoreError as error:
        row.problem = str(error)
    row.at = timezone.now()
    row.save()
    if remove:
        log.record("store.cleaned_up", removed=row.removed, problem=row.problem[:300])
    return row


def _survey(row: StoreSurvey, remove: bool) -> None:
    place, keys = store.current(), Counter[str]()
    limit = timezone.now() - YOUNG
    for items in _batches(place.files()):
        needed = removal.held([item.sha256 for item in items if item.sha256])
        for item in items:
            row.size += item.entry.size
            row.files += item.kind == "file"
            row.encrypted += item.entry.name.endswith(".enc")
            row.altered += item.kind == "altered"
            if item.kind == "key":
                keys[_key_of(place, item)] += 1
            if item.kind in ("file", "key") and item.sha256 not in needed and item.entry.modified < limit:
                row.orphans += 1
                row.orphan_size += item.entry.size
                # By the same door as what is destroyed: whoever seals the same bytes meanwhile is safe.
                if remove and removal.release(item.sha256):
                    row.removed += 1
    row.keys = dict(keys)
    row.leftovers = place.backend.leftovers(limit, remove=remove)


def _batches(items: Iterable[store.Item]) -> Iterator[list[store.Item]]:
    batch: list[store.Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _key_of(place: store.Store, item: store.Item) -> str:
    try:
        return place.key_under(item.entry.name)
    except (store.StoreAltered, store.NotStored):
        return "?"


# --- what an administrator is shown


@dataclass(frozen=True)
class Picture:
    """The store at this moment. `says`: what it answers about itself, in rows; `drops_drafts`: what was half-written
    goes by itself. `faults` are the exhibits that the reader may see, `hidden_faults` how many others."""

    kind: str
    where: str
    problem: str
    free: int | None
    encrypted: bool
    key_id: str
    keys: dict[str, int]
    lock: str
    says: list[tuple[str, str]]
    drops_drafts: bool
    exhibits: int
    oldest_look: datetime | None
    overdue: int
    rehash_days: int
    faults: tuple[Evidence, ...]
    hidden_faults: int
    removals: int
    removal_problem: str
    survey: StoreSurvey | None
    waiting: bool

    @property
    def last_full_pass(self) -> datetime | None:
        """Every file was seen to be right since then."""
        return self.oldest_look


def picture(user: User) -> Picture:
    """Everything but the content of cases that the reader may not see."""
    now, rows = timezone.now(), stored()
    bad = Evidence.objects.filter(integrity__in=[Evidence.Integrity.ALTERED, Evidence.Integrity.MISSING])
    mine = bad.filter(case__in=Case.objects.visible_to(user).values("pk")).select_related("case").defer("manifest")
    seen = tuple(mine.order_by("case_id", "number")[:100])
    overdue = (
        rows.filter(looked_at__lt=now - timedelta(days=settings.REHASH_DAYS)) if settings.REHASH_DAYS else rows.none()
    )
    pending = StoredBytes.objects.filter(removing_at__isnull=False)
    last = StoreSurvey.objects.exclude(at=None).first()
    return Picture(
        **_of_the_store(),
        keys=_keys(),
        exhibits=rows.count(),
        oldest_look=rows.aggregate(first=Min("looked_at"))["first"],
        overdue=overdue.count(),
        rehash_days=settings.REHASH_DAYS,
        faults=seen,
        hidden_faults=bad.count() - mine.count(),
        removals=pending.count(),
        removal_problem=pending.exclude(problem="").values_list("problem", flat=True).first() or "",
        survey=last,
        waiting=StoreSurvey.objects.filter(at=None, asked_at__gt=now - PATIENCE).exists(),
    )


def _of_the_store() -> dict[str, Any]:
    found: dict[str, Any] = {"problem": "", "free": None, "encrypted": False, "key_id": "", "lock": "", "where": ""}
    found |= {"kind": settings.STORE, "where": store.where(), "says": [], "drops_drafts": False}
    mode, days = store.lock()
    if mode:
        found["lock"] = f"{mode.capitalize()}, {days} days"
    try:
        place = store.current()
        found |= {"encrypted": place.is_encrypted, "key_id": place.keys.current}
        found["drops_drafts"] = place.backend.drops_drafts
        place.backend.check()
        found |= {"free": place.backend.free(), "says": place.backend.says()}
    except store.StoreError as error:
        found["problem"] = str(error)
    return found


def _keys() -> dict[str, int]:
    """How many files each key wraps, as their sealing said. A re-wrapping corrects it."""
    rows = StoredBytes.objects.filter(removed_at=None).exclude(key_id="")
    return dict(rows.values_list("key_id").annotate(files=Count("pk")).order_by("key_id"))
