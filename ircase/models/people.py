"""People and their tokens."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person. What they may do on a case is their membership (`CaseMember`); `site_role` is what goes without one."""

    class SiteRole(models.TextChoices):
        GUEST = "guest", "Guest"  # only the cases they are a member of
        ANALYST = "analyst", "Analyst"  # reads ordinary cases, opens cases
        MANAGER = "manager", "Manager"  # reads ordinary cases and dashboards, writes nothing
        ADMINISTRATOR = "administrator", "Administrator"  # people, connections, libraries; no case content by that role

    site_role = models.CharField(max_length=16, choices=SiteRole.choices, default=SiteRole.GUEST)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="An IANA name, as in Europe/Copenhagen.")
    break_glass = models.BooleanField(
        default=False, editable=False, help_text="May use a password whatever the policy; set from the command line."
    )

    checklist_view = models.CharField(
        max_length=4, default="r2", choices=[("r2", "Phases of SP 800-61r2"), ("csf", "Outcomes of CSF 2.0")]
    )
    single_keys = models.BooleanField(
        "single-key shortcuts", default=True, help_text="Keys such as / and j. Ctrl K works without them."
    )

    NAMED = ("username", "first_name", "last_name")  # the columns that `name` is made of

    @property
    def name(self) -> str:
        """How the person is shown and written into logs."""
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        words = self.name.split()
        return (words[0][:1] + (words[-1][:1] if len(words) > 1 else "")).upper()

    @property
    def administers(self) -> bool:
        return self.site_role == self.SiteRole.ADMINISTRATOR

    @property
    def reads_ordinary_cases(self) -> bool:
        return self.site_role in (self.SiteRole.ANALYST, self.SiteRole.MANAGER)

    @property
    def opens_cases(self) -> bool:
        return self.site_role == self.SiteRole.ANALYST


class Scope(models.TextChoices):
    """What a token may be used for. Whose it is must be allowed the same, by their roles."""

    READ = "read", "Read"
    WRITE = "write", "Write in cases"
    HUNT = "hunt", "Run hunts"
    RESPOND = "respond", "Collect from devices and act on them"
    ADMINISTER = "administer", "Administer"


class ApiToken(models.Model):
    """A bearer token for /api/v1/. Only its SHA-256 is stored; the text is shown once, when it is made.

    `networks`: where it may be used from, as CIDR texts; empty is anywhere."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    scopes = models.JSONField(default=list)
    networks = models.JSONField(default=list, blank=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user.username}: {self.name}"
