"""Notes."""

from django import forms

from ircase.forms.fields import LongTextField, ScopedForm


class NoteForm(ScopedForm):
    """`version` is the one that was on screen when writing began."""

    title = forms.CharField(max_length=200)
    body = LongTextField(required=False, rows=16, max_length=500_000, label="Text", help_text="Markdown.")
    version = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)
