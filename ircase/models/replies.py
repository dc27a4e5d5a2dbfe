"""Answers that are kept for a while, so that a request sent twice is done once."""

from django.db import models

from ircase.models.people import ApiToken


class KeptReply(models.Model):
    """What a request with an Idempotency-Key was answered.

    in progress (`status` null) -> kept (`status` set) -> gone, a day after it came. A request that failed leaves none.
    `fingerprint`: SHA-256 of method, address and body. `body` is encrypted: an answer may hold what a case holds."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="kept_reply_once")]

    def __str__(self) -> str:
        return f"{self.token_id}: {self.key[:40]}"
