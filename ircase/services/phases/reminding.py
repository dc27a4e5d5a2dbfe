"""Beat's look at what comes near: clocks, windows and improvements, each stage told once."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from ircase.clocks import windows
from ircase.clocks.windows import Window
from ircase.models import Case, Clock, Improvement, NoticeCode, User, WindowTold
from ircase.models.clocks import share
from ircase.services import notices

STAGES = (100, 90, 50)
SOON = timedelta(days=3)
_MOST = 500


def remind() -> None:
    """Tell what is to be told now. Harmless when nothing is, and when it runs twice."""
    remind_of_clocks()
    remind_of_windows()
    remind_of_improvements()


def batched(rows: Iterable[Case], size: int) -> Iterator[list[Case]]:
    """Lists of at most `size`."""
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch


def stage_of(percent: int) -> int:
    """The last of the stages that is reached, 0 before the first."""
    return next((stage for stage in STAGES if percent >= stage), 0)


def remind_of_clocks() -> int:
    """Leads, and whoever started it; how many clocks were told of."""
    now, told = timezone.now(), 0
    for clock in Clock.objects.running().filter(told__lt=100).select_related("case", "started_by").iterator():
        stage = stage_of(share(clock.started_at, clock.due_at, now))
        if stage > clock.told:
            told += _tell_of_clock(clock, stage)
    return told


def _tell_of_clock(clock: Clock, stage: int) -> int:
    # Who marks the row tells; of two beats at once one changes nothing.
    if not Clock.objects.filter(pk=clock.pk, told=clock.told, state=Clock.State.RUNNING).update(told=stage):
        return 0
    people = notices.leads_of(clock.case) + ([clock.started_by] if clock.started_by else [])
    # A clock that was moved to another end tells again of the new one.
    subject = notices.about(clock.uuid, f"{stage} {clock.due_at.isoformat()}")
    path = reverse("ircase:clocks", args=[clock.case.reference])
    title = f"{clock.title}: {_when(stage)}"
    notices.tell(
        code=NoticeCode.CLOCK, people=people, case=clock.case, subject=subject, title=title, path=path,
        lines=[f"Due {clock.due_at:%Y-%m-%d %H:%M} UTC", clock.deliver[:300]],
    )  # fmt: skip
    return 1


def _when(stage: int) -> str:
    return "its time is over" if stage == 100 else f"{stage} % of its time is over"


def remind_of_windows() -> int:
    """The leads of open cases, of what can soon no longer be had; how many windows were told of."""
    open_cases = Case.objects.filter(closed_at=None).order_by("pk").iterator(chunk_size=_MOST)
    return sum(_remind_of_windows({case.pk: case for case in batch}) for batch in batched(open_cases, _MOST))


def _remind_of_windows(cases: dict[int, Case]) -> int:
    """A few queries for all of these cases together."""
    now, told = timezone.now(), 0
    before = {
        (case, key): stage
        for case, key, stage in WindowTold.objects.filter(case__in=cases).values_list("case", "key", "told")
    }
    for window in windows.of_cases(list(cases.values())):
        stage = stage_of(share(window.starts_at, window.due_at, now))
        if stage > before.get((window.case_id, window.key), 0):
            _tell_of_window(cases[window.case_id], window, stage)
            told += 1
    return told


def _tell_of_window(case: Case, window: Window, stage: int) -> None:
    WindowTold.objects.update_or_create(case=case, key=window.key, defaults={"told": stage})
    notices.tell(
        code=NoticeCode.CLOCK,
        people=notices.leads_of(case),
        case=case,
        subject=notices.about(case.uuid, f"window {window.key} {stage}"),
        title=f"{window.title}: {_when(stage)}",
        path=window.url(case),
        lines=[window.text],
    )


def remind_of_improvements() -> int:
    """The owner, three days before the day and once when it has passed; how many were told of."""
    soon, told = timezone.localdate() + SOON, 0
    open_ones = Improvement.objects.filter(state__in=[Improvement.State.OPEN, Improvement.State.DOING])
    due = open_ones.filter(due_on__lte=soon, owner__isnull=False).filter(
        Q(reminded_for=None) | ~Q(reminded_for=F("due_on"))
    )
    for item in due.select_related("case", "owner")[:_MOST]:
        Improvement.objects.filter(pk=item.pk).update(reminded_for=item.due_on)
        told += _tell_owner(item, item.owner)
    return told


def _tell_owner(item: Improvement, owner: User | None) -> int:
    if owner is None:
        return 0
    return notices.tell(
        code=NoticeCode.DUE,
        people=[owner],
        case=item.case,
        subject=notices.about(item.uuid, f"due {item.due_on}"),
        title=f"An improvement of yours is due {item.due_on}: {item.title}",
        path=reverse("ircase:improvement", args=[item.uuid]),
    )
