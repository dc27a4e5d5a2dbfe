"""How people come in: the organisation's sign-in, rules of access, second factors, sessions."""

import uuid
from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from ircase.models.connections import GUID
from ircase.models.people import User


class SignInProvider(models.Model):
    """The one app registration of Microsoft Entra ID by which people sign in. The secret or the certificate's key is
    encrypted; `role_map` leads from an app role's value to a site role."""

    class Guests(models.TextChoices):
        REFUSE = "refuse", "Refused (needs the optional claim acct)"
        GUEST = "guest", "Let in as guests, whatever their app role"
        ALLOW = "allow", "Let in like everybody else"

    enabled = models.BooleanField(default=False)
    login_url = models.URLField(default="https://login.microsoftonline.com")
    tenant = models.CharField(max_length=64, help_text="The tenant's id, or organizations for several tenants.")
    client_id = models.CharField(max_length=36, validators=[GUID])
    secret_encrypted = models.TextField(blank=True, editable=False)
    certificate = models.TextField(blank=True, help_text="The certificate in PEM, where there is one for a secret.")
    key_encrypted = models.TextField(blank=True, editable=False)
    ca_pem = models.TextField(blank=True, help_text="A certificate authority of the sign-in host's own, in PEM.")
    allowed_tenants = models.JSONField(default=list, blank=True)
    role_map = models.JSONField(default=dict, blank=True)
    guests = models.CharField(max_length=8, choices=Guests.choices, default=Guests.GUEST)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Entra {self.tenant}"


class AccessPolicy(models.Model):
    """The site's rules of access. One row; where there is none, the defaults hold."""

    class LocalPasswords(models.TextChoices):
        EVERYBODY = "everybody", "Everybody who has one"
        ADMINISTRATORS = "administrators", "Administrators only"
        NOBODY = "nobody", "Nobody but break-glass accounts"

    local_passwords = models.CharField(
        max_length=16, choices=LocalPasswords.choices, default=LocalPasswords.EVERYBODY, verbose_name="local passwords"
    )
    second_factor_for = models.JSONField(default=list, blank=True)
    password_length = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(12), MaxValueValidator(128)]
    )
    token_days = models.PositiveSmallIntegerField(
        default=365, validators=[MinValueValidator(1), MaxValueValidator(365)], verbose_name="days a token may live"
    )
    review_days = models.PositiveSmallIntegerField(
        default=90,
        validators=[MinValueValidator(1), MaxValueValidator(730)],
        verbose_name="days between access reviews",
    )

    def __str__(self) -> str:
        return "Rules of access"


class EntraIdentity(models.Model):
    """Who a person is to Entra: tenant and object id together, never an e-mail address, which is given to others."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="entra")
    tid = models.CharField(max_length=36)
    oid = models.CharField(max_length=36)
    shown_name = models.CharField(max_length=254, blank=True, help_text="preferred_username, only to be shown.")
    app_roles = models.JSONField(default=list, blank=True)
    guest = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tid", "oid"], name="entra_once")]

    def __str__(self) -> str:
        return f"{self.tid}/{self.oid}"


class SecondFactor(models.Model):
    """A person's TOTP (RFC 6238). `last_step` is the newest step that was used: no code opens twice."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor")
    secret_encrypted = models.TextField()
    made_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"

    def is_locked(self, now: datetime) -> bool:
        return self.locked_until is not None and self.locked_until > now


class RecoveryCode(models.Model):
    """A code for once, when the telephone is gone. Only its digest is kept."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"recovery code of {self.factor_id}"


class Passkey(models.Model):
    """A WebAuthn credential of a person's: what checks an answer, and nothing of the device that holds the secret half.

    `credential` is its id and `handle` the name under which the device knows the account, both base64url; the same
    handle for all passkeys of a person, and random, so that it says nothing of them. `public_key` is a COSE key
    (RFC 9052), base64url. `sign_count` is the highest that the device has told; one that counts nothing says 0.
    `last_challenge` is the SHA-256 of the challenge that it answered last: no answer opens twice. `doubted_at`: when
    its count last went back, as that of a copy would (https://www.w3.org/TR/webauthn-3/#sctn-sign-counter)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=100)
    credential = models.CharField(max_length=1400, unique=True)  # an id has 1023 bytes at most
    handle = models.CharField(max_length=86)
    public_key = models.TextField()
    sign_count = models.PositiveBigIntegerField(default=0)
    last_challenge = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)
    doubted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["made_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="passkey_named_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.name}"

    @property
    def dialog(self) -> str:
        """The id of the dialog that asks before it is removed."""
        return f"passkey-{self.uuid}"

    @property
    def farewell(self) -> str:
        return f"“{self.name}” opens IRCase no more. The device itself learns nothing of it."


class SessionQuerySet(models.QuerySet["SessionRecord"]):
    def live(self) -> "SessionQuerySet":
        return self.filter(ended_at=None, expires_at__gt=timezone.now())


class SessionRecord(models.Model):
    """A signed-in browser. `session_key` is the one under which Django keeps the session; ending deletes that row."""

    class Method(models.TextChoices):
        PASSWORD = "password", "Password"
        CODE = "code", "Password and code"
        PASSKEY = "passkey", "Passkey"
        PASSWORD_PASSKEY = "pwkey", "Password and passkey"
        ENTRA = "entra", "Microsoft Entra ID"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, db_index=True)
    method = models.CharField(max_length=8, choices=Method.choices, default=Method.PASSWORD)
    device = models.CharField(max_length=100, blank=True, help_text="Words made of the browser's user agent.")
    address = models.CharField(max_length=45, blank=True)
    entra_sid = models.CharField(max_length=64, blank=True, db_index=True)
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at", "-pk"]
        indexes = [models.Index(fields=["user", "ended_at"], name="session_live")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.device}"


def provider() -> SignInProvider:
    """The sign-in provider; one that is switched off where none was ever set up."""
    return SignInProvider.objects.order_by("pk").first() or SignInProvider()


def policy() -> AccessPolicy:
    """The rules of access; the defaults where nobody has changed them."""
    return AccessPolicy.objects.order_by("pk").first() or AccessPolicy()
