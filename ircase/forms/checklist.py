"""Working through the checklist."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from ircase.forms.fields import LongTextField, MomentField, PersonField, ScopedForm, flat, overtaken
from ircase.models import Activity, Case, ChecklistItem, Event, Evidence, Phase

_PROOFS_OFFERED = 200


PROOFS = ("evidence", "activity", "event", "decision")


class ItemForm(ScopedForm):
    """An item of one's own, beside those of the playbook."""

    title = forms.CharField(max_length=300, label="What has to be done")
    phase = forms.ChoiceField(choices=Phase.choices)
    owner = PersonField(required=False, empty_label="Nobody yet")
    due_at = MomentField(required=False, label="Due")
    required = forms.BooleanField(required=False, help_text="It holds the phase's gate.")
    proof_rule = forms.ChoiceField(
        choices=ChecklistItem.ProofRule.choices, required=False, label="Where required, it closes with"
    )

    def clean_proof_rule(self) -> str:
        return self.cleaned_data["proof_rule"] or ChecklistItem.ProofRule.LINK


class WaitForm(ScopedForm):
    waiting_for = forms.CharField(
        max_length=200,
        label="Waits for",
        help_text="A person, a supplier, a device that has to come online.",
        widget=forms.TextInput(attrs={"list": "members"}),
    )


class ReviewForm(ScopedForm):
    reviewer = PersonField(required=False, empty_label="Any of the leads")
    result = LongTextField(required=False, rows=2, help_text="What there is to review.")

    def offer(self, people: forms.Field) -> None:
        """The same people as a field beside it, so that they are read once."""
        assert isinstance(people, forms.ModelChoiceField)
        known = [(str(person.pk), people.label_from_instance(person)) for person in people.queryset or ()]
        people.widget.choices = [("", people.empty_label or ""), *known]
        reviewer = self.fields["reviewer"]
        assert isinstance(reviewer, forms.ModelChoiceField)
        reviewer.widget.choices = [("", "Any of the leads"), *known]


class PlanForm(ScopedForm):
    """It knows what its writer saw, so that only what they changed is written."""

    owner = PersonField(required=False, empty_label="Nobody yet")
    due_at = MomentField(required=False, label="Due")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = not self.is_bound or self.add_initial_prefix("due_at") in self.data
        for field in self.fields.values():
            field.show_hidden_initial = said

    def changes(self, item: ChecklistItem) -> dict[str, Any]:
        """What the writer changed; of the item as it is now, where the form does not say what they saw."""
        self.initial = {"owner": item.owner_id, "due_at": item.due_at}
        return {name: self.cleaned_data[name] for name in self.changed_data}


class SkipForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, label="Why it is skipped", help_text="The report shows it.")


if TYPE_CHECKING:
    _Choice = forms.ModelChoiceField[Any]
else:
    _Choice = forms.ModelChoiceField


class _Named(_Choice):
    def label_from_instance(self, obj: Any) -> str:
        if isinstance(obj, Activity):
            return f"{obj.get_kind_display()}: {obj.title} ({obj.outcome or obj.state})"[:150]
        return str(obj)[:150]


class ProofForm(ScopedForm):
    """Exactly one of the four; the service says so where it is not."""

    evidence = _Named(Evidence.objects.none(), required=False, empty_label="–")
    activity = _Named(Activity.objects.none(), required=False, empty_label="–", label="Hunt, collection or action")
    event = _Named(Event.objects.none(), required=False, empty_label="–", label="Event on the timeline")
    decision = LongTextField(required=False, rows=2, max_length=4000, help_text="Who decided what, and why.")

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered: dict[str, Any] = {
            "evidence": Evidence.objects.filter(case=case).defer("manifest").order_by("-number"),
            "activity": Activity.objects.filter(case=case).defer("detail"),
            "event": Event.objects.filter(case=case).defer("row").order_by("-at"),
        }
        for name, rows in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.to_field_name = "uuid"
            field.queryset = rows
            # The list is cut for the browser; the field still accepts what is not on it.
            shown = [(row.uuid, field.label_from_instance(row)) for row in rows[:_PROOFS_OFFERED]]
            field.widget.choices = [("", "–"), *shown]


class FinishForm(ProofForm):
    """The result, and the proof that may be linked with it. It knows what its writer saw of the result: what they left
    as it stood there is "", and a colleague's words are shown before other words take their place."""

    result = LongTextField(required=False, rows=3, help_text="What was found or done, in a sentence or two.")

    def __init__(self, *args: Any, item: ChecklistItem, **kwargs: Any) -> None:
        super().__init__(*args, case=item.case, initial={"result": item.result}, **kwargs)
        self.order_fields(["result", *PROOFS])
        self._seen: str | None = self.data.get(self.add_initial_prefix("result"))
        self.fields["result"].show_hidden_initial = not self.is_bound or self._seen is not None

    def clean_result(self) -> str:
        written: str = self.cleaned_data["result"]
        if "result" not in self.changed_data:
            return ""
        now: str = self.initial["result"]
        if self._seen is not None and flat(self._seen).strip() != flat(now).strip() != flat(written).strip():
            # Saving once more is then knowing.
            sent: Any = self.data
            self.data = sent.copy()
            self.data[self.add_initial_prefix("result")] = now  # type: ignore[index]  # a QueryDict that may be written
            raise ValidationError(overtaken(now))
        return written

    @property
    def proof_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in PROOFS]

    def proofs(self) -> list[tuple[str, Any]]:
        """What was given, each as the service takes it."""
        return [(name, self.cleaned_data[name]) for name in PROOFS if self.cleaned_data.get(name)]
