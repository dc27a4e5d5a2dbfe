"""Passkeys (WebAuthn, https://www.w3.org/TR/webauthn-3/): registered, asked for, checked, taken away.

We begin by putting a challenge into the browser's session; its answer takes the challenge out again, whatever becomes
of it. A passkey always proves two things, that the device is there and that its owner unlocked it, so that it stands
for password and code together. The relying party and its origins are settings: a Host header has no say in them."""

import hashlib
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from ircase import jobs
from ircase.models import Passkey, User
from ircase.services import log
from ircase.services.identity import factors, policies, sessions

MOST: Final = 20
LASTS_SECONDS: Final = 5 * 60
LONGEST_ANSWER: Final = 16_384
UNKNOWN: Final = "(unknown passkey)"  # what the throttle counts by; no user name has such signs
_SESSION: Final = "passkey_ceremony"
_REQUIRED: Final = UserVerificationRequirement.REQUIRED
_DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_OVER: Final = "That took too long, or was begun in another window. Begin again."
_WRONG: Final = "That passkey does not open IRCase. Try again, or come in another way."
_BACK: Final = (
    "This passkey's counter went back, as that of a copy would, so it opens nothing. Come in another way, and remove "
    "the passkey on your profile."
)


class Purpose(StrEnum):
    """What an answer is for. It does for nothing else."""

    REGISTER = "register"
    SIGN_IN = "sign-in"  # whoever it is says the passkey
    SECOND = "second"  # after the password
    PROVE = "prove"  # before something grave


@dataclass(frozen=True)
class _Ceremony:
    """What was asked of a browser, as its session keeps it. `user` is 0 where anybody's passkey does."""

    purpose: str
    challenge: str
    user: int
    handle: str
    at: int


# --- may there be any ------------------------------------------------------------------------------------------------


def problem() -> str:
    """Why passkeys cannot be used with these settings; empty where they can."""
    name = settings.PASSKEY_RP_ID
    if not name:
        return "IRCASE_PASSKEY_RP_ID is empty: there are no passkeys."
    if _is_address(name) or not _DOMAIN.fullmatch(name):
        return f"IRCASE_PASSKEY_RP_ID must be a domain, which {name} is not: set it, or IRCASE_PUBLIC_URL."
    for origin in settings.PASSKEY_ORIGINS:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        local = host == "localhost" or host.endswith(".localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            return f"IRCASE_PASSKEY_ORIGINS: browsers have passkeys on https alone, so not on {origin}."
        if host != name and not host.endswith(f".{name}"):
            return f"IRCASE_PASSKEY_ORIGINS: {origin} does not lie in {name}."
    return "" if settings.PASSKEY_ORIGINS else "IRCASE_PASSKEY_ORIGINS is empty: there are no passkeys."


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def origins() -> str:
    """Where a page may use passkeys, parted by spaces; empty where nobody can."""
    return "" if problem() else " ".join(settings.PASSKEY_ORIGINS)


def may_have(user: User) -> bool:
    """Whether a passkey opens IRCase for this person: they are in, have a password of IRCase, and may use it. Whoever
    must come by Microsoft comes by Microsoft; a password that was reset shuts passkeys too till it is set anew."""
    return user.is_active and user.has_usable_password() and policies.may_use_password(user)


def of(user: User) -> QuerySet[Passkey]:
    return Passkey.objects.filter(user=user)


def doubted(user: User) -> list[str]:
    """The names of those whose counter went back and that are still there."""
    return list(of(user).exclude(doubted_at=None).values_list("name", flat=True))


# --- registering -----------------------------------------------------------------------------------------------------


def begin_registering(*, request: HttpRequest, user: User) -> str:
    """What the browser is to make a passkey of, as JSON. Raises ValidationError where there may be none."""
    _check_may_have(user)
    held = list(of(user))
    if len(held) >= MOST:
        raise ValidationError(f"{MOST} passkeys are enough. Remove one that you no longer use.")
    handle = held[0].handle if held else secrets.token_urlsafe(32)
    options = generate_registration_options(
        rp_id=settings.PASSKEY_RP_ID,
        rp_name="IRCase",
        user_id=base64url_to_bytes(handle),
        user_name=user.username,
        user_display_name=user.name,
        timeout=LASTS_SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
        ),
        exclude_credentials=_described(held),
    )
    _keep(request, Purpose.REGISTER, options.challenge, user, handle)
    return options_to_json(options)


def _check_may_have(user: User) -> None:
    if problem():
        raise ValidationError("Passkeys are not set up on this IRCase. Ask its administrator.")
    if not may_have(user):
        raise ValidationError("Passkeys are for those who come in by a password of IRCase.")


def register(*, request: HttpRequest, user: User, name: str, answer: str) -> Passkey:
    """Keep the passkey that the browser made. Raises ValidationError."""
    asked = _take(request, Purpose.REGISTER, user)
    if asked is None:
        raise ValidationError(_OVER)
    _check_may_have(user)
    found = _made(asked, answer)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # so that two at once are not one too many
        if of(user).count() >= MOST:
            raise ValidationError(f"{MOST} passkeys are enough. Remove one that you no longer use.")
        passkey = Passkey(
            user=user,
            name=" ".join(name.split()),
            credential=bytes_to_base64url(found.credential_id),
            handle=asked.handle,
            public_key=bytes_to_base64url(found.credential_public_key),
            sign_count=found.sign_count,
        )
        if Passkey.objects.filter(credential=passkey.credential).exists():
            raise ValidationError("This passkey is registered already. Make another.")
        if of(user).filter(name=passkey.name).exists():
            raise ValidationError("You have a passkey of that name. Give this one another.")
        passkey.full_clean()
        passkey.save()
        log.record("passkey.added", actor=user, user=user.username, name=passkey.name)
    return passkey


def _made(asked: _Ceremony, answer: str) -> VerifiedRegistration:
    try:
        return verify_registration_response(
            credential=answer[:LONGEST_ANSWER],
            expected_challenge=base64url_to_bytes(asked.challenge),
            expected_rp_id=settings.PASSKEY_RP_ID,
            expected_origin=list(settings.PASSKEY_ORIGINS),
            require_user_verification=True,
        )
    # The answer is a stranger's JSON around CBOR around keys: what all of that can raise stands in no list.
    except Exception as error:
        raise ValidationError("The browser's answer was not a passkey that can be used here. Begin again.") from error


@transaction.atomic
def remove(*, passkey: Passkey, actor: User) -> None:
    """Take a passkey away: its owner, or an administrator where the device is lost, which also ends their sessions."""
    user = User.objects.select_for_update().get(pk=passkey.user_id)
    if user.pk == actor.pk and factors.must_have(user) and factors.of(user) is None and of(user).count() == 1:
        raise ValidationError("Your role needs a second factor. Register another passkey, or set up codes, first.")
    gone, _ = of(user).filter(pk=passkey.pk).delete()
    if gone:
        log.record("passkey.removed", actor=actor, user=user.username, name=passkey.name)
        if user.pk != actor.pk:
            sessions.end_all_of(user=user, actor=actor, reason="passkey removed")


# --- asking ----------------------------------------------------------------------------------------------------------


def begin_asking(*, request: HttpRequest, purpose: Purpose, user: User | None = None) -> str:
    """What the browser is to answer, as JSON: with one of `user`'s passkeys, or, where nobody is named, with any that
    the device has for us. Raises ValidationError."""
    if problem():
        raise ValidationError("Passkeys are not set up on this IRCase. Ask its administrator.")
    held = list(of(user)) if user else []
    if user and not held:
        raise ValidationError("You have no passkey.")
    options = generate_authentication_options(
        rp_id=settings.PASSKEY_RP_ID,
        timeout=LASTS_SECONDS * 1000,
        allow_credentials=_described(held),
        user_verification=_REQUIRED,
    )
    _keep(request, purpose, options.challenge, user)
    return options_to_json(options)


def check(*, request: HttpRequest, purpose: Purpose, answer: str, user: User | None = None) -> User:
    """Whose passkey answered, once; of `user` where one is named. Raises ValidationError, in the same words whatever
    was wrong with it, and counts for the throttle and the log as a wrong password does."""
    asked = _take(request, purpose, user)
    given = _read(answer)
    found = _held(given, user)
    name = found.user.username if found else user.username if user else UNKNOWN
    if asked is None or given is None or found is None:
        raise _refused(request, name)
    if not AxesProxyHandler.is_allowed(request, {"username": name}):
        raise _refused(request, name)
    count = _count_of(asked, given, found, needs_handle=user is None)
    if count is None or not may_have(found.user):
        raise _refused(request, name)
    if (count or found.sign_count) and count <= found.sign_count:
        _doubt(found, count)
        raise _refused(request, name, _BACK)
    if not _spend(found, asked, count):
        raise _refused(request, name)
    return found.user


def _read(answer: str) -> AuthenticationCredential | None:
    try:
        return parse_authentication_credential_json(answer[:LONGEST_ANSWER])
    except Exception:  # see _made
        return None


def _held(given: AuthenticationCredential | None, user: User | None) -> Passkey | None:
    """The passkey that is said to answer; of `user` alone where one is named."""
    if given is None:
        return None
    known = Passkey.objects.select_related("user").filter(credential=bytes_to_base64url(given.raw_id))
    return (known.filter(user=user) if user else known).first()


def _count_of(asked: _Ceremony, given: AuthenticationCredential, found: Passkey, *, needs_handle: bool) -> int | None:
    """The device's count where the answer is right in everything else; None where it is not. Whoever comes unnamed must
    say the account as the device knows it: https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion, step 6."""
    handle = given.response.user_handle
    if handle is None and needs_handle:
        return None
    if handle is not None and not secrets.compare_digest(handle, base64url_to_bytes(found.handle)):
        return None
    try:
        verified = verify_authentication_response(
            credential=given,
            expected_challenge=base64url_to_bytes(asked.challenge),
            expected_rp_id=settings.PASSKEY_RP_ID,
            expected_origin=list(settings.PASSKEY_ORIGINS),
            credential_public_key=base64url_to_bytes(found.public_key),
            # The library compares counts before signatures; a count that nobody signed must raise no alarm.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception:  # see _made
        return None
    return verified.new_sign_count


def _spend(found: Passkey, asked: _Ceremony, count: int) -> bool:
    """Note the use. Of two answers to one challenge, or with one count, that arrive together, one is first."""
    digest = hashlib.sha256(asked.challenge.encode()).hexdigest()
    fresh = Passkey.objects.filter(pk=found.pk, sign_count=found.sign_count).exclude(last_challenge=digest)
    return fresh.update(sign_count=count, last_challenge=digest, used_at=timezone.now()) == 1


@transaction.atomic
def _doubt(found: Passkey, count: int) -> None:
    """Its count went back: somebody may have a copy. The person is told here, at every sign-in while it is there, and
    by mail, because who sits here now may be the one with the copy."""
    Passkey.objects.filter(pk=found.pk).update(doubted_at=timezone.now())
    log.record("passkey.counter_back", user=found.user.username, name=found.name, kept=found.sign_count, given=count)
    jobs.enqueue("ircase.tell_of_passkey", found.pk)


def _refused(request: HttpRequest, username: str, words: str = _WRONG) -> ValidationError:
    """Count it as the password door counts a wrong password: the log, the throttle, and the same page at the end."""
    user_login_failed.send(sender=__name__, credentials={"username": username}, request=request)
    return ValidationError(words)


# --- the challenge in the session ------------------------------------------------------------------------------------


def _keep(request: HttpRequest, purpose: Purpose, challenge: bytes, user: User | None, handle: str = "") -> None:
    asked = _Ceremony(purpose.value, bytes_to_base64url(challenge), user.pk if user else 0, handle, int(time.time()))
    request.session[_SESSION] = asdict(asked)


def _take(request: HttpRequest, purpose: Purpose, user: User | None) -> _Ceremony | None:
    """What was asked of this browser for this purpose and person, for once and for a few minutes."""
    kept: Any = request.session.pop(_SESSION, None)
    if not isinstance(kept, dict):
        return None
    asked = _Ceremony(**kept)
    fits = asked.purpose == purpose.value and asked.user == (user.pk if user else 0)
    return asked if fits and 0 <= time.time() - asked.at < LASTS_SECONDS else None


def _described(held: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential)) for one in held]
