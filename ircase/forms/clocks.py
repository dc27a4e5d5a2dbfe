"""Starting and ending clocks, and the organisation's own deadlines."""

from collections.abc import Sequence
from typing import Any

from django import forms

from ircase.clocks.reading import Rule, calendars
from ircase.forms.fields import LongTextField, MomentField, ScopedForm, with_blank
from ircase.forms.pick import Pick, offer
from ircase.models import Case, Decision, Evidence, Milestone, ReportBuild, ServiceLevel, Severity, SpanUnit
from ircase.services.casework import decisions

_MOST = 200


class StartClockForm(ScopedForm):
    """A law's clock, by a lead."""

    rule = forms.ChoiceField(label="Deadline")
    at = MomentField(required=False, label="Counted from", help_text="Empty: its milestone's time, else this moment.")
    reason = LongTextField(rows=2, max_length=2000, help_text="The condition of the law that is met, and who said so.")
    decision = Pick(Decision.objects.none(), required=False, empty_label="–", help_text="From the decision log.")

    def __init__(self, *args: Any, case: Case, rules: Sequence[Rule], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["rule"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(rule.id, f"{rule.title} ({rule.span.words})") for rule in rules]
        offer(self.fields["decision"], decisions.standing(case))


class DeliverClockForm(ScopedForm):
    """What was delivered, when, and what shows it."""

    at = MomentField(required=False, label="Delivered", help_text="Empty: at this moment.")
    evidence = Pick(Evidence.objects.none(), required=False, empty_label="–", label="Exhibit")
    report = Pick(ReportBuild.objects.none(), required=False, empty_label="–")
    decision = Pick(Decision.objects.none(), required=False, empty_label="–")
    words = LongTextField(
        required=False, rows=2, max_length=2000, label="In words", help_text="As in a reference number."
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self.fields["evidence"], Evidence.objects.filter(case=case).defer("manifest").order_by("-number"))
        built = ReportBuild.objects.filter(case=case, state="done").order_by("-queued_at")
        offer(self.fields["report"], built, lambda row: f"Report of {row.queued_at:%Y-%m-%d %H:%M} UTC")
        offer(self.fields["decision"], decisions.standing(case))


class DismissClockForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, label="Why it does not apply", help_text="A regulator may ask.")
    decision = Pick(Decision.objects.none(), required=False, empty_label="–")

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self.fields["decision"], decisions.standing(case))


class ServiceLevelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A promise of the organisation's own."""

    severity = forms.ChoiceField(choices=with_blank(Severity.choices, "Every severity"), required=False)
    met_by = forms.ChoiceField(
        choices=with_blank(Milestone.Kind.choices, "By hand"), required=False, label="Ends with",
        help_text="The milestone that meets it.",
    )  # fmt: skip
    amount = forms.IntegerField(min_value=1, max_value=10_000, label="Time allowed")
    unit = forms.ChoiceField(choices=SpanUnit.choices)
    calendar = forms.ChoiceField(required=False, help_text="For business days.")

    class Meta:
        model = ServiceLevel
        fields = ("name", "severity", "starts_from", "met_by", "amount", "unit", "calendar", "contract", "deliver",
                  "active")  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["calendar"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = with_blank([(one.id, one.title) for one in calendars().values()], "–")
