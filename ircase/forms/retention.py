"""How long evidence is kept: holds, decisions and policies as people fill them in."""

from typing import TYPE_CHECKING, Any

from django import forms

from ircase.models import Case, Classification, Evidence, RetentionPolicy, Tlp
from ircase.services.vault import retention

if TYPE_CHECKING:
    _PolicyForm = forms.ModelForm[RetentionPolicy]
else:
    _PolicyForm = forms.ModelForm


class HoldForm(forms.Form):
    """A hold on the case, or on one exhibit of it."""

    on = forms.CharField(label="On", required=False)
    reason = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The matter, the order, or who asked for it.",
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Evidence.objects.filter(case=case).exclude(integrity=Evidence.Integrity.DESTROYED)
        self.fields["on"] = forms.ModelChoiceField(
            rows.defer("manifest").order_by("number"), label="On", required=False, empty_label="The whole case",
            to_field_name="uuid",
        )  # fmt: skip


class DecisionForm(forms.Form):
    """What is to become of the chosen exhibits."""

    exhibits = forms.ModelMultipleChoiceField(Evidence.objects.none(), to_field_name="uuid")
    why = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 2}), label="Why")
    days = forms.IntegerField(
        min_value=1, max_value=retention.MOST_DAYS, initial=365, required=False, label="Days to keep it"
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["exhibits"].queryset = Evidence.objects.filter(case=case).order_by("number")  # type: ignore[attr-defined]


class PolicyForm(_PolicyForm):
    """One policy of the site."""

    class Meta:
        model = RetentionPolicy
        fields = ("name", "tlp", "classification", "kind", "days", "why", "enabled")
        widgets = {"why": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("tlp", Tlp.choices), ("classification", Classification.choices)):
            self.fields[name].choices = [("", "Any"), *choices]  # type: ignore[attr-defined]
        self.fields["kind"].choices = [("", "Any"), *Evidence.Kind.choices]  # type: ignore[attr-defined]
