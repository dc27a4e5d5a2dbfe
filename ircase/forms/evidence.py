"""Handing in evidence, and asking for rows of a table."""

from typing import Any

from django import forms
from django.http import QueryDict

from ircase.grid import Filter, GridError
from ircase.services.transfer import uploads


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class UploadForm(forms.Form):
    """The files themselves are taken by `services.uploads.receive`; this is what stands beside them."""

    file = forms.FileField(widget=ManyFilesInput(), label="Choose files", required=False)
    description = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Where it comes from and who handed it over.",
    )
    read = forms.BooleanField(
        required=False,
        initial=True,
        label="Read into tables",
        help_text="Event logs, CSV, JSON, Excel, Parquet and zips of them become tables that hunts can query.",
    )

    limit = staticmethod(uploads.limit_text)


OPERATOR_LABELS = (
    ("contains", "contains"),
    ("equals", "equals"),
    ("not", "is not"),
    ("empty", "is empty"),
    ("present", "is not empty"),
    ("least", "is at least"),
    ("below", "is below"),
)


class ConditionForm(forms.Form):
    """One more condition on the rows of a table."""

    c = forms.ChoiceField(label="Column")
    o = forms.ChoiceField(label="Condition", choices=OPERATOR_LABELS)
    v = forms.CharField(label="Value", required=False)

    def __init__(self, *args: Any, columns: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["c"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(name, name) for name in columns]


def conditions(query: QueryDict) -> list[Filter]:
    """The conditions of an address: `c`, `o` and `v` repeated in step. Raises GridError where they are out of step."""
    names, operators, values = query.getlist("c"), query.getlist("o"), query.getlist("v")
    if not len(names) == len(operators) == len(values):
        raise GridError("A condition needs a column, an operator and a value.")
    return [
        Filter(name, value, operator)  # type: ignore[arg-type]  # the grid refuses an operator that it does not know
        for name, operator, value in zip(names, operators, values, strict=True)
    ]
