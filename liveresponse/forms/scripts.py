"""A lead's yes in advance."""

from django import forms


class StandingForm(forms.Form):
    """A lead's yes in advance to one script."""

    days = forms.IntegerField(label="Days", min_value=1, max_value=90, initial=30)
    reason = forms.CharField(label="Why", max_length=500)
