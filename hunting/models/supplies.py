"""What queries on a case's own tables are given beside them: feeds, file profiles, a database of places."""

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from ircase.models import Connection
from kql.syntax.outside import FEED_FORMATS

MEGABYTE = 2**20


class FeedQuerySet(models.QuerySet["Feed"]):
    def enabled(self) -> Self:
        return self.filter(enabled=True)

    def asked_for(self) -> Self:
        """A person wants these fetched now."""
        return self.enabled().filter(fetch_asked_at__isnull=False)

    def with_last(self) -> Self:
        """Each with its last fetch: `last_at`, `last_sha256`, `last_bytes`, `last_error`; None where there was none."""
        newest = FeedFetch.objects.filter(feed=OuterRef("pk"))
        columns = ("at", "sha256", "bytes", "error")
        return self.annotate(**{f"last_{name}": Subquery(newest.values(name)[:1]) for name in columns})


class Feed(models.Model):
    """An address that `externaldata` may read: itself, or with `is_prefix` everything below it.

    `format` is for queries that name none. `max_bytes` is for the file as it comes and as it unpacks. Only the worker
    fetches it.
    """

    address = models.CharField(max_length=1000, unique=True)
    is_prefix = models.BooleanField(default=False)
    format = models.CharField(max_length=16, blank=True, choices=[(name, name) for name in FEED_FORMATS])
    max_bytes = models.PositiveBigIntegerField(default=20 * MEGABYTE)
    refresh_hours = models.PositiveIntegerField(default=24)
    enabled = models.BooleanField(default=True)
    why = models.CharField(max_length=500, blank=True)
    allowed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    allowed_at = models.DateTimeField(default=timezone.now)
    fetch_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = FeedQuerySet.as_manager()

    class Meta:
        ordering = ["address"]

    def __str__(self) -> str:
        return self.address


class FeedFetch(models.Model):
    """One try to fetch an address of a feed: what came, kept in the store under its SHA-256, or why nothing did."""

    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="fetches")
    address = models.CharField(max_length=2000)
    at = models.DateTimeField(default=timezone.now)
    sha256 = models.CharField(max_length=64, blank=True)
    bytes = models.PositiveBigIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["feed", "-at"], name="fetch_of_feed")]

    def __str__(self) -> str:
        return f"{self.address} at {self.at:%Y-%m-%d %H:%M}"


class KnownFile(models.Model):
    """What a tenant's Defender said of a file, kept for a while. `found` False: it knows no such file.

    `profile` has the columns of kql.PROFILE_COLUMNS.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="known_files")
    hash = models.CharField(max_length=64, help_text="As it was asked for: SHA-1 or SHA-256, lower case.")
    found = models.BooleanField()
    profile = models.JSONField(default=dict, blank=True)
    fetched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "hash"], name="known_file_once")]

    def __str__(self) -> str:
        return self.hash


class _Installed(models.Model):
    """A file that administrators supply. The newest one that was not withdrawn is used."""

    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class PlacesFile(_Installed):
    """A MaxMind database: `kind` and `built_at` are its own words."""

    kind = models.CharField(max_length=100)
    built_at = models.DateTimeField()

    @property
    def is_old(self) -> bool:
        """Places of addresses change; a database of two months is no longer to be trusted."""
        return timezone.now() - self.built_at > timedelta(days=60)


class ProfilesFile(_Installed):
    """A CSV of file profiles, for all cases: the columns of kql.PROFILE_COLUMNS, of which SHA1 or SHA256 is needed."""
