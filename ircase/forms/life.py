"""Decisions, closing, hand-overs, improvements and links."""

from typing import Any

from django import forms

from ircase.forms.fields import LongTextField, MomentField, PersonField, ScopedForm
from ircase.forms.pick import Pick, PickMany, offer
from ircase.models import Case, CaseLink, ChecklistItem, Decision, Evidence, Improvement, Severity, User
from ircase.services.casework import decisions, handovers, improvements


class DecisionForm(ScopedForm):
    what = forms.CharField(max_length=300, label="What was decided")
    why = LongTextField(rows=3, label="Why")
    alternatives = LongTextField(rows=2, required=False, label="What else was considered", help_text="And why not.")
    decided_by = forms.CharField(max_length=200, required=False, label="Who decided", help_text="Empty: you.")
    decided_at = MomentField(required=False, label="When", help_text="Empty: at this moment.")
    told = LongTextField(rows=2, required=False, label="Who was told")
    supersedes = Pick(Decision.objects.none(), required=False, empty_label="–", label="Takes the place of")
    items = PickMany(
        ChecklistItem.objects.none(), required=False, label="Checklist items", help_text="It becomes their proof.",
        widget=forms.SelectMultiple(attrs={"size": 4}),
    )  # fmt: skip
    evidence = PickMany(
        Evidence.objects.none(), required=False, label="Exhibits", widget=forms.SelectMultiple(attrs={"size": 4})
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self.fields["supersedes"], decisions.standing(case))
        open_first = ChecklistItem.objects.filter(case=case).exclude(phase="preparation").order_by("-state", "position")
        offer(self.fields["items"], open_first, key="key")
        offer(self.fields["evidence"], Evidence.objects.filter(case=case).defer("manifest").order_by("-number"))


class CloseForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, required=False, label="Why it closes all the same")


class HandOverForm(ScopedForm):
    """`moves_lead` stands only where the giver leads."""

    receiver = PersonField(label="To", empty_label="Choose a colleague of the case")
    situation = LongTextField(
        rows=4, label="Where things stand", help_text="What you know, what you think, what worries you."
    )
    next_steps = LongTextField(rows=4, label="Next steps", help_text="One a line, the most urgent first.")
    moves_items = forms.BooleanField(required=False, label="My open items go over too")
    moves_lead = forms.BooleanField(required=False, label="The lead goes over too")

    def __init__(self, *args: Any, case: Case, giver: User, leads: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["receiver"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = handovers.receivers(case, giver)
        if not leads:
            del self.fields["moves_lead"]


class ImprovementForm(ScopedForm):
    title = forms.CharField(max_length=200, label="What has to be better")
    description = LongTextField(rows=3, required=False)
    outcome = forms.ChoiceField(label="CSF 2.0 outcome", initial="ID.IM-03")
    owner = PersonField(required=False, empty_label="Nobody yet")
    due_on = forms.DateField(required=False, label="By", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["outcome"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(number, f"{number} {words}") for number, words in improvements.outcomes().items()]


class ImprovementStateForm(ScopedForm):
    state = forms.ChoiceField(choices=Improvement.State.choices)
    result = LongTextField(rows=3, required=False, help_text="What came of it, or why it is dropped.")


class ImprovementFilterForm(ScopedForm):
    """The page's filters, which are its URL."""

    state = forms.ChoiceField(
        choices=[("open", "Not done"), ("ended", "Done or dropped"), ("all", "All")], required=False
    )
    mine = forms.BooleanField(required=False)
    late = forms.BooleanField(required=False, label="Late")


class LinkForm(ScopedForm):
    kind = forms.ChoiceField(choices=[(kind, kind.label) for kind in CaseLink.BY_HAND], label="This case is")
    other = forms.CharField(max_length=20, label="Case", help_text="Its reference, as in IR-2026-0142.")
    reason = LongTextField(rows=2, max_length=2000, help_text="How they belong together.")


class MergeForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, help_text="How you know that both are the same incident.")


class SplitForm(ScopedForm):
    title = forms.CharField(max_length=200, label="Title of the new case")
    severity = forms.ChoiceField(choices=Severity.choices)
    confidential = forms.BooleanField(
        required=False, help_text="Only its members will know that it exists. After a confidential case it always is."
    )
    reason = LongTextField(rows=2, max_length=2000, help_text="Why this is another incident.")


class TemplateForm(ScopedForm):
    title = forms.CharField(max_length=200)
    severity = forms.ChoiceField(choices=Severity.choices)
    confidential = forms.BooleanField(required=False, help_text="Only its members will know that it exists.")
