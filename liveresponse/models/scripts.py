"""The files of a tenant's Live Response library."""

from django.db import models
from django.utils import timezone

from ircase.models import Connection


class LibraryScript(models.Model):
    """A file of a tenant's Live Response library as it was last read. Approval binds to `sha256`."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="library_scripts")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, blank=True)
    description = models.TextField(blank=True)
    parameters = models.TextField(blank=True)
    created_by = models.CharField(max_length=255, blank=True)
    updated_in_tenant = models.CharField(max_length=40, blank=True, help_text="As the tenant writes it, in UTC.")
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="script_once_per_connection")]

    def __str__(self) -> str:
        return self.name
