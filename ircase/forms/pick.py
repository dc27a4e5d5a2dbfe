"""Choosing one of a case's things: the list is cut for the browser, the field accepts what is not on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.db.models import QuerySet

OFFERED: Final = 200

if TYPE_CHECKING:
    _Choice = forms.ModelChoiceField[Any]
    _Choices = forms.ModelMultipleChoiceField[Any]
else:
    _Choice = forms.ModelChoiceField
    _Choices = forms.ModelMultipleChoiceField


class Pick(_Choice):
    """One thing by its uuid."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj)[:150]


class PickMany(_Choices):
    """Several things by their keys."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj)[:150]


def offer(
    field: forms.Field, rows: QuerySet[Any], words: Callable[[Any], str] | None = None, key: str = "uuid"
) -> None:
    """Let the field choose among `rows`, of which the first 200 are shown."""
    assert isinstance(field, forms.ModelChoiceField)
    field.to_field_name = key
    field.queryset = rows
    shown = [(str(getattr(row, key)), (words or field.label_from_instance)(row)) for row in rows[:OFFERED]]
    blank = [] if isinstance(field, forms.ModelMultipleChoiceField) else [("", "–")]
    field.widget.choices = [*blank, *shown]
