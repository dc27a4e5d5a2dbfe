"""Teams, and what they let their people do on cases.

`CaseMember.role` is what access asks everywhere. Here it is worked out anew whenever a person's own role, a team's role
or a team's people change, in the same transaction: there is one truth about who may do what, and it is a plain row."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from uuid import uuid5

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.models import AccessReview, Case, CaseMember, CaseRole, CaseTeam, NoticeCode, Team, TeamMember, User
from ircase.services import log, notices

_RANK: Final = {role: rank for rank, role in enumerate(CaseRole.values)}


@transaction.atomic
def settle(*, cases: Iterable[int] | None = None, users: Iterable[int] | None = None) -> None:
    """Work out `CaseMember.role` of these people on these cases (None: all) from their own and their teams' roles."""
    links, members = CaseTeam.objects.all(), CaseMember.objects.select_related("user")
    people = TeamMember.objects.filter(user__is_active=True).select_related("user")
    if cases is not None:
        wanted = list(cases)
        links, members = links.filter(case__in=wanted), members.filter(case__in=wanted)
    if users is not None:
        who = list(users)
        people, members = people.filter(user__in=who), members.filter(user__in=who)
    given = _given(links.values_list("case", "team", "role"), people)
    _write({(row.case_id, row.user_id): row for row in members}, given)


def _given(links: Iterable[tuple[int, int, str]], people: Iterable[TeamMember]) -> dict[tuple[int, int], str]:
    """(case, person) -> the highest role that teams give. Administrators come into a case with a reason, never by a
    team; a manager reads."""
    of_team: dict[int, list[User]] = defaultdict(list)
    for person in people:
        if not person.user.administers:
            of_team[person.team_id].append(person.user)
    found: dict[tuple[int, int], str] = {}
    for case, team, role in links:
        for user in of_team[team]:
            key = (case, user.pk)
            found[key] = _higher(found.get(key, ""), _within(user, role))
    return found


def _within(user: User, role: str) -> str:
    return CaseRole.VIEWER if role and user.site_role == User.SiteRole.MANAGER else role


def _higher(one: str, other: str) -> str:
    return max(one, other, key=lambda role: _RANK.get(role, -1))


def _write(rows: dict[tuple[int, int], CaseMember], given: dict[tuple[int, int], str]) -> None:
    changed, gone = [], []
    for key, row in rows.items():
        role = _higher(_within(row.user, row.own_role), given.pop(key, ""))
        if not role:
            gone.append(row.pk)
        elif role != row.role:
            row.role = role
            changed.append(row)
    CaseMember.objects.filter(pk__in=gone).delete()
    CaseMember.objects.bulk_update(changed, ["role"], batch_size=500)
    new = [CaseMember(case_id=case, user_id=user, role=role, own_role="") for (case, user), role in given.items()]
    CaseMember.objects.bulk_create(new, batch_size=500)


# --- teams, by administrators ----------------------------------------------------------------------------------------


@transaction.atomic
def save_team(*, team: Team, actor: User) -> Team:
    """Make or rename a team. Raises ValidationError."""
    new = team.pk is None
    team.full_clean()
    team.save()
    log.record("team.created" if new else "team.changed", actor=actor, team=team.name, description=team.description)
    return team


@transaction.atomic
def remove_team(*, team: Team, actor: User) -> None:
    """A team that is on no case goes; one that is on cases is taken off them by their leads first."""
    if team.cases.exists():
        raise ValidationError("The team is on cases. Their leads take it off first.")
    log.record("team.removed", actor=actor, team=team.name)
    team.delete()


@transaction.atomic
def add_person(*, team: Team, user: User, actor: User) -> None:
    """Somebody comes into a team, and so onto its cases; each case's log says so and its leads are told."""
    if user.pk == actor.pk:
        raise ValidationError("Nobody adds themselves to a team. Ask another administrator.")
    if user.administers:
        raise ValidationError(f"{user.name} is an administrator: they join a case with a reason, not by a team.")
    if not user.is_active:
        raise ValidationError(f"{user.name} is shut out.")
    _, new = TeamMember.objects.get_or_create(team=team, user=user)
    if not new:
        return
    settle(cases=team.cases.values_list("case", flat=True), users=[user.pk])
    log.record("team.person_added", actor=actor, team=team.name, user=user.username)
    for link in team.cases.select_related("case"):
        log.record("case.member", case=link.case, actor=actor, member=user.username, role=link.role, team=team.name)
        notices.tell(
            code=NoticeCode.ALARM,
            people=notices.leads_of(link.case),
            case=link.case,
            subject=uuid5(link.case.uuid, f"team {team.pk} {user.pk} {timezone.now().isoformat()}"),
            title=f"{user.name} is on the case now, through the team {team.name}",
            path=f"/cases/{link.case.reference}/access/",
        )


@transaction.atomic
def remove_person(*, team: Team, user: User, actor: User) -> None:
    """Somebody leaves a team, and its cases where they are on them by nothing else."""
    gone, _ = TeamMember.objects.filter(team=team, user=user).delete()
    if not gone:
        return
    settle(cases=team.cases.values_list("case", flat=True), users=[user.pk])
    log.record("team.person_removed", actor=actor, team=team.name, user=user.username)
    for link in team.cases.select_related("case"):
        log.record("case.member_removed", case=link.case, actor=actor, member=user.username, team=team.name)


# --- teams on a case, by its leads -----------------------------------------------------------------------------------


@transaction.atomic
def set_on_case(*, case: Case, team: Team, role: str, actor: User) -> CaseTeam:
    """A team comes onto a case, or gets another role there."""
    if role not in CaseRole.values:
        raise ValidationError("Choose a role.")
    link, _ = CaseTeam.objects.update_or_create(case=case, team=team, defaults={"role": role})
    settle(cases=[case.pk])
    log.record("case.team", case=case, actor=actor, team=team.name, role=role)
    return link


@transaction.atomic
def take_off_case(*, case: Case, team: Team, actor: User) -> None:
    gone, _ = CaseTeam.objects.filter(case=case, team=team).delete()
    if gone:
        settle(cases=[case.pk])
        log.record("case.team_removed", case=case, actor=actor, team=team.name)


@transaction.atomic
def review_access(*, case: Case, actor: User, note: str = "") -> AccessReview:
    """A lead has looked at who sees the case and found it right."""
    review = AccessReview.objects.create(case=case, by=actor, note=note.strip()[:300])
    log.record("case.access_reviewed", case=case, actor=actor, note=review.note)
    return review
