"""Adaptive Cards for a Teams workflow, version 1.4: https://adaptivecards.io/explorer/AdaptiveCard.html.

A workflow takes a message whose attachments are cards:
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
Text from outside stands in TextRun, which shows it as it is; TextBlock would read it as markdown, links and all.
"""

from collections.abc import Sequence
from typing import Any, Final

from ircase.telling.words import BARE, Word

MOST: Final = 20
_LONGEST: Final = 300
_SCHEMA: Final = "http://adaptivecards.io/schemas/adaptive-card.json"


def message(words: Sequence[Word]) -> dict[str, Any]:
    """One message with one card: of one piece of news, or of several where it is a digest."""
    body = [part for word in words[:MOST] for part in _parts(word)]
    if len(words) > MOST:
        body.append(_text(f"And {len(words) - MOST} more."))
    card = {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": words[0].title[:_LONGEST] if len(words) == 1 else f"{len(words)} pieces of news in IRCase",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open IRCase", "url": words[0].url}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _parts(word: Word) -> list[dict[str, Any]]:
    if word.bare:
        return [_text(BARE, weight="Bolder")]
    small = f"{word.case} · {word.label} · {word.at:%Y-%m-%d %H:%M} UTC"
    lines = [_text(line, isSubtle=True) for line in word.lines]
    return [_text(word.title, weight="Bolder"), _text(small, isSubtle=True, size="Small"), *lines]


def _text(text: str, **looks: Any) -> dict[str, Any]:
    run = {"type": "TextRun", "text": text[:_LONGEST], **looks}
    return {"type": "RichTextBlock", "inlines": [run]}
