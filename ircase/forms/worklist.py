"""The filters of the work across cases, which are its address; and planning many items at once."""

from typing import Any

from django import forms

from ircase import worklist
from ircase.forms.fields import MomentField, PersonField, ScopedForm, with_blank
from ircase.models import ChecklistItem, Phase, Severity

_STATES = [(state.value, str(state.label)) for state in ChecklistItem.LIVE]
_PHASES = [choice for choice in Phase.choices if choice[0] != Phase.PREPARATION]


class WorkFilterForm(ScopedForm):
    """What makes no sense is ignored, never an error page."""

    q = forms.CharField(max_length=200, required=False, label="Text", widget=forms.TextInput(attrs={"type": "search"}))
    whose = forms.ChoiceField(choices=worklist.WHOSE, required=False, label="Items")
    due = forms.ChoiceField(choices=worklist.DUE, required=False, label="Due")
    state = forms.ChoiceField(choices=with_blank(_STATES, "Every state"), required=False, label="State")
    severity = forms.ChoiceField(choices=with_blank(Severity.choices, "Every severity"), required=False)
    phase = forms.ChoiceField(choices=with_blank(_PHASES, "Every phase"), required=False)

    def filters(self) -> worklist.Filters:
        self.is_valid()
        data: dict[str, Any] = {name: self.cleaned_data.get(name) or "" for name in self.fields}
        return worklist.Filters(**{**data, "whose": data["whose"] or "mine"})


class PlanManyForm(ScopedForm):
    """What is left empty stays as it is."""

    owner = PersonField(required=False, empty_label="Leave the owner")
    due_at = MomentField(required=False, label="Due")
