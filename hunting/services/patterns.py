"""Which of the library's hunts a case has run: what a case opened after its pattern suggests."""

from hunting.models import HuntRun
from ircase.models import Case


def hunts_of(case: Case) -> list[str]:
    """Their ids, each once, in the order of their first runs."""
    ids = (
        HuntRun.objects.for_case(case).exclude(hunt_id="").order_by("queued_at", "pk").values_list("hunt_id", flat=True)
    )
    return list(dict.fromkeys(ids))
