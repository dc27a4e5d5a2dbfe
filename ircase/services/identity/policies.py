"""What administrators decide about coming in: the sign-in provider and the rules of access."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from ircase import secrets
from ircase.models import AccessPolicy, CaseRole, Passkey, SignInProvider, User
from ircase.models.signin import policy, provider
from ircase.services import log
from ircase.services.identity import entra


@transaction.atomic
def save_provider(*, found: SignInProvider, actor: User, secret: str = "", key: str = "") -> SignInProvider:
    """Keep the sign-in provider. An empty secret keeps the one there is; a new key takes the secret's place, and
    the other way round. Raises ValidationError with everything that could not work."""
    if secret:
        found.secret_encrypted, found.key_encrypted, found.certificate = secrets.encrypt(secret), "", ""
    elif key:
        found.key_encrypted, found.secret_encrypted = secrets.encrypt(key), ""
    found.full_clean()
    unknown = set(found.role_map.values()) - set(User.SiteRole.values)
    if unknown:
        raise ValidationError(f"These are no site roles: {', '.join(sorted(map(str, unknown)))}.")
    if found.enabled and (problems := entra.app_of(found).problems()):
        raise ValidationError(list(problems))
    if found.enabled and not found.role_map:
        raise ValidationError("Map at least one app role to a site role; nobody could come in.")
    _keep_a_way_in(found, policy())
    found.save()
    log.record(
        "signin.provider_changed",
        actor=actor,
        enabled=found.enabled,
        tenant=found.tenant,
        client=found.client_id,
        host=found.login_url,
        tenants=found.allowed_tenants,
        roles=found.role_map,
        guests=found.guests,
        credential="changed" if secret or key else "kept",
    )
    return found


@transaction.atomic
def save_policy(*, rules: AccessPolicy, actor: User) -> AccessPolicy:
    """Keep the rules of access; they hold from the next sign-in on. Raises ValidationError."""
    rules.full_clean()
    _keep_a_way_in(provider(), rules)
    before = policy()
    names = [field.attname for field in AccessPolicy._meta.concrete_fields if field.attname != "id"]
    changes = {
        name: [getattr(before, name), getattr(rules, name)]
        for name in names
        if getattr(before, name) != getattr(rules, name)
    }
    rules.save()
    if changes:
        log.record("policy.changed", actor=actor, changes=changes)
    return rules


def _keep_a_way_in(found: SignInProvider, rules: AccessPolicy) -> None:
    if rules.local_passwords == AccessPolicy.LocalPasswords.NOBODY and not found.enabled:
        raise ValidationError("Without local passwords and without a sign-in provider nobody could come in.")


def may_use_password(user: User) -> bool:
    """Whether the rules let this person come in by what IRCase itself keeps, a password or a passkey."""
    rule = policy().local_passwords
    if user.break_glass or rule == AccessPolicy.LocalPasswords.EVERYBODY:
        return True
    return rule == AccessPolicy.LocalPasswords.ADMINISTRATORS and user.administers


def has_passkey() -> Exists:
    """For a list of people: whether each has a passkey."""
    return Exists(Passkey.objects.filter(user=OuterRef("pk")))


def reach() -> QuerySet[User]:
    """Everybody, with of how many cases they are lead (`leads`), analyst (`writes`) and viewer (`reads`), and when they
    were put on one last (`last_case`); `has_passkey`."""
    found = User.objects.filter(elsewhere=None).annotate(
        leads=Count("memberships", filter=Q(memberships__role=CaseRole.LEAD)),
        writes=Count("memberships", filter=Q(memberships__role=CaseRole.ANALYST)),
        reads=Count("memberships", filter=Q(memberships__role=CaseRole.VIEWER)),
        last_case=Max("memberships__added_at"),
        has_passkey=has_passkey(),
    )
    ordered = found.order_by("-is_active", "first_name", "username", "pk")
    return ordered.select_related("entra", "second_factor")
