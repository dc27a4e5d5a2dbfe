"""The kill switch: while a row of it stands, nothing that changes a tenant goes out."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ircase.models import Connection


class FreezeQuerySet(models.QuerySet["Freeze"]):
    def standing(self) -> Self:
        return self.filter(thawed_at=None)

    def over(self, connection: Connection) -> Self:
        """Those that hold a connection: its own and the site's."""
        return self.standing().filter(Q(connection=connection) | Q(connection=None))


class Freeze(models.Model):
    """One freeze, of the whole site or of one connection. An administrator thaws; or two leads, the first of whom is
    kept in `thaw_asked_by` until the second agrees."""

    scope = models.CharField(max_length=32, editable=False, help_text="'site', or the connection's primary key.")
    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.CASCADE, related_name="freezes", help_text="None: the site."
    )
    reason = models.TextField()
    frozen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    frozen_at = models.DateTimeField(default=timezone.now)
    thaw_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    thaw_asked_at = models.DateTimeField(null=True, blank=True)
    thawed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    thawed_at = models.DateTimeField(null=True, blank=True)
    thaw_reason = models.TextField(blank=True)

    objects = FreezeQuerySet.as_manager()

    class Meta:
        ordering = ["-frozen_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["scope"], condition=Q(thawed_at=None), name="frozen_once_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.what}: {'thawed' if self.thawed_at else 'frozen'}"

    @property
    def what(self) -> str:
        return self.connection.name if self.connection else "Everything"
