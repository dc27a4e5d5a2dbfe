"""Who holds a file of the store, and how one goes that nobody holds: never between a sealing's file and its row.

The same bytes may be evidence of several cases, which know nothing of each other. Each row holds them for itself, and
they go with the last. Sealing and removing meet at one row per file (`StoredBytes`): a sealing that finds a removal
under way, or one that ended after its file was written, is told to write the file again.
"""

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from ircase import store
from ircase.models import Evidence, StoredBytes

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=15)
_MARGIN: Final = timedelta(seconds=5)  # by which the clocks of two machines may differ
_AGAIN: Final = timedelta(hours=1)
Holder = Callable[[Collection[str]], set[str]]
_holders: dict[str, Holder] = {}


def register_holder(name: str, holder: Holder) -> None:
    """An app above keeps files in the store too: of the hashes it is given, `holder` returns those it still needs."""
    _holders[name] = holder


def held(hashes: Collection[str]) -> set[str]:
    """Which of these files a record still needs."""
    rows = Evidence.objects.filter(sha256__in=hashes).exclude(integrity=Evidence.Integrity.DESTROYED)
    found = set(rows.values_list("sha256", flat=True).distinct())
    for holder in _holders.values():
        found |= holder(hashes)
    return found


@transaction.atomic
def claim(stored: store.Stored) -> None:
    """Make sure that the bytes are still there when the row that holds them is committed. Raises StoreError."""
    row = _locked(stored.sha256)
    touched = max((moment for moment in (row.busy_until, row.removed_at) if moment), default=None)
    if touched is not None and (stored.at is None or stored.at <= touched + _MARGIN):
        raise store.StoreError(
            "The evidence store is being tidied at this moment. Nothing was sealed; retry in a minute."
        )
    row.removing_at = row.busy_until = row.removed_at = row.try_after = None
    row.problem, row.key_id = "", stored.key
    row.save()


def _locked(sha256: str) -> StoredBytes:
    StoredBytes.objects.get_or_create(sha256=sha256)
    return StoredBytes.objects.select_for_update().get(sha256=sha256)


def release(sha256: str) -> bool:
    """Let the bytes go if no record holds them any more; True when they are gone. No person is told which."""
    with transaction.atomic():
        row = _locked(sha256)
        if held([sha256]):
            return False
        row.removing_at, row.try_after = timezone.now(), None
        row.save(update_fields=["removing_at", "try_after"])
    return remove(sha256)


def remove(sha256: str) -> bool:
    """Remove one file that is to go; True when it is gone. What the store refuses now is tried again by `tidy`."""
    if not _begin(sha256):
        return False
    try:
        store.delete(sha256)
    except store.StoreLocked as error:
        _postpone(sha256, error, error.until)
        return False
    except store.StoreError as error:
        _postpone(sha256, error, None)
        return False
    StoredBytes.objects.filter(sha256=sha256).update(
        removing_at=None, busy_until=None, try_after=None, removed_at=timezone.now(), problem=""
    )
    logger.info("store.removed", extra={"sha256": sha256})
    return True


@transaction.atomic
def _begin(sha256: str) -> bool:
    row, now = _locked(sha256), timezone.now()
    if row.removing_at is None or (row.busy_until and row.busy_until > now):
        return False
    if held([sha256]):
        row.removing_at = None
        row.save(update_fields=["removing_at"])
        return False
    row.busy_until = now + LEASE
    row.save(update_fields=["busy_until"])
    return True


def _postpone(sha256: str, error: store.StoreError, until: object) -> None:
    logger.warning("store.not_removed", extra={"sha256": sha256, "error": str(error)})
    now = timezone.now()
    StoredBytes.objects.filter(sha256=sha256).update(
        busy_until=None, removed_at=now, problem=str(error)[:300], try_after=until or now + _AGAIN
    )


def tidy() -> None:
    """The clock's tick: removals that a dead worker, a lock or a store that was away left open."""
    now = timezone.now()
    open_ones = StoredBytes.objects.filter(removing_at__isnull=False).exclude(try_after__gt=now)
    for sha256 in open_ones.exclude(busy_until__gt=now).values_list("sha256", flat=True)[:20]:
        remove(sha256)
