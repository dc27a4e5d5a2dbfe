"""What waits for a second person: heard of again, should the message of the decision be lost."""

from ircase.services import approvals
from liveresponse.models import ActionState, Batch, BatchState, Collection, CollectionState, ResponseAction


def unheard() -> list[tuple[str, str]]:
    """Task and subject of each decision that those who wait for it have not heard of."""
    waiting = {
        *ResponseAction.objects.filter(state=ActionState.REQUESTED).values_list("batch", flat=True),
        *Collection.objects.filter(state=CollectionState.REQUESTED, batch=None).values_list("uuid", flat=True),
        *Batch.objects.filter(state=BatchState.REQUESTED).values_list("uuid", flat=True),
    }
    return [(one.task, str(one.subject)) for one in approvals.unheard(waiting)] if waiting else []
