"""Who did what, when: one chain per case, and one for what belongs to no case."""

from django.conf import settings
from django.db import models

from ircase.models.cases import Case
from ircase.models.chain import ChainedRow


class LogEntry(ChainedRow):
    """`action` is a dotted code (`hunt.queued`); `detail` is JSON; `actor_name` is text beside the link."""

    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="log")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["chain", "sequence"], name="log_sequence_once")]
        indexes = [
            models.Index(fields=["case", "-at"], name="log_of_case"),
            models.Index(fields=["-at", "-id"], name="log_newest"),
            models.Index(fields=["chain", "-at"], name="log_of_chain"),
            models.Index(fields=["actor", "-at"], name="log_of_person"),
            models.Index(fields=["action", "-at"], name="log_of_action"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.action}"
