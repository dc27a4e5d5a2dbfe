"""What a source says it holds: its tables with their columns, as read from it."""

from django.db import models
from django.utils import timezone

from hunting.models.runs import Source
from ircase.models import Connection


class SourceSchema(models.Model):
    """The tables of one place (a database, a workspace) as they were at `read_at`.

    `asked_at` after `read_at` means that a worker is to read them again. `problem` says why the last reading failed;
    what was read before it stands.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="schemas")
    source = models.CharField(max_length=16, choices=Source.choices)
    place = models.CharField(max_length=260)
    tables = models.JSONField(default=list, help_text='[{"name", "about", "columns": [["Timestamp", "datetime"], …]}]')
    asked_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["connection", "source", "place"]
        constraints = [models.UniqueConstraint(fields=["connection", "source", "place"], name="schema_of_a_place_once")]

    def __str__(self) -> str:
        return f"schema of {self.source} {self.place}"

    @property
    def is_asked(self) -> bool:
        """Whether a worker is still to read it."""
        return not self.problem and (self.read_at is None or self.asked_at > self.read_at)
