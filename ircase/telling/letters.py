"""E-mail of news: text and HTML of the same words, by templates."""

from collections.abc import Sequence
from email.utils import formatdate
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from ircase.telling.words import Word, absolute

MOST: Final = 100
_LONGEST_SUBJECT: Final = 180


def letter(to: str, name: str, words: Sequence[Word], key: str) -> EmailMultiAlternatives:
    """The message to one person. `key` is the same for every try, so that a mailbox knows a second copy."""
    preferences = absolute(reverse("ircase:notifications"))
    context = {
        "name": name,
        "words": words[:MOST],
        "more": max(len(words) - MOST, 0),
        "inbox": absolute(reverse("ircase:notices")),
        "preferences": preferences,
    }
    return _made(to, subject_of(words), "news", context, key, {"List-Unsubscribe": f"<{preferences}>"})


def of_address(to: str, name: str, username: str, url: str, key: str) -> EmailMultiAlternatives:
    """The message that asks whether an address is the person's own."""
    context = {"name": name, "username": username, "url": url}
    return _made(to, "IRCase: confirm your address", "address", context, key, {})


def of_passkey(to: str, name: str, passkey: str, url: str, key: str) -> EmailMultiAlternatives:
    """The message that a passkey was refused because its counter went back."""
    context = {"name": name, "passkey": passkey, "url": url}
    return _made(to, "IRCase: a passkey of yours was refused", "passkey", context, key, {})


def _made(
    to: str, subject: str, template: str, context: dict[str, Any], key: str, more: dict[str, str]
) -> EmailMultiAlternatives:
    made = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string(f"mail/{template}.txt", context),
        to=[to],
        headers={
            "Message-ID": f"<{key}@{settings.MAIL_DOMAIN}>",
            "Date": formatdate(localtime=False),
            "Auto-Submitted": "auto-generated",
            **more,
        },
    )
    made.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    return made


def subject_of(words: Sequence[Word]) -> str:
    """One line, whatever was in the title."""
    if len(words) > 1:
        return f"IRCase: {len(words)} pieces of news"
    word = words[0]
    text = f"IRCase: {word.title}" if word.bare else f"{word.case}: {word.title}"
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_SUBJECT]
