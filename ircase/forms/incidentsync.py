"""What is kept the same with Defender."""

from django import forms

from ircase.forms.fields import ScopedForm
from ircase.models import SyncField


class SyncForm(ScopedForm):
    enabled = forms.BooleanField(required=False, label="Keep cases and Defender's incidents the same")
    values = forms.MultipleChoiceField(
        choices=SyncField.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Values",
        help_text="Who alone changed a value prevails; where both did, a person of the case chooses.",
    )
    comments = forms.BooleanField(
        required=False,
        label="Comments",
        help_text="Those that people write for Defender on the case's page; both ways.",
    )
