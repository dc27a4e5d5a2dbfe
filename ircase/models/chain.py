"""Rows that are only ever added, each holding the digest of the one before."""

import hashlib
import json
from datetime import UTC
from typing import Any, ClassVar, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.db import models

GENESIS = "0" * 64


class AppendOnlyError(ImproperlyConfigured):
    """Code tried to change or delete a row that may only be added."""


def refuse(what: str) -> NoReturn:
    """Raise AppendOnlyError."""
    raise AppendOnlyError(f"Log and custody rows are append-only: {what} is refused.")


class AppendOnlyQuerySet(models.QuerySet[Any]):
    def update(self, **kwargs: Any) -> int:
        refuse("update()")

    def delete(self) -> tuple[int, dict[str, int]]:
        refuse("delete()")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        refuse("bulk_update()")

    def bulk_create(self, *args: Any, **kwargs: Any) -> Any:
        refuse("bulk_create()")


class ChainHead(models.Model):
    """The last link of each chain. It is locked while a link is added, and shows if the newest links were cut off."""

    key = models.CharField(max_length=80, primary_key=True)
    sequence = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=GENESIS)

    def __str__(self) -> str:
        return f"{self.key} #{self.sequence}"


class ChainedRow(models.Model):
    chain = models.CharField(max_length=80, editable=False)
    sequence = models.PositiveBigIntegerField(editable=False)
    at = models.DateTimeField(editable=False)
    action = models.CharField(max_length=64, editable=False)
    actor_name = models.CharField(
        max_length=200, editable=False, help_text="As text, so that the log outlives the person."
    )
    detail = models.JSONField(default=dict, editable=False)
    previous = models.CharField(max_length=64, editable=False)
    digest = models.CharField(max_length=64, editable=False)

    objects: ClassVar[models.Manager[Any]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            refuse("save() of an existing row")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        refuse("delete()")

    def content(self) -> dict[str, Any]:
        """What the digest is made of."""
        return {
            "chain": self.chain,
            "sequence": self.sequence,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": self.action,
            "actor": self.actor_name,
            "detail": self.detail,
            "previous": self.previous,
        }

    def compute_digest(self) -> str:
        """SHA-256 over the row's canonical JSON: keys sorted, no spaces, UTF-8; docs/evidence.md has an example."""
        text = json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
