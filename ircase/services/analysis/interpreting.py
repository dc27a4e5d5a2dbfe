"""How a person wants a file of rows read: kept with the evidence, logged, and done by reading it again."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from artifacts.choices import Choice
from artifacts.shapes import Shape
from ircase.models import ParseJob, User
from ircase.services import log
from ircase.services.analysis import tables


@dataclass(frozen=True)
class Found:
    """A file of rows as it was found, and what somebody chose for it."""

    number: int
    shape: Shape
    choice: Choice | None

    @property
    def asks_zone(self) -> bool:
        """Its times name no zone, and nobody has said yet which it is."""
        return self.shape.asks_zone and not (self.choice and self.choice.zone)


def found(job: ParseJob) -> list[Found]:
    """Every file of rows of the last reading; `number` from 1."""
    chosen = {choice.member: choice for choice in choices(job)}
    shapes = [Shape.from_json(document) for document in job.shapes]
    return [Found(number, shape, chosen.get(shape.member)) for number, shape in enumerate(shapes, 1)]


def choices(job: ParseJob) -> list[Choice]:
    return [Choice.from_json(document) for document in job.choices.values()]


@transaction.atomic
def choose(*, job: ParseJob, actor: User, choice: Choice) -> ParseJob:
    """Keep the choice for one file, and have the evidence read again. The sealed bytes are not touched.

    Raises ValidationError while the evidence is being read, or where it holds no such file.
    """
    job = ParseJob.objects.select_for_update().select_related("evidence__case", "activity").get(pk=job.pk)
    if not job.is_final:
        raise ValidationError("It is being read at this moment. Wait for its end, or cancel it, then choose.")
    if choice.member not in {document["member"] for document in job.shapes}:
        raise ValidationError("The evidence holds no such file of rows.")
    job.choices = {**job.choices, choice.member: choice.to_json()}
    job.save(update_fields=["choices"])
    item = job.evidence
    said = {"zone": choice.zone, "table": choice.table, "name": choice.member}
    log.record("evidence.typed", case=item.case, actor=actor, exhibit=item.exhibit, choice=choice.to_json(), **said)
    log.record_custody(item, "interpreted", actor=actor, what=f"how {choice.member} is read", **said)
    return tables.queue_parse(evidence=item, actor=actor)
