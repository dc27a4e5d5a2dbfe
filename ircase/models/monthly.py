"""Who gets the dashboard by mail each month."""

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
