"""Who a text names: told once for each text, and only those who may see the case."""

from uuid import UUID

from ircase import access
from ircase.markdown import naming
from ircase.models import Case, Evidence, NoticeCode, User
from ircase.services import notices
from ircase.services.vault import looking

MOST_OFFERED = 8


def people_in(text: str, case: Case) -> list[User]:
    """Those that `text` names and who may see the case."""
    names = naming.people_in(text)
    return list(access.people_who_see(case).filter(username__in=names)) if names else []


def tell(
    *, case: Case, actor: User, before: str, after: str, subject: UUID, word: str, title: str, path: str
) -> list[User]:
    """Tell everybody whom `after` names and `before` did not, the writer left out, and have the pictures drawn that
    it shows. Those who were told or had been named before."""
    draw_pictures(case, actor, after)
    names = naming.people_in(after)
    new = [person for person in people_in(after, case) if person.username not in naming.people_in(before)]
    notices.tell(
        code=NoticeCode.MENTION, people=[one for one in new if one.pk != actor.pk], case=case,
        subject=notices.about(subject, word), title=title, path=path,
    )  # fmt: skip
    return list(access.people_who_see(case).filter(username__in=names)) if names else []


def draw_pictures(case: Case, actor: User, text: str) -> None:
    """Have a worker draw the exhibits that `text` shows, where that was not done yet."""
    numbers = naming.pictures_in(text)
    if not numbers:
        return
    for item in Evidence.objects.filter(case=case, number__in=numbers, destroyed_at=None)[:MOST_OFFERED]:
        item.case = case
        looking.ask(item, "image", actor)


def offered(case: Case, beginning: str) -> list[User]:
    """Those who may see the case and whose name or sign-in name has a word that begins so, at most MOST_OFFERED."""
    wanted = beginning.strip().lstrip("@").casefold()[:60]
    found = []
    for person in access.people_who_see(case).order_by("first_name", "last_name", "username").iterator():
        words = f"{person.name} {person.username}".casefold().split()
        if any(word.startswith(wanted) for word in words):
            found.append(person)
        if len(found) == MOST_OFFERED:
            break
    return found
