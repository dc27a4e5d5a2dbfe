"""What people fill in of a notebook: its name, its cells, a file to make one of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from hunting.binding import MAX_KQL
from hunting.forms.running import AS_OF_HELP, SPAN_HELP, SourceForm, as_of
from hunting.services.notebooks.editing import Draft
from hunting.services.notebooks.exchange import MAX_FILE
from hunting.services.runs import SourceChoice
from ircase.forms.fields import LongTextField


class NotebookForm(forms.Form):
    """A notebook's name."""

    title = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class NotebookImportForm(forms.Form):
    """A Markdown file, or its text."""

    title = forms.CharField(max_length=200, required=False, help_text="Empty: the file's first heading.")
    file = forms.FileField(label="Markdown file", required=False, allow_empty_file=False)
    text = LongTextField(
        rows=8, max_length=MAX_FILE, required=False, label="Or its text", help_text="Fences of kql become queries."
    )

    def clean(self) -> dict[str, Any]:
        """The file's text takes the text's place."""
        data: dict[str, Any] = super().clean() or {}
        file = data.get("file")
        if file is None:
            return data
        if file.size > MAX_FILE:
            raise ValidationError(f"A file of at most {MAX_FILE // 2**20} MB is read.")
        try:
            return data | {"text": file.read().decode("utf-8-sig")}
        except UnicodeDecodeError:
            raise ValidationError("The file is not text in UTF-8.") from None


class MarkdownCellForm(forms.Form):
    """A cell of markdown. `version` is the one that was on screen when writing began."""

    text = LongTextField(rows=6, max_length=MAX_KQL, required=False, label="Text", help_text="Markdown.")
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    @property
    def draft(self) -> Draft:
        return Draft(self.cleaned_data["text"])


class KqlCellForm(SourceForm):
    """A cell of KQL."""

    text = forms.CharField(
        label="KQL",
        max_length=MAX_KQL,
        strip=False,
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "data-code": "", "spellcheck": "false"}),
        help_text="Tab indents; Esc then Tab leaves; Ctrl+Enter runs, Shift+Enter runs and moves on.",
    )
    name = forms.CharField(
        max_length=64,
        required=False,
        help_text="Cells below read the result as a table of this name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    span = forms.CharField(label="Window", max_length=30, required=False, help_text=SPAN_HELP)
    as_of = forms.CharField(label="As of", required=False, max_length=40, help_text=AS_OF_HELP)
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, sources: Sequence[SourceChoice], now: str, **kwargs: Any) -> None:
        """`now`: the source that the cell has, which stays a choice even where the case cannot use it today."""
        super().__init__(*args, **kwargs)
        kept = [c if c.source != now else replace(c, why_not="", where=c.where or c.why_not) for c in sources]
        self.set_sources(kept)

    @property
    def draft(self) -> Draft:
        data = self.cleaned_data
        return Draft(data["text"], data["name"], data["source"], data["span"], as_of(data["as_of"]))
