"""What Live Response leaves open on a case: devices that are still isolated, and work that offline devices hold up."""

from collections.abc import Sequence

from django.db.models import Count, Exists, Min, OuterRef

from ircase.clocks.windows import Window
from ircase.models import Case
from ircase.services.casework.closing import Finding
from liveresponse.models import ActionKind, Collection, Effect, ResponseAction

_NAMED = 8


def isolated_devices(case: Case) -> list[str]:
    """Names of devices that this case isolated and nobody has released since."""
    released = ResponseAction.objects.filter(
        case=case, kind=ActionKind.RELEASE, state="done", target=OuterRef("target"), ended_at__gt=OuterRef("ended_at")
    )
    acts = ResponseAction.objects.filter(case=case, kind=ActionKind.ISOLATE, state="done")
    found = acts.exclude(effect=Effect.REVERSED).exclude(Exists(released)).order_by("target")
    return list(dict.fromkeys(found.values_list("target", flat=True)))


def isolated(case: Case) -> list[Finding]:
    """For the check before a close."""
    names = isolated_devices(case)
    if not names:
        return []
    shown = tuple(names[:_NAMED]) + ((f"and {len(names) - _NAMED} more",) if len(names) > _NAMED else ())
    words = "Devices are still isolated: release them, or say who will."
    return [Finding("isolated", False, words, shown, "liveresponse:actions")]


def windows(cases: Sequence[Case]) -> list[Window]:
    """Of each case with collections that have not ended, the first that will be given up: one query for all."""
    waiting = Collection.objects.filter(case__in=[case.pk for case in cases]).exclude(state__in=Collection.FINAL)
    found = (
        waiting.order_by().values("case").annotate(number=Count("pk"), first=Min("requested_at"), due=Min("deadline"))
    )
    return [
        Window(
            case_id=row["case"],
            key=f"liveresponse-queue {row['due']:%Y-%m-%dT%H:%M}",
            title=f"Live Response waits for {row['number']} device{'' if row['number'] == 1 else 's'}",
            text="Collections on devices that do not answer are given up then. Bring the devices online, or ask again.",
            starts_at=row["first"],
            due_at=row["due"],
            url_name="liveresponse:panel",
            action="See the collections",
        )
        for row in found
    ]
