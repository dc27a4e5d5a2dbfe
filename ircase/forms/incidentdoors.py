"""Sources of incidents, and files of them."""

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from ircase.forms.fields import ScopedForm
from ircase.intake import mapped
from ircase.models import Connection, IncidentSource

if TYPE_CHECKING:
    _SourceForm = forms.ModelForm[IncidentSource]
else:
    _SourceForm = forms.ModelForm

EXAMPLE = {"fields": {"title": "title", "id": "id", "severity": "severity", "created": "created",
                      "devices": "hosts[].name", "addresses": "source_ips"}, "severities": {"5": "high"}}  # fmt: skip
_WORDS = {"addresses": "IP addresses", "id": "Its id", "created": "Time", "updated": "Last update", "url": "Link",
          "urls": "Web addresses", "techniques": "ATT&CK techniques"}  # fmt: skip


class _Lines(json.JSONEncoder):
    """A line for each field: people read and write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"indent": 2}))


class SourceForm(_SourceForm):
    """A system that posts incidents. `sample` is what it posts, to see what the mapping makes of it; it is not kept."""

    sample = forms.CharField(
        required=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 6, "data-code": "", "spellcheck": "false"}),
        label="A sample of what it posts",
        help_text="“Preview” shows what the mapping makes of it. It is not kept. Esc, then Tab leaves the field.",
    )

    class Meta:
        model = IncidentSource
        fields = ("name", "enabled", "connection", "mapping")
        labels = {"connection": "Tenant", "enabled": "Takes incidents"}
        help_texts = {
            "connection": "The tenant that cases made of its incidents are about; empty where it is none of these.",
            "mapping": "Our field to the path in the JSON: names joined by dots, [] for each of a list. Fields: "
            + ", ".join(mapped.FIELDS),
        }
        widgets = {"mapping": forms.Textarea(attrs={"rows": 8, "data-code": "", "spellcheck": "false"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mapping = self.fields["mapping"]
        assert isinstance(mapping, forms.JSONField)
        mapping.encoder = _Lines  # the field writes the text itself: given a text it would quote it
        self.initial["mapping"] = self.instance.mapping if self.instance.pk else EXAMPLE
        tenant = self.fields["connection"]
        assert isinstance(tenant, forms.ModelChoiceField)
        tenant.empty_label = "None of these"

    def clean_mapping(self) -> Any:
        value = self.cleaned_data["mapping"]
        problems = mapped.problems_of(value)
        if problems:
            raise ValidationError(problems)
        return value


class FileForm(ScopedForm):
    """A CSV of incidents, and what it is a file of."""

    source = forms.CharField(
        max_length=100,
        label="Name of the source",
        help_text="Such as “Export of the SIEM”. Files of the same source share the mapping.",
    )
    connection = forms.ModelChoiceField(
        Connection.objects.all(), required=False, label="Tenant", empty_label="None of these",
        help_text="For a new source: what cases made of its incidents are about.",
    )  # fmt: skip


class ColumnsForm(ScopedForm):
    """Which column of a file is which field."""

    zone = forms.CharField(
        max_length=60, required=False, label="Time zone", help_text="Of times that name none, as in Europe/Copenhagen."
    )

    def __init__(self, *args: Any, columns: list[str], mapping: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._severities = mapping.get("severities", {})
        known = mapping.get("fields", {})
        choices = [("", "Not in the file"), *((name, name) for name in columns)]
        self.initial["zone"] = mapping.get("zone", "")
        for name in mapped.FIELDS:
            label = _WORDS.get(name, name.capitalize())
            self.fields[name] = forms.ChoiceField(choices=choices, required=name == "title", label=label)
            self.initial[name] = known.get(name, "") if known.get(name) in columns else ""
        self.order_fields([*mapped.FIELDS, "zone"])

    def mapping(self) -> dict[str, Any]:
        """The mapping that was chosen."""
        fields = {name: self.cleaned_data[name] for name in mapped.FIELDS if self.cleaned_data.get(name)}
        found: dict[str, Any] = {"fields": fields}
        if self.cleaned_data["zone"].strip():
            found["zone"] = self.cleaned_data["zone"].strip()
        return {**found, "severities": self._severities} if self._severities else found
