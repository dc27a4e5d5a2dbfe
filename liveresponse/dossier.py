"""What Live Response adds to an export of a case: the collections, and what was sent to each device."""

from ircase.dossier import content
from liveresponse.models import Collection, CommandLog


def register() -> None:
    """Called when Django starts."""
    content.register("collections", lambda case: Collection.objects.filter(case=case).order_by("pk"))
    content.register("commands", lambda case: CommandLog.objects.filter(collection__case=case).order_by("pk"))
