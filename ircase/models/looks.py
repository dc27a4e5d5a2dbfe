"""Who looked at a case, and when: at most one row for a person, a case and an hour."""

from django.conf import settings
from django.db import models

from ircase.models.cases import Case
from ircase.models.chain import ChainedRow


class CaseLook(ChainedRow):
    """All of them are one chain, `looks`: who looked is told apart from what was done."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="looks")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    hour = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="look_sequence_once"),
            models.UniqueConstraint(fields=["case", "actor", "hour"], name="look_once_an_hour"),
        ]
        indexes = [
            models.Index(fields=["-at", "-id"], name="look_newest"),
            models.Index(fields=["case", "-at"], name="look_of_case"),
            models.Index(fields=["actor", "-at"], name="look_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.case_id}"
