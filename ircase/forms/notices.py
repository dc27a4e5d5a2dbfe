"""What of the news is wanted."""

from typing import Any

from django import forms

from ircase.forms.fields import ScopedForm, with_blank
from ircase.models import NoticeCode


class NoticeFilterForm(ScopedForm):
    """Filters of the list of news. What is no choice is passed over."""

    code = forms.ChoiceField(
        choices=with_blank(list(NoticeCode.choices), "Everything"), required=False, label="What it is about"
    )
    case = forms.CharField(max_length=20, required=False, label="Case")
    unread = forms.BooleanField(required=False, label="Unread only")

    def chosen(self) -> dict[str, Any]:
        self.is_valid()
        found = self.cleaned_data
        case = str(found.get("case", "")).strip()
        return {"code": found.get("code", ""), "case": case, "unread": bool(found.get("unread"))}
