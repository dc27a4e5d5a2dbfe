"""Teams: people who are members of cases together, and when access to a case was last looked at."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from ircase.models.cases import Case, CaseRole


class Team(models.Model):
    """A group of people. Administrators keep it; a case's leads say what it may do on their case."""

    name = models.CharField(max_length=80, unique=True)
    description = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="teams")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="team_member_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.team_id}"


class CaseTeam(models.Model):
    """A team on a case. What each of its people may do there is worked out into `CaseMember.role`."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="teams")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="cases")
    role = models.CharField(max_length=16, choices=CaseRole.choices)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "team"], name="case_team_once")]

    def __str__(self) -> str:
        return f"{self.team_id} on {self.case_id}: {self.role}"


class AccessReview(models.Model):
    """A lead has looked at who sees the case. The next one is due `AccessPolicy.review_days` later."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="access_reviews")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.case_id} {self.at:%Y-%m-%d}"
