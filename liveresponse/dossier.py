"""What Live Response adds to an export of a case: what was collected, what was done, and what was sent for it."""

from ircase.dossier import content
from liveresponse.models import (
    ActionLog,
    ActionRecord,
    Batch,
    Collection,
    CommandLog,
    FileAnalysis,
    Lookup,
    ResponseAction,
)


def register() -> None:
    """Called when Django starts."""
    content.register("collections", lambda case: Collection.objects.filter(case=case).order_by("pk"))
    content.register("commands", lambda case: CommandLog.objects.filter(collection__case=case).order_by("pk"))
    content.register("collection_batches", lambda case: Batch.objects.filter(case=case).order_by("pk"))
    content.register("file_analyses", lambda case: FileAnalysis.objects.filter(evidence__case=case).order_by("pk"))
    content.register("lookups", lambda case: Lookup.objects.filter(case=case).order_by("pk"))
    content.register("response_actions", lambda case: ResponseAction.objects.filter(case=case).order_by("pk"))
    content.register("response_action_log", lambda case: ActionLog.objects.filter(action__case=case).order_by("pk"))
    content.register("machine_actions", lambda case: ActionRecord.objects.filter(in_cases__case=case).order_by("pk"))
