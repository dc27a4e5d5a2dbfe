"""Hooks: addresses of other systems. A lead keeps those of a case, administrators those of the site."""

import secrets as tokens
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import outgoing, secrets
from ircase.models import Case, CaseTelling, Hook, NoticeSettings, User
from ircase.services import log
from ircase.telling import rules

OVERLAP: Final = timedelta(days=1)
MOST: Final = 20


def problem_of(url: str) -> str:
    """Why no hook can have this address, a sentence; "" where one can. Where its host lies is looked at whenever it is
    asked, not here."""
    hosts = frozenset(host.lower() for host in settings.HOOK_PRIVATE_HOSTS)
    return outgoing.problem_of(url, plain=outgoing.plain_where(hosts))


@transaction.atomic
def save(*, hook: Hook, actor: User, url: str = "") -> str:
    """Create or change a hook; the secret of a new signed webhook, told this once, else "". `url` empty: as it was.
    Raises ValidationError."""
    new = hook.pk is None
    if url and (problem := problem_of(url)):
        raise ValidationError({"url": problem})
    if new and not url:
        raise ValidationError({"url": "Say where it posts to."})
    if new and Hook.objects.filter(case=hook.case).count() >= MOST:
        raise ValidationError(f"There are {MOST} hooks already. Remove one first.")
    hook.codes = rules.codes(hook.codes)
    if not hook.codes:
        raise ValidationError({"codes": "Choose at least one kind of news."})
    if url:
        hook.url_encrypted = secrets.encrypt(url)
    secret = _fresh(hook) if new and hook.kind == Hook.Kind.WEBHOOK else ""
    if new:
        hook.created_by = actor
    hook.full_clean()
    hook.save()
    log.record("hook.made" if new else "hook.changed", case=hook.case, actor=actor, name=hook.name, kind=hook.kind,
               host=host_of(hook), codes=hook.codes, enabled=hook.enabled)  # fmt: skip
    return secret


@transaction.atomic
def new_secret(*, hook: Hook, actor: User) -> str:
    """A new secret, told once. For a day the one before signs too. Raises ValidationError where nothing is signed."""
    hook = Hook.objects.select_for_update().get(pk=hook.pk)
    if hook.kind != Hook.Kind.WEBHOOK:
        raise ValidationError("What is posted to Teams is not signed: the address itself is the secret.")
    hook.secret_before_encrypted, hook.secret_before_until = hook.secret_encrypted, timezone.now() + OVERLAP
    secret = _fresh(hook)
    hook.save(update_fields=["secret_encrypted", "secret_before_encrypted", "secret_before_until"])
    log.record("hook.secret", case=hook.case, actor=actor, name=hook.name)
    return secret


def _fresh(hook: Hook) -> str:
    secret = tokens.token_urlsafe(32)
    hook.secret_encrypted = secrets.encrypt(secret)
    return secret


@transaction.atomic
def remove(*, hook: Hook, actor: User) -> None:
    """Gone, with what waited for it."""
    log.record("hook.removed", case=hook.case, actor=actor, name=hook.name, kind=hook.kind)
    hook.delete()


def host_of(hook: Hook | NoticeSettings) -> str:
    """The host alone: the rest of the address is a secret."""
    held = hook.url_encrypted if isinstance(hook, Hook) else hook.teams_encrypted
    return outgoing.host_of(secrets.decrypt(held))


@transaction.atomic
def set_names(*, case: Case, actor: User, names: bool) -> None:
    """Whether messages about a confidential case may say what they are about."""
    CaseTelling.objects.update_or_create(case=case, defaults={"names": names})
    log.record("case.telling", case=case, actor=actor, names=names)
