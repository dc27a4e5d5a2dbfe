"""Whether an address is a person's own: a code goes there, and who reads it there types it here."""

import secrets as randomness
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from ircase import jobs
from ircase.models import AddressProof, User
from ircase.outgoing import NotReached
from ircase.services import log
from ircase.services.telling import sending
from ircase.telling.words import Word

GOOD_FOR: Final = timedelta(minutes=30)
PAUSE: Final = timedelta(minutes=1)
MOST_A_DAY: Final = 5
MOST_TRIES: Final = 5
_DIGITS: Final = frozenset("0123456789")
_SALT: Final = "ircase.address"


@transaction.atomic
def ask(*, person: User) -> AddressProof:
    """Have a code sent to the address of the profile. Raises ValidationError."""
    if not settings.EMAIL_HOST:
        raise ValidationError("This IRCase sends no mail: its administrator has set no mail server.")
    if not person.email:
        raise ValidationError("There is no e-mail address in your profile.")
    now, proof = timezone.now(), _locked(person)
    before = proof.asked_at
    if before is not None and now - before < PAUSE:
        raise ValidationError("A code was asked for a moment ago. Wait a minute.")
    today = proof.asked_today if before is not None and now - before < timedelta(days=1) else 0
    if today >= MOST_A_DAY:
        raise ValidationError(f"{MOST_A_DAY} codes were sent. Try again tomorrow.")
    proof.asked_for, proof.asked_at, proof.asked_today = person.email, now, today + 1
    proof.code_digest, proof.tries, proof.problem = "", 0, ""
    proof.save()
    log.record("person.address_asked", actor=person, user=person.username)
    jobs.enqueue("ircase.send_address_code", person.pk)
    return proof


def send_code(person: User) -> None:
    """What the worker does. The code itself is kept nowhere: a second message to a worker makes another."""
    proof = AddressProof.objects.filter(person=person).first()
    if proof is None or proof.asked_at is None or proof.code_digest or not _is_fresh(proof):
        return
    code = f"{randomness.randbelow(10**8):08d}"
    digest = _digest(person, proof.asked_for, code)
    # Of two workers with the same message one sends.
    if not AddressProof.objects.filter(pk=proof.pk, code_digest="").update(code_digest=digest):
        return
    word = Word(
        "code", "Code", timezone.now(), "", f"Your code is {code}. It is good for 30 minutes", settings.PUBLIC_URL
    )
    try:
        sending.send_mail(proof.asked_for, person.name, [word], f"code-{proof.pk}-{proof.asked_at:%Y%m%d%H%M%S}")
    except NotReached as error:
        AddressProof.objects.filter(pk=proof.pk).update(code_digest="", problem=str(error)[:300])


def prove(*, person: User, code: str) -> AddressProof:
    """The code came back. Raises ValidationError."""
    with transaction.atomic():
        proof = _locked(person)
        problem = _judged(proof, person, code)
        proof.save()
        if not problem:
            log.record("person.address_proved", actor=person, user=person.username)
    # Outside: a wrong try is counted, whatever comes of it.
    if problem:
        raise ValidationError({"code": problem})
    return proof


def _judged(proof: AddressProof, person: User, code: str) -> str:
    if not proof.code_digest or not _is_fresh(proof) or proof.asked_for != person.email:
        return "No code is out for this address. Have a new one sent."
    proof.tries += 1
    if proof.tries > MOST_TRIES:
        return "Too many tries. Have a new code sent."
    if not constant_time_compare(
        proof.code_digest, _digest(person, proof.asked_for, "".join(c for c in code if c in _DIGITS))
    ):
        return "That is not the code that was sent."
    proof.email, proof.proved_at, proof.code_digest = proof.asked_for, timezone.now(), ""
    return ""


def _locked(person: User) -> AddressProof:
    AddressProof.objects.get_or_create(person=person)
    return AddressProof.objects.select_for_update().get(person=person)


def _is_fresh(proof: AddressProof) -> bool:
    return proof.asked_at is not None and timezone.now() - proof.asked_at < GOOD_FOR


def _digest(person: User, email: str, code: str) -> str:
    text = f"{person.pk}:{email}:{code}"
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
