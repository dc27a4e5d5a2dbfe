"""What is told when a case moves, closes or opens again, and when somebody comes onto it."""

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import Case, CaseMember, NoticeCode, User
from ircase.services import notices


def moved(*, case: Case, actor: User, title: str, why: str) -> None:
    """The case's people, and whoever follows every case that they may read; not the one who moved it."""
    moment = timezone.now().isoformat()
    notices.tell(
        code=NoticeCode.PHASE,
        people=[*notices.members_of(case, but=actor), *_followers(case, actor)],
        case=case,
        subject=notices.about(case.uuid, f"moved {moment}"),
        title=f"{title}: {case.title}",
        path=reverse("ircase:case", args=[case.reference]),
        lines=[why.strip()[:500]] if why.strip() else [],
    )


def _followers(case: Case, actor: User) -> list[User]:
    """Managers, unless they said otherwise, and who asked for it."""
    if case.confidential or case.exercise:
        return []
    usual = Q(notice_settings=None, site_role=User.SiteRole.MANAGER)
    readers = access.people_who_see(case).filter(usual | Q(notice_settings__every_case=True))
    return list(readers.exclude(pk=actor.pk))


def added(*, member: CaseMember, actor: User) -> None:
    case, role = member.case, member.get_role_display().lower()
    notices.tell(
        code=NoticeCode.ASSIGNMENT,
        people=[member.user],
        case=case,
        subject=notices.about(case.uuid, f"member {member.pk} {member.added_at.isoformat()}"),
        title=f"{actor.name} put you on {case.reference} as {role}: {case.title}",
        path=reverse("ircase:case", args=[case.reference]),
    )


def joined(*, member: CaseMember, reason: str) -> None:
    """An administrator came onto the case by themselves: its leads hear of it at once, whatever they muted."""
    case = member.case
    notices.tell(
        code=NoticeCode.ALARM,
        people=notices.leads_of(case),
        case=case,
        subject=notices.about(case.uuid, f"joined {member.pk} {member.added_at.isoformat()}"),
        title=f"{member.user.name}, an administrator, joined {case.reference}",
        path=reverse("ircase:case_access", args=[case.reference]),
        lines=[reason.strip()[:500]],
    )
