"""The form of a saved hunt: what is asked, what a hit means, the text, and its parameters one row each."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.forms import BaseFormSet, formset_factory
from django.http import QueryDict

import kql
from hunting.binding import MAX_KQL
from hunting.catalogue import WRITTEN, Hunt, Parameter
from hunting.constants import Constant, adopt, constants_of
from hunting.importing.facts import Facts
from hunting.models import Source
from hunting.values import KINDS, NOW, Kind, ParameterError, parse, parse_type, typed
from ircase.forms.fields import LongTextField
from ircase.models import Asset, Indicator
from kql.catalogue import TABLES
from kql.errors import KqlError
from kql.literals import prelude
from kql.syntax import parser

ENTITY_CHOICES: Final = (
    ("device", "Devices"), ("account", "Accounts"), ("file", "Files"), ("tenant", "The tenant"),
)  # fmt: skip
MOST_PARAMETERS: Final = 50
_SOURCES: Final = [(value, Source(value).label) for value in WRITTEN]


def _type_choices() -> list[tuple[str, str]]:
    single = [(name, spec.label) for name, spec in KINDS.items()]
    lists = [
        (f"list[{name}]", f"{spec.label}, many")
        for name, spec in KINDS.items()
        if spec.kql not in ("datetime", "timespan")
    ]
    return single + lists


def fill_choices() -> list[tuple[str, str]]:
    """What of a case may fill a parameter, in words."""
    kinds = [kind for kind in Asset.Kind if kind.value in ("device", "account", "mailbox")]
    assets = [(f"asset.{kind.value}.{key}", f"{kind.label}: {key}") for kind in kinds for key in ("name", "identifier")]
    indicators = [(f"indicator.{kind.value}", f"Indicators: {kind.label}") for kind in Indicator.Kind]
    return [("", "Nothing: a person types it"), *assets, *indicators]


class ParameterForm(forms.Form):
    """One value that the hunt asks for. `found` is the key of a constant of the text that it would replace."""

    keep = forms.BooleanField(required=False, label="Keep")
    found = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)
    said = forms.CharField(required=False, max_length=300, widget=forms.HiddenInput)
    name = forms.CharField(
        required=False,
        max_length=64,
        validators=[RegexValidator(r"^[A-Z][A-Za-z0-9]{1,63}$", "A capital, then letters and digits: TargetDevice.")],
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    type = forms.ChoiceField(required=False, choices=_type_choices)
    default = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 1, "class": "mono", "spellcheck": "false"}),
    )
    required = forms.BooleanField(required=False, label="Needed")
    fill = forms.ChoiceField(required=False, label="Filled from", choices=fill_choices)
    help = forms.CharField(required=False, max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self["found"].value():
            self.fields["keep"].label = "Make it a parameter"

    @property
    def is_kept(self) -> bool:
        return bool(self.cleaned_data.get("keep") and self.cleaned_data.get("name"))

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.empty_permitted:  # the row for one more: naming it is enough
            data["keep"] = bool(data.get("name")) or "name" in self.errors
        if not data.get("keep"):
            for name in ("name", "type", "default", "fill"):
                self.errors.pop(name, None)
            return data
        if not data.get("name") and "name" not in self.errors:
            self.add_error("name", "Name it, or take the tick off.")
        try:
            data["value"] = _default(parse_type(data.get("type") or "string"), data.get("default", ""))
        except ParameterError as error:
            self.add_error("default", str(error))
        return data

    def content(self) -> dict[str, Any]:
        """As a library file has it."""
        data = self.cleaned_data
        found: dict[str, Any] = {"name": data["name"], "type": data["type"] or "string"}
        if data["required"]:
            found["required"] = True
        if data["value"] not in ("", []):
            found["default"] = data["value"]
        return found | {key: data[key].strip() for key in ("fill", "help") if data[key].strip()}


def _default(kind: Kind, text: str) -> Any:
    """A default as a file has it: a list, a number, true or false, or text. Raises ParameterError."""
    value = parse(kind, text)
    if kind.many or not value:
        return value
    return int(value) if kind.kql == "long" else value == "true" if kind.kql == "bool" else text.strip()


_Parameters = formset_factory(ParameterForm, extra=1, max_num=MOST_PARAMETERS + 20, absolute_max=100)


class HuntEditForm(forms.Form):
    """Everything but the parameters. `edited_from` is the version that the person had before their eyes."""

    slug = forms.CharField(
        label="Id",
        required=False,
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9-]{2,64}$", "Lower-case letters, digits and hyphens.")],
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Runs, packs and playbooks name the hunt by it, so it stays. Empty: made from the title.",
    )
    title = forms.CharField(min_length=2, max_length=120)
    description = LongTextField(rows=2, required=False, help_text="What is asked, for a person who chooses.")
    entity = forms.ChoiceField(label="About", choices=ENTITY_CHOICES)
    sources = forms.MultipleChoiceField(
        label="Runs on", choices=_SOURCES, widget=forms.CheckboxSelectMultiple, initial=WRITTEN
    )
    source = forms.ChoiceField(
        label="Write against", required=False, choices=_SOURCES, help_text="Whose tables the editor offers."
    )
    kql = forms.CharField(
        label="KQL",
        max_length=MAX_KQL,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "data-code": "", "spellcheck": "false"}),
        help_text="Tab indents; Esc then Tab leaves. Parameters stand in it as plain names.",
    )
    time_column = forms.CharField(
        required=False,
        max_length=128,
        help_text="The column of the result that says when: a row on the timeline takes its time from there.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    techniques = forms.CharField(
        label="ATT&CK techniques", required=False, max_length=500, help_text="Ids, as in T1059.001, T1547."
    )
    meaning = LongTextField(
        label="What a hit means", required=False, rows=3, help_text="And what to do next. Read on the run's page."
    )
    false_positives = LongTextField(label="Honest reasons for a hit", required=False, rows=3, help_text="One a line.")
    references = LongTextField(required=False, rows=2, help_text="https:// addresses, one a line.")
    change = forms.CharField(
        label="What is different", required=False, max_length=500, help_text="In a sentence, for the list of versions."
    )
    require_any = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)
    edited_from = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    accept = forms.BooleanField(
        label="Save it although it cannot be read here",
        required=False,
        help_text="A tenant may know more of the language than IRCase. It will not run on a case's own tables.",
    )

    def clean_kql(self) -> str:
        """Browsers send every line's end as CR LF; the text has LF."""
        return str(self.cleaned_data["kql"]).replace("\r\n", "\n")

    def clean_techniques(self) -> list[str]:
        found = list(dict.fromkeys(re.findall(r"[^\s,;]+", self.cleaned_data["techniques"].upper())))
        wrong = [text for text in found if not re.fullmatch(r"T\d{4}(\.\d{3})?", text)]
        if wrong:
            raise ValidationError(f"{', '.join(wrong[:5])}: no id of a technique. They are written T1059 or T1059.001.")
        return found

    def clean_references(self) -> list[str]:
        found = _lines(self.cleaned_data["references"])
        if wrong := [text for text in found if not text.startswith("https://")]:
            raise ValidationError(f"{wrong[0][:80]} does not begin with https://.")
        return found

    def clean_false_positives(self) -> list[str]:
        return _lines(self.cleaned_data["false_positives"])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


class Editing:
    """The form and its rows of parameters, together: what a person sent, or what they begin with."""

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        base: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        """`base` is the content that is edited, as a library file has it; `initial` goes before it."""
        self.base = dict(base or {})
        self.form = HuntEditForm(data, initial={**_initial(self.base), **(initial or {})})
        rows = [_row(p) for p in self.base.get("parameters", ())]
        text = str((initial or {}).get("kql", self.base.get("kql", "")))
        if data is None:
            rows += _offers(text, {row["name"] for row in rows})
        self.rows: BaseFormSet[ParameterForm] = _Parameters(data, prefix="p", initial=rows)

    def is_valid(self) -> bool:
        return bool(self.form.is_valid() & self.rows.is_valid())

    def take_constants(self) -> None:
        """Where a kept row stands for a constant of the text, the text uses the parameter from now on."""
        data, names = self.form.cleaned_data, {}
        for row in self.rows:
            if row.is_kept and row.cleaned_data["found"]:
                names[row.cleaned_data["found"]] = row.cleaned_data["name"]
        if names:
            data["kql"] = adopt(data["kql"], names)

    def again(self, **more: Any) -> "Editing":
        """The same, unsent: with the constants taken, and those offered that the text has now."""
        data = {**self.form.cleaned_data, **more}
        shown = data | {key: "\n".join(data[key]) for key in ("false_positives", "references")}
        fresh = Editing(initial=shown | {"techniques": ", ".join(data["techniques"])})
        kept = [_row(row.content()) for row in self.rows if row.is_kept]
        fresh.base = self.base
        fresh.rows = _Parameters(prefix="p", initial=kept + _offers(data["kql"], {row["name"] for row in kept}))
        return fresh

    def content(self) -> dict[str, Any]:
        """As a library file has it, without id and version. What the form has no field for stays as it was."""
        data = self.form.cleaned_data
        names = ("title", "entity", "time_column", "techniques", "false_positives", "references", "kql")
        content = {key: data[key] for key in names} | {
            "description": _plain(data["description"]),
            "meaning": _plain(data["meaning"]),
            "sources": [value for value in WRITTEN if value in data["sources"]],
            "parameters": [self._kept_empty(row.content()) for row in self.rows if row.is_kept],
        }
        # A text that differs in its line ends alone was not changed by a person.
        if _plain(str(self.base.get("kql", ""))) == _plain(content["kql"]):
            content["kql"] = self.base["kql"]
        kept = {p["name"] for p in content["parameters"]}
        asked = [name for name in data["require_any"].split() if name in kept]
        return content | ({"require_any": asked} if len(asked) > 1 else {})

    def _kept_empty(self, parameter: dict[str, Any]) -> dict[str, Any]:
        """A default that a file gave as empty stays given: an untouched form changes nothing."""
        named: dict[str, dict[str, Any]] = {p["name"]: p for p in self.base.get("parameters", ())}
        before = named.get(parameter["name"], {})
        empty = before.get("default") in ("", []) and "default" in before and before["type"] == parameter["type"]
        return {**parameter, "default": before["default"]} if empty and "default" not in parameter else parameter

    def take_errors(self, error: ValidationError) -> None:
        """A service's errors, at the fields they are about."""
        found = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for key, messages in found.items():
            name = {"id": "slug"}.get(key, key)
            for message in messages:
                self.form.add_error(name if name in self.form.fields else None, message)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Name and KQL type of what is kept, for the editor."""
        rows = [
            (row.cleaned_data["name"], row.cleaned_data["type"] or "string") for row in self.rows if row.is_kept
        ] if self.rows.is_bound and self.rows.is_valid() else [
            (row["name"], row["type"]) for row in self.rows.initial or () if row["keep"]
        ]  # fmt: skip
        kinds = [(name, parse_type(text)) for name, text in rows]
        return [(name, "dynamic" if kind.many else kind.kql) for name, kind in kinds]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _initial(content: Mapping[str, Any]) -> dict[str, Any]:
    if not content:
        return {}
    found = {key: content.get(key, "") for key in ("title", "description", "entity", "kql", "time_column", "meaning")}
    return found | {
        "sources": list(content.get("sources", ())),
        "source": next(iter(content.get("sources", ())), ""),
        "techniques": ", ".join(content.get("techniques", ())),
        "false_positives": "\n".join(content.get("false_positives", ())),
        "references": "\n".join(content.get("references", ())),
        "require_any": " ".join(content.get("require_any", ())),
    }


def _row(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "keep": True, "found": "", "name": parameter["name"], "type": parameter["type"],
        "default": _text(parameter.get("default")), "required": parameter.get("required", False),
        "fill": parameter.get("fill", ""), "help": parameter.get("help", ""), "said": "",
    }  # fmt: skip


def _offers(text: str, taken: Iterable[str]) -> list[dict[str, Any]]:
    """The constants of the text that are no parameters yet, each a row without its tick."""
    names = set(taken)
    return [_offer(one) for one in constants_of(text) if one.guess.name not in names]


def _offer(one: Constant) -> dict[str, Any]:
    guess, where = one.guess, f", line {one.guess.line}" if one.guess.line else ""
    return {
        "keep": False, "found": one.key, "name": guess.name, "type": str(guess.kind), "default": _text(guess.default),
        "required": guess.required, "fill": guess.fill, "help": guess.help, "said": f"{guess.original[:80]}{where}",
    }  # fmt: skip


def _text(default: Any) -> str:
    if isinstance(default, list | tuple):
        return "\n".join(map(str, default))
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def content_of(hunt: Hunt) -> dict[str, Any]:
    """A hunt as a library file has it, without id and version: what a copy begins with."""
    content = {
        "title": hunt.title, "description": hunt.description, "entity": hunt.entity,
        "sources": [source.value for source in hunt.sources if source.value in WRITTEN], "tables": list(hunt.tables),
        "parameters": [_declared(p) for p in hunt.parameters], "kql": hunt.kql, "time_column": hunt.time_column,
        "techniques": list(hunt.techniques), "meaning": hunt.meaning, "false_positives": list(hunt.false_positives),
        "references": list(hunt.references),
    }  # fmt: skip
    return content | ({"require_any": list(hunt.require_any)} if hunt.require_any else {})


def _declared(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "type": str(parameter.kind)}
    if parameter.required:
        found["required"] = True
    if parameter.default is not None:
        found["default"] = parameter.default
    return found | {key: value for key in ("fill", "help") if (value := getattr(parameter, key))}


def guessed(text: str) -> dict[str, Any]:
    """What a form for this query may begin with: the column that says when."""
    try:
        return {"time_column": Facts(parser.parse(text)).time_column}
    except KqlError:
        return {}


def unreadable(text: str) -> KqlError | None:
    """What keeps the text from being read as KQL at all, with its line and column."""
    try:
        parser.parse(text)
    except KqlError as error:
        return error
    return None


def _default_of(parameter: Parameter) -> Any:
    """As `typed` takes it; a moment that is pinned when it runs is any moment here."""
    value = parse(parameter.kind, "" if parameter.default is None else parameter.default)
    return "" if value == NOW and parameter.kind.kql == "datetime" else value


def not_on_a_case(hunt: Hunt) -> Sequence[kql.Diagnostic]:
    """What keeps the local engine from running it over the tables that IRCase knows; nothing is said of others."""
    if Source.CASE not in hunt.sources or any(table not in TABLES for table in hunt.tables):
        return ()
    values = {p.name: typed(p.kind, _default_of(p)) for p in hunt.parameters}
    found = kql.validate(hunt.kql, {name: TABLES[name] for name in hunt.tables}, prelude=prelude(values))
    return [one for one in found if one.severity == "error"]
