"""A dashboard's file on its way by mail: whether it may go, whether it must be made anew, and what the letter says.

What leaves counts no confidential case, unless its lead lets it be named outside; the file itself goes to an address
that is confirmed to be its reader's own, and to nobody else.
"""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from ircase import jobs
from ircase.metrics import counted
from ircase.models import Case, Channel, DashboardFile, Delivery, JobState, NoticeSettings, User
from ircase.outgoing import NotReached
from ircase.services import log
from ircase.services.managing import papers
from ircase.services.telling import outbox
from ircase.store import digest_of
from ircase.telling import letters
from ircase.telling.words import Word, absolute, namable

TASK: Final = "ircase.make_dashboard_file"
MOST_BYTES: Final = 15 * 1024 * 1024
"""Mail servers commonly take 20 to 25 MB, and base64 makes a third more of it."""
_SOON: Final = timedelta(minutes=1)


def may_have(person: User) -> bool:
    """Managers, and who stands above them."""
    return person.is_active and person.site_role in (User.SiteRole.MANAGER, User.SiteRole.ADMINISTRATOR)


def seen_by(person: User) -> str:
    """A digest of the cases that a file for `person` is counted over."""
    cases = namable(counted(Case.objects.visible_to(person))).order_by("pk").values_list("pk", flat=True).distinct()
    return hashlib.sha256(",".join(map(str, cases)).encode()).hexdigest()


def reason_against(row: Delivery) -> str:
    """Why it must not go, a sentence; "" where it may."""
    person, file = row.person, row.file
    assert person is not None and file is not None
    if not may_have(person):
        return "They are no manager with an account in use any more."
    if file.monthly is None:
        return "They stopped it."
    chosen = NoticeSettings.objects.filter(person=person).first() or NoticeSettings(person=person)
    if not outbox.can_be_told(person, chosen, Channel.MAIL):
        return "They have no confirmed address any more."
    return ""


def wait_for(file: DashboardFile, now: datetime) -> datetime:
    """`now` where there is nothing to wait for, else when to look again. A file over other cases than its reader may
    see now is made anew."""
    if file.state == JobState.DONE and (file.seen != seen_by(file.requested_by) or not _is_whole(file)):
        make_again(file)
        return now + _SOON
    return now if file.is_final else now + _SOON


def make_again(file: DashboardFile) -> None:
    final = DashboardFile.objects.filter(pk=file.pk, state__in=(JobState.DONE, JobState.FAILED, JobState.CANCELLED))
    if final.update(state=JobState.QUEUED, sha256="", seen="", not_before=None, cancel_requested=False):
        jobs.enqueue(TASK, file.pk)


def hurry(file: DashboardFile) -> None:
    """It was made: what waits for it is due. A letter that was tried already keeps its own time."""
    if file.mailed:
        waiting = Delivery.objects.filter(file=file, state=Delivery.State.WAITING, attempts=0)
        if waiting.update(next_at=timezone.now()):
            jobs.enqueue(outbox.TASK)


def letter(row: Delivery) -> EmailMultiAlternatives:
    """Raises NotReached where the file could not be made; it is tried again with the letter."""
    person, file = row.person, row.file
    assert person is not None and file is not None
    if file.state != JobState.DONE:
        make_again(file)
        raise NotReached(f"The PDF could not be made: {file.reason or file.get_state_display()}")
    fits = file.size <= MOST_BYTES
    title = f"{row.title} is attached" if fits else f"{row.title} waits for you in IRCase: it is too big to be attached"
    word = Word(row.code, "Monthly dashboard", row.at, "", title, absolute(row.path))
    made = letters.letter(person.email, person.name, [word], str(row.uuid))
    made.subject = f"IRCase: {row.title}"
    if fits:
        made.attach(f"ircase_{_slug(row.title)}.pdf", _path(file).read_bytes(), "application/pdf")
    return made


def note_sent(row: Delivery, made: EmailMultiAlternatives) -> None:
    assert row.file is not None
    attached = bool(made.attachments)
    log.record("dashboard.mailed", actor=row.person, title=row.title, attached=attached, sha256=row.file.sha256)


def _path(file: DashboardFile) -> Path:
    return papers.folder_of(file) / "dashboard.pdf"


def _is_whole(file: DashboardFile) -> bool:
    path = _path(file)
    return bool(file.sha256) and path.is_file() and digest_of(path) == file.sha256


def _slug(title: str) -> str:
    return "_".join(word for word in title.lower().removeprefix("your ").split() if word != "of")
