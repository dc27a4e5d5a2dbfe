"""A mail to the owner of a passkey whose counter went back, as that of a copy would."""

import logging

from django.conf import settings
from django.urls import reverse

from ircase.models import Passkey
from ircase.outgoing import NotReached
from ircase.services.telling import choosing, sending
from ircase.telling import letters
from ircase.telling.words import absolute

logger = logging.getLogger(__name__)


def send(passkey: Passkey) -> None:
    """What the worker does. Where there is no mail the person reads it in IRCase, at each sign-in."""
    person, at = passkey.user, passkey.doubted_at
    if at is None or not settings.EMAIL_HOST or not choosing.of(person).may_mail(person.email):
        return
    key = f"passkey-{passkey.uuid}-{at:%Y%m%d%H%M%S}"
    url = absolute(reverse("ircase:profile") + "#passkeys")
    try:
        sending.hand_in(letters.of_passkey(person.email, person.name, passkey.name, url, key))
    except NotReached as error:
        logger.warning("passkey.not_told", extra={"passkey": str(passkey.uuid), "problem": str(error)})
