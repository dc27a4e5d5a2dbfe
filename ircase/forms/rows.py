"""What a row of a table becomes: an event, an asset, an indicator, or indicators of many rows at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from ircase.forms.fields import LongTextField, MomentField, ScopedForm, with_blank
from ircase.grid import MAX_PAGE
from ircase.models import Asset, Event, Indicator
from ircase.services.analysis.mapping import TARGETS, Plan
from kql import Column


class RowEventForm(forms.Form):
    """A row on the timeline."""

    at = MomentField(label="When")
    title = forms.CharField(max_length=300, label="What happened")
    technique = forms.RegexField(
        r"^T\d{4}(\.\d{3})?$", max_length=16, required=False, label="ATT&CK technique", help_text="As in T1547.001."
    )
    lane = forms.ChoiceField(choices=Event.Lane.choices, label="Whose act")
    description = LongTextField(rows=2, required=False, label="Note")


class RowAssetForm(forms.Form):
    kind = forms.ChoiceField(choices=Asset.Kind.choices)
    name = forms.CharField(max_length=255)


class RowIndicatorForm(forms.Form):
    kind = forms.ChoiceField(choices=Indicator.Kind.choices)
    value = forms.CharField(max_length=2048)
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, required=False)


class RowsForm(ScopedForm):
    """Chosen rows as indicators: the values of one column, each once. Without a kind it is recognised."""

    column = forms.ChoiceField()
    kind = forms.ChoiceField(choices=with_blank(Indicator.Kind.choices, "Recognise it"), required=False)
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, initial=Indicator.Verdict.UNKNOWN)

    def __init__(self, *args: object, columns: list[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["column"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(name, name) for name in columns]

    def numbers(self) -> list[int]:
        """The rows that were picked. Raises ValidationError where there are none, or something that is no number."""
        return picked_rows(self.data) if isinstance(self.data, QueryDict) else []


def picked_rows(data: QueryDict) -> list[int]:
    """The numbers of the rows that were picked in a grid. Raises ValidationError where there are none, or something
    that is no number."""
    picked = data.getlist("rows")
    if not picked:
        raise ValidationError("Pick at least one row.")
    if len(picked) > MAX_PAGE or not all(text.isascii() and text.isdigit() and len(text) < 16 for text in picked):
        raise ValidationError("These are no rows of a page.")
    return [int(text) for text in picked]


class MapForm(forms.Form):
    """What each column of many rows becomes. `guesses` are offered first: a person decides."""

    time = forms.ChoiceField(required=False, label="Events at the time in")
    title = forms.CharField(
        required=False,
        max_length=300,
        label="Called",
        help_text="{Column} stands for the row's value, as in {ActionType} on {DeviceName}.",
    )
    lane = forms.ChoiceField(choices=Event.Lane.choices, required=False, label="Whose act")
    technique = forms.RegexField(
        r"^T\d{4}(\.\d{3})?$", max_length=16, required=False, label="ATT&CK technique", help_text="As in T1547.001."
    )
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, required=False, label="Indicators are")

    def __init__(self, *args: Any, columns: Sequence[Column], guesses: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        moments = [(column.name, column.name) for column in columns if column.type == "datetime"]
        time = self.fields["time"]
        assert isinstance(time, forms.ChoiceField)
        time.choices = with_blank(moments, "No events")
        for place, column in enumerate(columns):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=column.name,
                choices=with_blank(list(TARGETS.items()), "Nothing"),
                required=False,
                initial=guesses.get(column.name, ""),
            )

    def column_fields(self) -> list[forms.BoundField]:
        return [self[f"column_{place}"] for place in range(len(self.columns))]

    def event_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("time", "title", "lane", "technique", "verdict")]

    def plan(self) -> Plan:
        """What a valid form asks for."""
        given = self.cleaned_data
        chosen = {c.name: given[f"column_{place}"] for place, c in enumerate(self.columns)}
        return Plan(
            columns={name: target for name, target in chosen.items() if target},
            time=given["time"],
            title=given["title"],
            lane=given["lane"] or Event.Lane.ATTACKER,
            technique=given["technique"],
            verdict=given["verdict"] or Indicator.Verdict.UNKNOWN,
        )
