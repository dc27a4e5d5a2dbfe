"""What administrators fill in of what queries are supplied with."""

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError

from hunting.models import Feed
from hunting.services import feeds
from kql.syntax.outside import FEED_FORMATS

if TYPE_CHECKING:
    _FeedForm = forms.ModelForm[Feed]
else:
    _FeedForm = forms.ModelForm

_MEGABYTE: Final = 2**20


class FeedForm(_FeedForm):
    """An address that `externaldata` may read."""

    megabytes = forms.IntegerField(
        min_value=1,
        max_value=feeds.MOST_MEGABYTES,
        initial=20,
        label="Size limit in MB",
        help_text="Of the file as it comes, and as it unpacks.",
    )

    class Meta:
        model = Feed
        fields = ("address", "is_prefix", "format", "megabytes", "refresh_hours", "enabled", "why")
        labels = {
            "is_prefix": "Everything below this address",
            "refresh_hours": "Fetched again after (hours)",
            "enabled": "Queries may read it",
            "why": "What it is for",
        }
        help_texts = {
            "address": "As queries name it, beginning with https://. A host on a private network is never asked.",
            "is_prefix": "The address then ends with a slash.",
            "format": "For queries that name none. A name that says nothing means CSV.",
        }
        widgets = {"address": forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = self.fields["format"]
        assert isinstance(kinds, forms.ChoiceField)
        kinds.choices = [("", "As the file's name says"), *((name, name) for name in FEED_FORMATS)]
        if self.instance.pk:
            self.initial["megabytes"] = max(self.instance.max_bytes // _MEGABYTE, 1)

    def clean_refresh_hours(self) -> int:
        hours: int = self.cleaned_data["refresh_hours"]
        if not 1 <= hours <= feeds.MOST_HOURS:
            raise ValidationError("Between 1 hour and a year.")
        return hours

    def row(self) -> Feed:
        """The feed as it was filled in, not saved."""
        feed: Feed = self.save(commit=False)
        feed.max_bytes = self.cleaned_data["megabytes"] * _MEGABYTE
        return feed
