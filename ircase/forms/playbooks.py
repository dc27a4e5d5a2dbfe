"""A playbook in forms: what it is for, one item of it, and the whole as YAML."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from ircase.catalogue import LONGEST_YAML
from ircase.forms.fields import LongTextField, ScopedForm, with_blank
from ircase.models import ChecklistItem, Milestone, Phase
from ircase.nist import frameworks

_MONO: Final = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}
_PHASES: Final = [choice for choice in Phase.choices if choice[0] != Phase.PREPARATION]
_SPAN = RegexValidator(r"^\d{1,4}[mhd]\Z", "A number and m, h or d: 90m, 4h, 2d.")
_SLUG = RegexValidator(r"^[a-z0-9-]{2,64}\Z", "2 to 64 lower-case letters, digits and hyphens.")


class NamesField(forms.CharField):
    """Names with commas or on lines of their own; a list in the content."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return list(
            dict.fromkeys(name.strip() for name in re.split(r"[,\n]", super().to_python(value) or "") if name.strip())
        )

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise ValidationError("Name at least one.")
        if any(len(name) > 64 for name in value):
            raise ValidationError("A name has 64 characters at most.")

    def run_validators(self, value: Any) -> None:
        """The limits are in `validate`: the validators of a text do not fit a list."""


class ChangeForm(ScopedForm):
    """What every save is asked: which version was edited, and what is different."""

    edited_from = forms.IntegerField(required=False, min_value=0, max_value=999_999, widget=forms.HiddenInput)
    change = forms.CharField(max_length=500, required=False, label="What is different", help_text="In a sentence.")


class PlaybookForm(ChangeForm):
    title = forms.CharField(max_length=200)
    description = LongTextField(rows=3, max_length=4000, help_text="When it fits, in a sentence.")
    roles = NamesField(help_text="The duties on a case, with commas: Lead, Analyst, Scribe.")
    packs = NamesField(required=False, label="Packs of hunts", help_text="Their ids, with commas.")

    def content(self, before: Mapping[str, Any]) -> dict[str, Any]:
        data = self.cleaned_data
        found = {**before, **{name: data[name] for name in ("title", "description", "roles")}}
        found.pop("packs", None)
        return {**found, "packs": data["packs"]} if data["packs"] else found


class YamlForm(ChangeForm):
    """The whole as text. `slug` is asked where the playbook is new."""

    slug = forms.CharField(
        required=False,
        label="Id",
        max_length=64,
        validators=[_SLUG],
        widget=forms.TextInput(attrs=_MONO),
        help_text="Lower-case letters, digits and hyphens. Empty: the id in the text.",
    )
    text = forms.CharField(
        label="YAML",
        max_length=LONGEST_YAML,
        strip=False,
        widget=forms.Textarea(attrs={**_MONO, "rows": 28, "data-code": ""}),
        help_text="Tab indents; Esc, then Tab, leaves the field. Ctrl+Enter saves.",
    )


class PlaybookItemForm(ChangeForm):
    """One item. `above` are the items that stand above it, which it may depend on."""

    title = forms.CharField(max_length=300, min_length=4)
    key = forms.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9_]{2,64}\Z", "2 to 64 lower-case letters, digits and underscores.")],
        widget=forms.TextInput(attrs=_MONO),
        help_text="Its name within the playbook. Cases keep items apart by it: do not use it again for another step.",
    )
    phase = forms.ChoiceField(choices=_PHASES)
    guidance = LongTextField(rows=4, max_length=4000, required=False)
    r2 = forms.ChoiceField(label="Step of SP 800-61r2")
    csf = forms.ChoiceField(label="Outcome of CSF 2.0")
    required = forms.BooleanField(required=False, help_text="It holds the phase's gate.")
    proof = forms.ChoiceField(choices=ChecklistItem.ProofRule.choices, label="Where required, it closes with")
    role = forms.ChoiceField(required=False, label="Duty", help_text="Whoever has it is given the item when it opens.")
    repeat_per = forms.ChoiceField(
        required=False,
        choices=[("", "It is there once"), ("device", "One for each device"), ("account", "One for each account")],
        label="Repeats",
        help_text="For each that is suspected or confirmed as compromised.",
    )
    due_within = forms.CharField(
        required=False, max_length=5, validators=[_SPAN], label="Due within", help_text="90m, 4h, 2d. Empty: no date."
    )
    due_after = forms.ChoiceField(
        required=False, choices=[("opened", "The case is opened"), *Milestone.Kind.choices], label="After"
    )
    depends_on = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple, label="Waits for")
    hunts = NamesField(required=False, label="Suggested hunts", help_text="Ids, with commas.")
    collections = NamesField(required=False, label="Suggested collections")
    actions = NamesField(required=False, label="Suggested response actions")

    def __init__(self, *args: Any, roles: Sequence[str], above: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = frameworks()
        choices: dict[str, list[tuple[str, str]]] = {
            "r2": [(number, f"{number} {text}") for number, text in words.steps.items()],
            "csf": [(number, f"{number} {text}") for number, text in words.outcomes.items()],
            "role": with_blank([(role, role) for role in roles], "Nobody's in particular"),
            "depends_on": list(above),
        }
        for name, offered in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = offered
        if not above:
            del self.fields["depends_on"]

    @staticmethod
    def initial_of(item: Mapping[str, Any]) -> dict[str, Any]:
        due, suggests = item.get("due", {}), item.get("suggests", {})
        flat = {name: value for name, value in item.items() if name not in ("due", "suggests")}
        return {**flat, "due_within": due.get("within", ""), "due_after": due.get("after", "opened"), **suggests}

    def content(self) -> dict[str, Any]:
        """As a file has it: only what is said."""
        data = self.cleaned_data
        found: dict[str, Any] = {name: data[name] for name in ("key", "phase", "title")}
        if data["guidance"]:
            found["guidance"] = data["guidance"].replace("\r\n", "\n")
        found |= {"r2": data["r2"], "csf": data["csf"]}
        if data["proof"] != ChecklistItem.ProofRule.LINK:
            found["proof"] = data["proof"]
        for name in ("role", "repeat_per", "required", "depends_on"):
            if data.get(name):
                found[name] = data[name]
        if data["due_within"]:
            found["due"] = {"after": data["due_after"] or "opened", "within": data["due_within"]}
        suggests = {name: data[name] for name in ("hunts", "collections", "actions") if data[name]}
        return {**found, "suggests": suggests} if suggests else found


class ReviewWordsForm(ScopedForm):
    words = LongTextField(rows=3, max_length=4000, label="Your review", help_text="What you looked at, what you think.")
