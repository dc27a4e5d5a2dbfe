"""What stands for a name of a case in its masked documents."""

from django.db import models

from ircase.models.cases import Case


class Alias(models.Model):
    """`key`, in lower case, is written as `kind` and `number`. A row is never changed or reused, so that a name has one
    word in every document of the case; several keys of one host or account share a number."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="aliases")
    kind = models.CharField(max_length=8)
    key = models.CharField(max_length=320)
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["kind", "number", "pk"]
        constraints = [models.UniqueConstraint(fields=["case", "kind", "key"], name="alias_once")]

    def __str__(self) -> str:
        return f"{self.kind}-{self.number:02d}"
