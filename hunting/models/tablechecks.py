"""Whether a tenant's tables have rows, asked of it by a worker."""

from django.db import models
from django.utils import timezone

from hunting.models.runs import Source
from ircase.models import Connection


class TableCheck(models.Model):
    """One table of one source. `next_at`: when it is to be asked (again); whoever moves it asks. `problem` is what was
    answered instead of a number; `row_count` is then of the last answer."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="table_checks")
    source = models.CharField(max_length=16, choices=Source.choices)
    table = models.CharField(max_length=128)
    days = models.PositiveSmallIntegerField(default=7, help_text="How far back it was counted.")
    row_count = models.PositiveBigIntegerField(null=True, blank=True)
    newest_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)
    next_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["source", "table"]
        constraints = [models.UniqueConstraint(fields=["connection", "source", "table"], name="table_check_once")]
        indexes = [models.Index(fields=["next_at"], name="table_check_due")]

    def __str__(self) -> str:
        return f"{self.table} on {self.source}"

    @property
    def has_rows(self) -> bool | None:
        """None while nobody has asked."""
        if self.checked_at is None:
            return None
        return not self.problem and bool(self.row_count)
