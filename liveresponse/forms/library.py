"""What a person gives to change the tenant's script library."""

from typing import Final

from django import forms

_WORDS: Final = 1000


class UploadForm(forms.Form):
    """A file for the library. The name is that of the file unless another is given."""

    file = forms.FileField(label="Script or tool")
    name = forms.CharField(
        label="Name in the library",
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Letters, digits, - _ and . only. Empty: the file's own name.",
    )
    description = forms.CharField(required=False, max_length=_WORDS)
    parameters = forms.CharField(
        label="Its arguments, in words", required=False, max_length=_WORDS, help_text="As in -sw: days of events."
    )
    replace = forms.BooleanField(label="Replace the file of that name", required=False)
    reason = forms.CharField(label="Why", required=False, max_length=500)


class DeleteForm(forms.Form):
    """The second question before a file leaves the tenant's library."""

    typed_name = forms.CharField(
        label="Type the file's name",
        max_length=255,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    reason = forms.CharField(label="Why", required=False, max_length=500)
