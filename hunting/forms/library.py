"""What people fill in to bring hunts in, and to put a pack together."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.http import QueryDict

from hunting import shelf
from hunting.catalogue import ENTITIES, Pack
from hunting.services import importing
from ircase.forms.evidence import ManyFilesInput

_LICENCE_HELP: Final = "Where you know it, as in MIT or CC-BY-4.0. Empty: looked for in the source."
MOST_STEPS: Final = 200


class ImportForm(forms.Form):
    """The files themselves are taken by `ircase.services.transfer.uploads.receive`; this is what stands beside them."""

    file = forms.FileField(widget=ManyFilesInput(), label="Choose files", required=False)
    licence = forms.CharField(label="Licence", max_length=100, required=False, help_text=_LICENCE_HELP)

    limit = staticmethod(importing.limit_text)


class ImportPathForm(forms.Form):
    """A folder, a git checkout or a file of the server."""

    path = forms.CharField(
        label="Path on the server",
        max_length=1024,
        strip=True,
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    licence = forms.CharField(
        label="Its licence", max_length=100, required=False, help_text=_LICENCE_HELP, widget=forms.TextInput()
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="path_%s")


@dataclass(frozen=True)
class StepRow:
    """A step as the form has it; `title` is empty where the library does not have the hunt."""

    hunt: str
    only_if: str = ""
    title: str = ""


class PackEditForm(forms.Form):
    """What a pack is called. Its steps stand beside it: `hunt` and `only_if`, repeated in step."""

    slug = forms.CharField(
        label="Id",
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9-]{2,64}\Z", "2 to 64 lower-case letters, digits and hyphens.")],
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
        help_text="It never changes: playbooks and runs refer to it.",
    )
    title = forms.CharField(max_length=120)
    description = forms.CharField(max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    entity = forms.ChoiceField(label="About", choices=[(e, e.capitalize()) for e in ENTITIES])
    change = forms.CharField(
        label="What is different", max_length=500, required=False, help_text="In a sentence, for the list of versions."
    )
    add = forms.ChoiceField(label="Add a hunt", required=False)

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["add"]
        assert isinstance(field, forms.ChoiceField)
        groups: dict[str, list[tuple[str, str]]] = {}
        for hunt in shelf.hunts().values():
            groups.setdefault(hunt.entity.capitalize(), []).append((hunt.id, hunt.title))
        field.choices = [("", "Choose a hunt"), *groups.items()]
        if is_new:
            del self.fields["change"]
        else:
            del self.fields["slug"]

    def content(self, steps: Sequence[StepRow]) -> dict[str, Any]:
        """As a pack's file has it."""
        hunts = [{"hunt": s.hunt, "only_if": s.only_if} if s.only_if else s.hunt for s in steps]
        return {key: self.cleaned_data[key] for key in ("title", "description", "entity")} | {"hunts": hunts}

    def take_errors(self, error: ValidationError) -> None:
        for name, found in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
            field = {"id": "slug"}.get(name, name)
            for message in found:
                self.add_error(field if field in self.fields else None, message)


def steps_of(data: QueryDict) -> list[StepRow]:
    """The steps that a form sends, as far as they are ids at all."""
    pairs = zip(data.getlist("hunt")[:MOST_STEPS], data.getlist("only_if")[:MOST_STEPS], strict=False)
    ids = re.compile(r"[a-z0-9-]{2,64}\Z")
    found = [(hunt, only_if if ids.match(only_if) else "") for hunt, only_if in pairs if ids.match(hunt)]
    return named(found)


def steps_of_pack(pack: Pack) -> list[StepRow]:
    return [StepRow(step.hunt.id, step.only_if, step.hunt.title) for step in pack.steps]


def named(pairs: Sequence[tuple[str, str]]) -> list[StepRow]:
    """With the hunts' titles."""
    known = shelf.hunts(retired=True)
    return [StepRow(hunt, only_if, known[hunt].title if hunt in known else "") for hunt, only_if in pairs]


def moved(steps: list[StepRow], act: str, add: str) -> tuple[list[StepRow], str]:
    """The steps after `act` (up:3, down:3, remove:3, add), and what to say of it. A condition that the new order makes
    impossible is dropped, and that is said."""
    verb, _, place = act.partition(":")
    at = int(place) if place.isdecimal() and len(place) < 4 else -1
    found = list(steps)
    said = ""
    if verb == "add":
        if add and add not in [step.hunt for step in found] and len(found) < MOST_STEPS:
            [new] = named([(add, "")])
            found.append(new)
            said = f"Added {new.title or new.hunt}."
    elif 0 <= at < len(found):
        step = found.pop(at)
        if verb in ("up", "down"):
            to = min(max(at + (1 if verb == "down" else -1), 0), len(found))
            found.insert(to, step)
            said = f"{step.title or step.hunt} is now number {to + 1}."
        elif verb == "remove":
            said = f"Removed {step.title or step.hunt}."
        else:
            found.insert(at, step)
    return _possible(found, said)


def _possible(steps: list[StepRow], said: str) -> tuple[list[StepRow], str]:
    before: set[str] = set()
    found = []
    for step in steps:
        if step.only_if and step.only_if not in before:
            said += (
                f" {step.title or step.hunt} has no condition any more: what it waited for does not stand before it."
            )
            step = replace(step, only_if="")
        found.append(step)
        before.add(step.hunt)
    return found, said.strip()


def conditions(steps: Sequence[StepRow]) -> list[Mapping[str, Any]]:
    """The steps for the page, each with the earlier ones that it may wait for."""
    return [{"step": step, "place": place, "earlier": list(steps[:place])} for place, step in enumerate(steps)]
