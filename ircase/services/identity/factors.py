"""The second factor: six figures from a telephone (TOTP, RFC 6238), and recovery codes for when it is gone. A passkey
(services.identity.passkeys) is one too."""

import hashlib
import io
import secrets as random
import time
from datetime import timedelta
from typing import Final

import pyotp
import segno
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ircase import secrets
from ircase.models import CaseMember, CaseRole, Passkey, RecoveryCode, SecondFactor, User
from ircase.models.signin import policy
from ircase.services import log
from ircase.services.identity import sessions

RECOVERY_CODES: Final = 10
TRIES: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)
STEP_SECONDS: Final = 30
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
LEADS: Final = "lead"


class Locked(ValidationError):
    """Too many wrong codes."""


def of(user: User) -> SecondFactor | None:
    """The person's second factor, where they have confirmed one."""
    return SecondFactor.objects.filter(user=user).exclude(confirmed_at=None).first()


def has_any(user: User) -> bool:
    """Whether a password alone does not open IRCase for this person: they have codes, or a passkey."""
    return of(user) is not None or Passkey.objects.filter(user=user).exists()


def must_have(user: User) -> bool:
    """Whether the rules of access want a second factor of this person: by site role, or because they lead a case."""
    wanted = set(policy().second_factor_for)
    if user.site_role in wanted:
        return True
    return LEADS in wanted and CaseMember.objects.filter(user=user, role=CaseRole.LEAD).exists()


@transaction.atomic
def begin(*, user: User) -> SecondFactor:
    """A secret to be scanned, which counts once a code of it was given. One that was begun goes on."""
    if of(user):
        raise ValidationError("There is a second factor already. Remove it first.")
    found = SecondFactor.objects.filter(user=user).first()
    return found or SecondFactor.objects.create(user=user, secret_encrypted=secrets.encrypt(pyotp.random_base32()))


def secret_of(factor: SecondFactor) -> str:
    """The secret in base 32, for a telephone that cannot scan."""
    return secrets.decrypt(factor.secret_encrypted)


def picture(factor: SecondFactor) -> str:
    """The QR code as SVG with attributes only: nothing in it needs inline style."""
    uri = pyotp.TOTP(secret_of(factor)).provisioning_uri(name=factor.user.username, issuer_name="IRCase")
    out = io.BytesIO()
    segno.make(uri, error="m").save(
        out,
        kind="svg",
        scale=5,
        border=3,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgns=True,
        nl=False,
        omitsize=False,
    )
    return out.getvalue().decode()


def _step_of(factor: SecondFactor, code: str) -> int | None:
    """The step whose code it is, of now and the ones beside it; None where it is none of them."""
    now = int(time.time()) // STEP_SECONDS
    totp = pyotp.TOTP(secret_of(factor))
    for step in (now, now - 1, now + 1):
        if random.compare_digest(totp.generate_otp(step), code):
            return step
    return None


def _digest(code: str) -> str:
    return hashlib.sha256(_plain(code).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(code: str) -> str:
    return "".join(code.lower().split()).replace("-", "")


@transaction.atomic
def confirm(*, user: User, code: str) -> list[str]:
    """The first right code makes it count. The recovery codes, to be shown this once. Raises ValidationError."""
    factor = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at=None).first()
    if factor is None:
        raise ValidationError("Begin again: there is nothing to confirm.")
    step = _step_of(factor, _plain(code))
    if step is None:
        raise ValidationError("That code is not right. See that the telephone's clock is, and give the next one.")
    factor.confirmed_at, factor.last_step = timezone.now(), step
    factor.save(update_fields=["confirmed_at", "last_step"])
    log.record("factor.added", actor=user, user=user.username)
    return _new_codes(factor)


def _new_codes(factor: SecondFactor) -> list[str]:
    codes = [
        "-".join("".join(random.choice(_LETTERS) for _ in range(5)) for _ in range(3)) for _ in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.filter(factor=factor).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=_digest(code)) for code in codes)
    return codes


@transaction.atomic
def renew_codes(*, user: User) -> list[str]:
    """New recovery codes; the old ones open nothing any more."""
    factor = of(user)
    if factor is None:
        raise ValidationError("There is no second factor.")
    log.record("factor.codes_renewed", actor=user, user=user.username)
    return _new_codes(factor)


def codes_left(factor: SecondFactor) -> int:
    return RecoveryCode.objects.filter(factor=factor, used_at=None).count()


def check(*, user: User, code: str) -> bool:
    """Whether a code is right: of the telephone, for once, or one of the recovery codes, for once. After too many
    wrong ones it raises Locked, whatever code is given."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=user).exclude(confirmed_at=None).first()
        if factor is None:
            return False
        if factor.is_locked(timezone.now()):
            raise Locked("Too many wrong codes. Wait 15 minutes, or ask an administrator.")
        if _opens(factor, code):
            SecondFactor.objects.filter(pk=factor.pk).update(failures=0, locked_until=None)
            return True
        _count_failure(factor)
        return False


def _opens(factor: SecondFactor, code: str) -> bool:
    plain = _plain(code)
    if len(plain) == 6 and plain.isascii() and plain.isdigit():
        step = _step_of(factor, plain)
        # Only forwards: a code that was seen over a shoulder is spent.
        later = Q(last_step__lt=step) if step is not None else Q(pk=None)
        return bool(SecondFactor.objects.filter(later, pk=factor.pk).update(last_step=step or 0))
    spent = RecoveryCode.objects.filter(factor=factor, digest=_digest(code), used_at=None).update(
        used_at=timezone.now()
    )
    if spent:
        log.record("factor.recovery_used", actor=factor.user, user=factor.user.username, left=codes_left(factor))
    return bool(spent)


def _count_failure(factor: SecondFactor) -> None:
    failures = factor.failures + 1
    locked = timezone.now() + LOCKED_FOR if failures >= TRIES else None
    SecondFactor.objects.filter(pk=factor.pk).update(failures=0 if locked else failures, locked_until=locked)
    log.record("sign_in.code_locked" if locked else "sign_in.code_failed", user=factor.user.username)


@transaction.atomic
def remove(*, user: User, actor: User) -> None:
    """Take a second factor away: the person themselves, or an administrator where the telephone is lost, which also
    ends the person's sessions."""
    User.objects.select_for_update().get(pk=user.pk)  # of two that take away at once the second sees what is left
    if user.pk == actor.pk and must_have(user) and not Passkey.objects.filter(user=user).exists():
        raise ValidationError("Your role needs a second factor. Ask an administrator if the telephone is lost.")
    gone, _ = SecondFactor.objects.filter(user=user).delete()
    if gone:
        log.record("factor.removed", actor=actor, user=user.username)
        if user.pk != actor.pk:
            sessions.end_all_of(user=user, actor=actor, reason="second factor removed")
