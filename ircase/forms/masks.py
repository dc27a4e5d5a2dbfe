"""Words to mask that the case suggests: one click takes one over into a form, before anything is made."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import QueryDict


def take(form: forms.Form, data: QueryDict, *, between: str) -> None:
    """Put what was filled in so far into `form` as its first values, and the word of the button `take` behind the other
    words, `between` them."""
    for name, field in form.fields.items():
        many = isinstance(field, forms.MultipleChoiceField)
        form.initial[name] = data.getlist(name) if many else data.get(name)
    words = data.get("words", "").strip().rstrip(between.strip())
    form.initial["words"] = between.join(part for part in (words, data.get("take", "").strip()) if part)


def left(suggested: Iterable[str], form: forms.Form) -> list[str]:
    """The suggestions that do not stand in the form's words yet; none where it has no such field."""
    if "words" not in form.fields:
        return []
    there: Any = form["words"].value() or ""
    typed = "\n".join(there) if isinstance(there, list) else str(there)
    said = {word.strip().lower() for word in typed.replace(",", "\n").splitlines()}
    return [word for word in suggested if word.lower() not in said]
