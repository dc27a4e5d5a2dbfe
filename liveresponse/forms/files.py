"""What people say about files: a verdict, an analysis to read, what to take of it."""

from django import forms
from django.core.exceptions import ValidationError

from artifacts.analysis import MOST_BYTES
from ircase.forms.fields import LongTextField, ScopedForm
from ircase.models import Indicator, Tlp
from liveresponse.services.lookups import clean_hash


class FileVerdictForm(ScopedForm):
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices)
    reason = LongTextField(rows=3, help_text="What makes you sure, in a sentence.")


class FindFileForm(ScopedForm):
    hash = forms.CharField(max_length=64, label="Hash", help_text="SHA-256, SHA-1 or MD5.")

    def clean_hash(self) -> str:
        return clean_hash(self.cleaned_data["hash"])


class AnalysisForm(ScopedForm):
    """The output of an analysis, pasted, and which file it is about."""

    text = LongTextField(
        rows=8,
        max_length=MOST_BYTES,
        label="Output",
        help_text="Of “analyze file <path> -output json”, with whatever stands around it.",
    )
    file_hash = forms.CharField(
        max_length=64, required=False, label="File", help_text="Its hash, so that its page shows the analysis."
    )

    def clean_file_hash(self) -> str:
        text = self.cleaned_data["file_hash"]
        return clean_hash(text) if text else ""


class TakeEntitiesForm(forms.Form):
    """Ticked lines of an analysis. Its fields are drawn by the page's own table."""

    number = forms.MultipleChoiceField(required=False)
    tlp = forms.ChoiceField(choices=Tlp.choices)
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices)

    def __init__(self, *args: object, count: int, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["number"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(str(number), str(number)) for number in range(count)]

    def clean_number(self) -> list[int]:
        numbers = [int(number) for number in self.cleaned_data["number"]]
        if not numbers:
            raise ValidationError("Tick at least one line.")
        return numbers
