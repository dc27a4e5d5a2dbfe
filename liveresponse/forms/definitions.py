"""The form of a team's own collection: what it is for, and its parameters and steps one row each."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.forms import BaseFormSet, formset_factory
from django.http import QueryDict

from ircase.forms.fields import LongTextField
from liveresponse.catalogue import APPROVAL_WORDS, PLATFORMS, TYPE_LABELS
from liveresponse.catalogue.schema import MAX_PARAMETERS, MAX_STEPS

_MONO: Final = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}
KINDS: Final = (
    ("run_script", "Run a script of the library"), ("put_file", "Put a library file on the device"),
    ("get_file", "Fetch a file"), ("package", "Collect the investigation package"),
)  # fmt: skip
_YES: Final = ("on", "true", "True", "1")


class ParameterForm(forms.Form):
    """One value that a person is asked for."""

    name = forms.CharField(
        max_length=40,
        validators=[RegexValidator(r"^[A-Z][A-Za-z]{1,39}\Z", "A capital, then letters: MaxFiles.")],
        widget=forms.TextInput(attrs=_MONO),
        help_text="Stands in arguments and paths as {Name}.",
    )
    type = forms.ChoiceField(choices=list(TYPE_LABELS.items()))
    title = forms.CharField(label="Asked as", max_length=300)
    help = forms.CharField(label="Explained as", required=False, max_length=1000)
    default = forms.CharField(required=False, max_length=1024, widget=forms.TextInput(attrs=_MONO))
    required = forms.BooleanField(required=False, label="Needed")
    minimum = forms.IntegerField(label="Smallest", required=False)
    maximum = forms.IntegerField(label="Largest", required=False)
    max_length = forms.IntegerField(label="Longest text", required=False, min_value=1, max_value=1024)
    choices = forms.CharField(
        required=False, widget=forms.Textarea(attrs={**_MONO, "rows": 2}), help_text="One a line."
    )
    if_yes = forms.CharField(
        label="Put in for yes", required=False, max_length=300, widget=forms.TextInput(attrs=_MONO)
    )
    if_no = forms.CharField(label="Put in for no", required=False, max_length=300, widget=forms.TextInput(attrs=_MONO))

    def content(self) -> dict[str, Any]:
        """As a file has it: only what its type uses."""
        data, kind = self.cleaned_data, self.cleaned_data["type"]
        found: dict[str, Any] = {"name": data["name"], "type": kind, "title": data["title"]}
        if data["help"]:
            found["help"] = data["help"]
        if data["required"]:
            found["required"] = True
        if data["default"] != "":
            found["default"] = self._default(kind, data["default"])
        used = {"int": ("minimum", "maximum"), "string": ("max_length",), "bool": ("if_yes", "if_no")}.get(kind, ())
        found |= {key: data[key] for key in used if data[key] not in (None, "")}
        if kind == "choice":
            found["choices"] = _lines(data["choices"])
        return found

    @staticmethod
    def _default(kind: str, text: str) -> Any:
        if kind == "bool":
            return text.strip().lower() in ("yes", "true", "on", "1")
        if kind == "int" and re.fullmatch(r"-?\d{1,18}", text.strip()):
            return int(text)
        return text


class StepForm(forms.Form):
    """One machine action."""

    title = forms.CharField(max_length=300)
    kind = forms.ChoiceField(label="What it does", choices=KINDS)
    key = forms.CharField(
        required=False,
        max_length=40,
        validators=[RegexValidator(r"^[a-z_]+\Z", "Lower-case letters and underscores.")],
        widget=forms.TextInput(attrs=_MONO),
        help_text="Empty: made from the title.",
    )
    file = forms.CharField(
        label="Library file", required=False, max_length=255, widget=forms.TextInput(attrs={**_MONO, "list": "library"})
    )
    args = forms.CharField(
        label="Arguments",
        required=False,
        max_length=4000,
        widget=forms.TextInput(attrs=_MONO),
        help_text='As -Path "{Path}" -Days {Days}. Paths and texts stand in double quotes.',
    )
    find = forms.CharField(
        label="Paths to find in what it prints",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={**_MONO, "rows": 2}),
        help_text="One a line: name = pattern, as in  zip = Written to (?P<path>[^\\r\\n]+\\.zip)",
    )
    printed = forms.BooleanField(
        label="What it prints is the output",
        required=False,
        help_text="JSON between the lines of IRCase; last step only.",
    )
    table = forms.CharField(
        label="Rows of the table", required=False, max_length=64, widget=forms.TextInput(attrs=_MONO)
    )
    path = forms.CharField(
        label="Path to fetch",
        required=False,
        max_length=4000,
        widget=forms.TextInput(attrs=_MONO),
        help_text="A parameter or a found name in braces: {zip}.",
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        kind = data.get("kind")
        if kind in ("run_script", "put_file") and not data.get("file"):
            self.add_error("file", "Name the file of the tenant's library.")
        if kind == "get_file" and not data.get("path"):
            self.add_error("path", "Say which path is fetched.")
        wrong = [line for line in _lines(data.get("find", "")) if "=" not in line]
        if wrong:
            self.add_error("find", f"{wrong[0][:60]}: write a name, =, and the pattern.")
        return data

    def content(self, *, last: bool) -> dict[str, Any]:
        """As a file has it, without a key where none was given."""
        data, kind = self.cleaned_data, self.cleaned_data["kind"]
        found: dict[str, Any] = {"key": data["key"], "title": data["title"]}
        if kind == "package":
            found["package"] = True
        else:
            found[kind] = data["path"] if kind == "get_file" else data["file"].strip()
        if kind == "run_script":
            found |= {"args": data["args"]} if data["args"] else {}
            pairs = [line.split("=", 1) for line in _lines(data["find"])]
            found |= {"find": {name.strip(): pattern.strip() for name, pattern in pairs}} if pairs else {}
            found |= {"output": "printed", "table": data["table"]} if data["printed"] else {}
        elif last and kind != "put_file":
            found["output"] = True
        return found


_Parameters = formset_factory(ParameterForm, extra=0, max_num=MAX_PARAMETERS, absolute_max=MAX_PARAMETERS + 1)
_Steps = formset_factory(StepForm, extra=0, max_num=MAX_STEPS, absolute_max=MAX_STEPS + 1)


class CollectionEditForm(forms.Form):
    """Everything but the rows. `edited_from` is the version that the person had before their eyes."""

    title = forms.CharField(min_length=2, max_length=120)
    slug = forms.CharField(
        label="Id",
        required=False,
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9-]{2,64}\Z", "2 to 64 lower-case letters, digits and hyphens.")],
        widget=forms.TextInput(attrs=_MONO),
        help_text="Jobs and playbooks name it, so it stays. Empty: made from the title.",
    )
    description = LongTextField(rows=3, required=False, help_text="What it brings home, for a person who chooses.")
    changes = LongTextField(
        rows=2, label="What it changes on the device", help_text="Told to who asks and to who approves."
    )
    platforms = forms.MultipleChoiceField(
        choices=[(name, name) for name in PLATFORMS], widget=forms.CheckboxSelectMultiple, initial=["Windows"]
    )
    approval = forms.ChoiceField(choices=list(APPROVAL_WORDS.items()), initial="script")
    time_limit = forms.CharField(
        label="An offline device is waited for",
        max_length=5,
        initial="72h",
        validators=[RegexValidator(r"^[1-9]\d{0,3}(m|h|d)\Z", "A number and m, h or d: 72h.")],
    )
    parse = forms.BooleanField(label="Read what comes home into tables", required=False, initial=True)
    source = forms.URLField(
        label="Where its script comes from", required=False, max_length=500, assume_scheme="https",
        help_text="An https:// address, for a script that somebody else wrote.",
    )  # fmt: skip
    source_commit = forms.CharField(
        label="Commit it was written against", required=False, max_length=40,
        validators=[RegexValidator(r"^[0-9a-f]{7,40}\Z", "7 to 40 hex digits.")], widget=forms.TextInput(attrs=_MONO),
    )  # fmt: skip
    change = forms.CharField(
        label="What is different", required=False, max_length=500, help_text="In a sentence, for the list of versions."
    )
    edited_from = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)


class Editing:
    """The form and its rows together: what a person sent, or what they begin with."""

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        base: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        """`base` is the content that is edited, as a file has it; `initial` goes before it."""
        content = dict(base or {})
        self.form = CollectionEditForm(data, initial={**_initial(content), **(initial or {})})
        parameters = [_parameter_row(one) for one in content.get("parameters", ())]
        steps = [_step_row(one) for one in content.get("steps", ())] or [{"kind": "run_script"}]
        self.parameters: BaseFormSet[ParameterForm] = _Parameters(data, prefix="p", initial=parameters)
        self.steps: BaseFormSet[StepForm] = _Steps(data, prefix="s", initial=steps)

    def is_valid(self) -> bool:
        valid = self.form.is_valid() & self.parameters.is_valid() & self.steps.is_valid()
        if valid and not self.steps.forms:
            self.form.add_error(None, "A collection needs at least one step.")
            valid = False
        return bool(valid)

    def act(self, what: str) -> "Editing":
        """The same, unsent, with a row added, moved or taken out: `add:s`, `add:p`, `up:s:1`, `remove:p:0`."""
        rows = {"p": _raw(self.parameters), "s": _raw(self.steps)}
        verb, _, rest = what.partition(":")
        which, _, number = rest.partition(":")
        if which in rows:
            _moved(rows[which], verb, int(number) if number.isdecimal() and len(number) < 4 else 0)
        fresh = Editing(initial={name: self.form[name].value() for name in self.form.fields})
        fresh.parameters = _Parameters(prefix="p", initial=rows["p"][:MAX_PARAMETERS])
        fresh.steps = _Steps(prefix="s", initial=rows["s"][:MAX_STEPS])
        return fresh

    def content(self) -> dict[str, Any]:
        """As a file has it, without id and version."""
        data, count = self.form.cleaned_data, len(self.steps.forms)
        steps = [step.content(last=number == count - 1) for number, step in enumerate(self.steps.forms)]
        content: dict[str, Any] = {
            "title": data["title"], "description": _plain(data["description"]),
            "platforms": [name for name in PLATFORMS if name in data["platforms"]],
            "parameters": [parameter.content() for parameter in self.parameters.forms], "steps": _keyed(steps),
            "changes": _plain(data["changes"]), "approval": data["approval"], "time_limit": data["time_limit"],
        }  # fmt: skip
        content |= {"parser": "artifacts"} if data["parse"] else {}
        return content | {key: data[key] for key in ("source", "source_commit") if data[key]}

    def take_errors(self, error: ValidationError) -> None:
        """A service's errors, at the fields they are about."""
        found = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for key, messages in found.items():
            name = {"id": "slug"}.get(key, key)
            for message in messages:
                self.form.add_error(name if name in self.form.fields else None, message)


class ImportForm(forms.Form):
    """A definition as YAML, pasted or as a file."""

    file = forms.FileField(label="YAML file", required=False)
    text = forms.CharField(
        label="Or paste it",
        required=False,
        max_length=100_000,
        strip=False,
        widget=forms.Textarea(attrs={**_MONO, "rows": 16}),
    )
    next_version = forms.BooleanField(label="Save it as the next version where its id is there already", required=False)
    change = forms.CharField(label="What is different", required=False, max_length=500)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not data.get("file") and not data.get("text", "").strip():
            raise ValidationError("Choose a file, or paste its text.")
        return data


def _raw(rows: "BaseFormSet[Any]") -> list[dict[str, Any]]:
    return [{name: row[name].value() for name in row.fields} for row in rows.forms]


def _moved(rows: list[dict[str, Any]], verb: str, place: int) -> None:
    if verb == "add":
        rows.append({})
    elif verb == "remove" and place < len(rows):
        del rows[place]
    elif verb in ("up", "down"):
        other = place + (1 if verb == "down" else -1)
        if 0 <= other < len(rows) and place < len(rows):
            rows[place], rows[other] = rows[other], rows[place]


def _keyed(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every step with a key; one that is made differs from all the others."""
    taken = {step["key"] for step in steps}
    for step in steps:
        if step["key"]:
            continue
        base = re.sub(r"[^a-z]+", "_", step["title"].lower()).strip("_")[:30] or "step"
        key, letters = base, iter("bcdefghijklmnopqrstuvwxyz")
        while key in taken:
            key = f"{base}_{next(letters)}"
        step["key"] = key
        taken.add(key)
    return steps


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _initial(content: Mapping[str, Any]) -> dict[str, Any]:
    if not content:
        return {}
    names = ("title", "description", "changes", "platforms", "approval", "time_limit", "source", "source_commit")
    return {name: content.get(name, "") for name in names} | {"parse": content.get("parser") == "artifacts"}


def _parameter_row(data: Mapping[str, Any]) -> dict[str, Any]:
    default = data.get("default", "")
    shown = ("yes" if default else "no") if isinstance(default, bool) else default
    return {**data, "default": shown, "choices": "\n".join(data.get("choices", ()))}


def _step_row(data: Mapping[str, Any]) -> dict[str, Any]:
    kind = next(kind for kind, _ in KINDS if kind in data)
    return {
        "key": data["key"], "title": data["title"], "kind": kind, "args": data.get("args", ""),
        "file": data.get("run_script") or data.get("put_file") or "", "path": data.get("get_file", ""),
        "find": "\n".join(f"{name} = {pattern}" for name, pattern in data.get("find", {}).items()),
        "printed": data.get("output") == "printed", "table": data.get("table", ""),
    }  # fmt: skip
