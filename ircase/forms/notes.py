"""Notes, comments, and what is typed into them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ircase import textmerge
from ircase.forms.fields import LongTextField, ScopedForm
from ircase.models import NoteRevision
from ircase.services.writing.comments import MOST_CHARACTERS as COMMENT_LENGTH
from ircase.services.writing.notes import MOST_CHARACTERS

MARKDOWN_HELP = "Markdown. @name tells somebody, E-3 names an exhibit, [[title]] a note; Ctrl+B, Ctrl+I, Ctrl+K."


class NoteForm(ScopedForm):
    """`version` is the one that was on screen when writing began."""

    title = forms.CharField(max_length=200)
    body = LongTextField(
        required=False, rows=16, max_length=MOST_CHARACTERS, label="Text", help_text=MARKDOWN_HELP, strip=False
    )
    version = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)


class NoteNewForm(NoteForm):
    """With the folder that it is put into."""

    folder = forms.CharField(
        max_length=200, required=False, help_text="As in Interviews/Day 1.",
        widget=forms.TextInput(attrs={"list": "note-folders"}),
    )  # fmt: skip
    field_order = ("title", "folder", "body", "version")


class MergeForm(NoteForm):
    """What is saved in place of two texts."""

    def clean_body(self) -> str:
        body = str(self.cleaned_data["body"])
        if textmerge.has_marks(body):
            raise ValidationError(
                "A place still holds both texts, between lines of <<<<<<< and >>>>>>>. Keep what counts."
            )
        return body


class PlaceForm(ScopedForm):
    folder = forms.CharField(
        max_length=200, required=False, help_text="As in Interviews/Day 1; empty for the top.",
        widget=forms.TextInput(attrs={"list": "note-folders"}),
    )  # fmt: skip
    pinned = forms.BooleanField(required=False, label="Pinned to the top of its folder")


class CompareForm(forms.Form):
    """Two texts of one note, by the number of their rows."""

    before = forms.ModelChoiceField(queryset=NoteRevision.objects.none())
    after = forms.ModelChoiceField(queryset=NoteRevision.objects.none())

    def __init__(self, *args: Any, revisions: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("before", "after"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = revisions


class CommentForm(forms.Form):
    """`version` is the one that was on screen, where a comment is edited."""

    body = LongTextField(rows=3, max_length=COMMENT_LENGTH, label="Comment", help_text=MARKDOWN_HELP, strip=False)
    version = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)
