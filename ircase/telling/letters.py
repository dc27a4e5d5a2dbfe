"""E-mail of news: text and HTML of the same words, by templates."""

from collections.abc import Sequence
from email.utils import formatdate
from typing import Final

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
    made = EmailMultiAlternatives(
        subject=subject_of(words),
        body=render_to_string("mail/news.txt", context),
        to=[to],
        headers={
            "Message-ID": f"<{key}@{settings.MAIL_DOMAIN}>",
            "Date": formatdate(localtime=False),
            "List-Unsubscribe": f"<{preferences}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    made.attach_alternative(render_to_string("mail/news.html", context), "text/html")
    return made


def subject_of(words: Sequence[Word]) -> str:
    """One line, whatever was in the title."""
    if len(words) > 1:
        return f"IRCase: {len(words)} pieces of news"
    word = words[0]
    text = f"IRCase: {word.title}" if word.bare else f"{word.case}: {word.title}"
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_SUBJECT]
