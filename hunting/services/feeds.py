"""Feeds that `externaldata` may read: allowed by administrators, fetched by the worker, kept with date and hash."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting import fetching
from hunting.feedfiles import FeedBroken, FeedFile, unpacked_bytes
from hunting.fetching import FetchError, Rules, fetched, shown
from hunting.models import Feed, FeedFetch
from ircase import jobs, store
from ircase.models import User
from ircase.services import log
from ircase.services.vault import removal
from ircase.store import Stored, put

logger = logging.getLogger(__name__)

MOST_MEGABYTES: Final = 200
MOST_HOURS: Final = 24 * 365
"""What may be allowed of a feed: its size, and how long a copy of it may serve."""


class FeedUnavailable(Exception):
    """An allowed feed's file is not at hand, and could not be fetched. The message says why."""


@dataclass(frozen=True)
class Copy:
    """A file at hand. `stale`: why it is older than the feed wants it; "" where it is not."""

    feed: Feed
    fetch: FeedFetch
    stale: str = ""

    @property
    def file(self) -> FeedFile:
        path = store.local_path(self.fetch.sha256)
        return FeedFile(path, self.fetch.address, self.feed.format, self.feed.max_bytes)

    def as_json(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "address": shown(self.fetch.address),
            "feed": shown(self.feed.address),
            "sha256": self.fetch.sha256,
            "bytes": self.fetch.bytes,
            "fetched_at": self.fetch.at.isoformat(),
            "stale": self.stale,
        }


@transaction.atomic
def save_feed(*, feed: Feed, actor: User) -> Feed:
    """Allow an address, or change what is allowed. Raises ValidationError."""
    feed.address = feed.address.strip()
    if problem := fetching.problem_of(feed.address, loopback=settings.FEEDS_MAY_USE_LOOPBACK):
        raise ValidationError({"address": problem})
    parts = urlsplit(feed.address)
    if feed.is_prefix and (parts.query or not parts.path.endswith("/")):
        raise ValidationError({"address": "What stands for everything below it ends with a slash."})
    new = feed.pk is None
    feed.allowed_by, feed.allowed_at = actor, timezone.now()
    feed.full_clean()
    feed.save()
    log.record(
        "feed.allowed" if new else "feed.changed",
        actor=actor,
        address=shown(feed.address),
        prefix=feed.is_prefix,
        enabled=feed.enabled,
        max_bytes=feed.max_bytes,
        refresh_hours=feed.refresh_hours,
        why=feed.why,
    )
    if feed.enabled and not feed.is_prefix:
        _ask(feed)
    return feed


@transaction.atomic
def ask_fetch(*, feed: Feed, actor: User) -> None:
    """Have a worker fetch it now. Raises ValidationError."""
    if not feed.enabled:
        raise ValidationError("The feed is switched off. Allow it again before it is fetched.")
    if feed.is_prefix and not feed.fetches.exists():
        raise ValidationError("No query has read anything below this address yet.")
    log.record("feed.fetch_asked", actor=actor, address=shown(feed.address))
    _ask(feed)


def _ask(feed: Feed) -> None:
    feed.fetch_asked_at = timezone.now()
    feed.save(update_fields=["fetch_asked_at"])
    jobs.enqueue("hunting.fetch_feeds")


def feed_for(address: str) -> Feed | None:
    """The enabled feed that allows an address: the address itself, else the longest one above it."""
    if fetching.problem_of(address, loopback=settings.FEEDS_MAY_USE_LOOPBACK):
        return None
    enabled = list(Feed.objects.enabled())
    for feed in enabled:
        if not feed.is_prefix and feed.address == address:
            return feed
    above = [feed for feed in enabled if feed.is_prefix and _is_below(address, feed.address)]
    return max(above, key=lambda feed: len(feed.address), default=None)


def _is_below(address: str, prefix: str) -> bool:
    """Compared as servers read it: a path that climbs, plainly or encoded, is below nothing."""
    one, other = urlsplit(address), urlsplit(prefix)
    path = unquote(unquote(one.path))
    if "\\" in path or ".." in path.split("/"):
        return False
    same = (one.scheme, one.netloc.lower()) == (other.scheme, other.netloc.lower())
    return same and one.path.startswith(other.path) and path.startswith(unquote(other.path))


def why_not(address: str) -> str:
    """Why `externaldata` does not read an address; "" where it does."""
    if feed_for(address) is not None:
        return ""
    if problem := fetching.problem_of(address, loopback=settings.FEEDS_MAY_USE_LOOPBACK):
        return problem
    if Feed.objects.filter(address=address, enabled=False).exists():
        return "the feed is switched off."
    return "it is no feed that an administrator has allowed."


def copy_of(feed: Feed, address: str) -> Copy:
    """The file of an address: the one at hand while it is fresh, else fetched now; an older one where that fails.

    Only the worker calls this. Raises FeedUnavailable.
    """
    kept = feed.fetches.filter(address=address).exclude(sha256="").first()
    if kept is not None and not store.exists(kept.sha256):
        kept = None
    if kept is not None and timezone.now() - kept.at < timedelta(hours=feed.refresh_hours):
        return Copy(feed, kept)
    new = fetch(feed, address)
    if new.sha256:
        return Copy(feed, new)
    if kept is not None:
        return Copy(feed, kept, stale=new.error)
    raise FeedUnavailable(new.error)


def fetch(feed: Feed, address: str) -> FeedFetch:
    """Fetch an address now and keep what came, or why nothing did. Only the worker calls this; no transaction is open
    while it waits."""
    stored = Stored("", 0)
    try:
        stored = _fetched(feed, address)
        row = FeedFetch(feed=feed, address=address, sha256=stored.sha256, bytes=stored.size)
    except (FetchError, FeedBroken) as error:
        row = FeedFetch(feed=feed, address=address, error=str(error)[:500])
    with transaction.atomic():
        if row.sha256:
            removal.claim(stored)
        row.save()
    logger.info("feed.fetched", extra={"feed": feed.pk, "bytes": row.bytes, "sha256": row.sha256, "error": row.error})
    return row


def _fetched(feed: Feed, address: str) -> Stored:
    hosts = frozenset((urlsplit(each).hostname or "").lower() for each in _addresses())
    rules = Rules(hosts, feed.max_bytes, loopback=settings.FEEDS_MAY_USE_LOOPBACK)
    with fetched(address, rules) as chunks:
        stored = put(chunks)
    with store.local(stored.sha256) as path:
        unpacked_bytes(path, feed.max_bytes)
    return stored


def _addresses() -> list[str]:
    return list(Feed.objects.enabled().values_list("address", flat=True))


def remind() -> None:
    """The clock's tick: what people asked for is not forgotten with a lost message."""
    if Feed.objects.asked_for().exists():
        jobs.enqueue("hunting.fetch_feeds")


def fetch_asked() -> None:
    """What people asked to have fetched: the feed's own address, or what queries read below it."""
    for feed in Feed.objects.asked_for():
        # Taken first, so that two workers do not fetch the same; a worker that dies leaves the next query to fetch it.
        if not Feed.objects.filter(pk=feed.pk, fetch_asked_at=feed.fetch_asked_at).update(fetch_asked_at=None):
            continue
        read = list(feed.fetches.order_by("address").values_list("address", flat=True).distinct()[:50])
        for address in read if feed.is_prefix else [feed.address]:
            fetch(feed, address)
