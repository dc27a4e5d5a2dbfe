"""Who gets the dashboard by mail each month, and whose address is known to be their own."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class MonthlyMail(models.Model):
    """One dashboard that a person gets on the first of each month, for the month before. `asked` is the dashboard's
    query without its days; `month` is the first day of the last month that was seen to."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked = models.CharField(max_length=2000, blank=True)
    month = models.DateField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["made_at", "pk"]
        indexes = [models.Index(fields=["month"], name="monthly_mail_due")]
        constraints = [models.UniqueConstraint(fields=["person", "asked"], name="monthly_mail_once")]

    def __str__(self) -> str:
        return f"monthly dashboard of {self.person_id}"


class AddressProof(models.Model):
    """That a person reads what is sent to `email`: they typed the code that went there. Another address in their
    profile is not proved by it. `code_digest` is keyed; empty where no code is out."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="address_proof")
    email = models.EmailField(blank=True)
    proved_at = models.DateTimeField(null=True, blank=True)
    asked_for = models.EmailField(blank=True, help_text="Where the code goes.")
    asked_at = models.DateTimeField(null=True, blank=True)
    asked_today = models.PositiveSmallIntegerField(default=0)
    code_digest = models.CharField(max_length=64, blank=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"address of {self.person_id}"
