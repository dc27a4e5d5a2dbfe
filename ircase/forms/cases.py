"""Opening, editing and moving cases."""

from typing import Any, Self

from django import forms
from django.http import QueryDict

from ircase import shelf
from ircase.forms.fields import LongTextField, MomentField, PersonField, ScopedForm, flat, overtaken, with_blank
from ircase.models import (
    CaseRole,
    Classification,
    Connection,
    Determination,
    Milestone,
    Phase,
    Severity,
    Tlp,
)


def playbook_choices() -> list[tuple[str, str]]:
    return [("", "No playbook"), *((p.id, p.title) for p in shelf.usable())]


ANY_AGE: Any = 0


class NewCaseForm(ScopedForm):
    """A case by hand. The first device and account become assets, so that hunts can be filled from them."""

    title = forms.CharField(max_length=200, help_text="What it is, as you would say it to a colleague.")
    playbook = forms.ChoiceField(required=False, help_text="Gives the case its checklist.")
    severity = forms.ChoiceField(choices=Severity.choices, initial=Severity.MEDIUM)
    tlp = forms.ChoiceField(choices=Tlp.choices, initial=Tlp.AMBER, label="TLP")
    detected = MomentField(required=False, label="Detected", help_text="Empty: at this moment.")
    connection = forms.ModelChoiceField(
        Connection.objects.none(), required=False, empty_label="None", help_text="The tenant that hunts run in."
    )
    device = forms.CharField(max_length=255, required=False, label="First device", help_text="Its DNS name.")
    account = forms.CharField(
        max_length=255, required=False, label="First account", help_text="Its user principal name."
    )
    description = LongTextField(required=False, help_text="What is known so far.")
    confidential = forms.BooleanField(
        required=False, help_text="Only its members will know that it exists. You are its first member."
    )
    exercise = forms.BooleanField(required=False, help_text="Training: left out of every metric.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["playbook"] = forms.ChoiceField(
            choices=playbook_choices(), required=False, help_text="Gives the case its checklist."
        )
        connections = Connection.objects.filter(enabled=True)
        field = self.fields["connection"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = connections
        if len(connections) == 1:
            self.initial.setdefault("connection", connections[0].pk)


class EditForm(ScopedForm):
    """A form that knows what its writer saw: only what they changed is written, and never over a colleague's change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    def changes(self) -> dict[str, Any]:
        """What the writer changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def overtaken(self, now: dict[str, Any]) -> list[str]:
        """Fields that the writer changed and somebody else has changed since the writer saw them."""
        seen = {name: self.data.get(self.add_initial_prefix(name)) for name in self.changed_data}
        return [name for name, text in seen.items() if text is not None and flat(text) != flat(str(now[name]))]

    @classmethod
    def merging(cls, data: QueryDict, now: dict[str, Any], names: list[str]) -> Self:
        """The same input once more, with what a colleague wrote meanwhile beside it. Saving again is then knowing."""
        copy = data.copy()
        for name in names:
            copy[f"initial-{name}"] = str(now[name])
        form = cls(copy, initial=now)
        for name in names:
            form.add_error(name, overtaken(str(now[name])))
        return form


class EditCaseForm(EditForm):
    """What can be edited of a case, as `services.cases.EDITABLE` has it."""

    title = forms.CharField(max_length=200)
    severity = forms.ChoiceField(choices=Severity.choices)
    tlp = forms.ChoiceField(choices=Tlp.choices, label="TLP")
    classification = forms.ChoiceField(choices=Classification.choices)
    determination = forms.ChoiceField(choices=Determination.choices)
    description = LongTextField(required=False, rows=6)
    exercise = forms.BooleanField(required=False, help_text="Training: left out of every metric.")


class SummaryForm(EditForm):
    """What people write for the report's readers."""

    summary = LongTextField(
        required=False,
        rows=8,
        label="Executive summary",
        help_text="Markdown. What happened, what it means, what was done, for somebody who was not there.",
    )
    lessons = LongTextField(required=False, rows=5, label="Lessons learned", help_text="Markdown.")


class ConnectForm(ScopedForm):
    """The tenant of a case that was opened without one."""

    connection = forms.ModelChoiceField(
        Connection.objects.filter(enabled=True),
        empty_label="Choose a tenant",
        label="Tenant",
        help_text="Hunts and collections of the case go there. It cannot be changed later.",
    )


class MovePhaseForm(ScopedForm):
    """Where to and why; and why all the same, where required items hold the way."""

    phase = forms.ChoiceField(choices=Phase.choices, label="To")
    reason = LongTextField(rows=2, max_length=2000, help_text="Why it moves. The log and the report show it.")
    despite = LongTextField(
        rows=2,
        max_length=2000,
        required=False,
        label="Why it goes on with required items open",
        help_text="Only where the gate is not clear. The report shows this with the names of the items.",
    )


class MilestoneForm(ScopedForm):
    kind = forms.ChoiceField(
        choices=[c for c in Milestone.Kind.choices if c[0] != Milestone.Kind.CLOSED], label="Milestone"
    )
    at = MomentField(label="Time")
    note = forms.CharField(max_length=200, required=False, help_text="How the time is known.")


class MemberForm(ScopedForm):
    user = PersonField(label="Person", empty_label="Choose a person")
    role = forms.ChoiceField(choices=CaseRole.choices, initial=CaseRole.ANALYST)
    duty = forms.CharField(
        max_length=64,
        required=False,
        help_text="What they do on this case, as in Scribe.",
        widget=forms.TextInput(attrs={"list": "duties"}),
    )


class JoinForm(ScopedForm):
    """An administrator's door into a case they are no member of."""

    reference = forms.CharField(max_length=20, label="Case", help_text="As in IR-2026-0142.")
    reason = LongTextField(
        rows=3, max_length=2000, label="Why you need to see it", help_text="Its leads read this in the case's log."
    )


STATES = [("open", "Open"), ("closed", "Closed"), ("all", "Open and closed")]
AGES = [
    ("", "At any time"),
    ("1", "In the last 24 hours"),
    ("7", "In the last 7 days"),
    ("30", "In the last 30 days"),
    ("-30", "More than 30 days ago"),
    ("-90", "More than 90 days ago"),
]
COLUMNS = [("tags", "Tags"), ("tenant", "Tenant"), ("updated", "Updated"), ("tlp", "TLP")]
SORTS = ("reference", "title", "severity", "phase", "opened", "updated", "due")
FOLDED = ("detected_from", "detected_to", "exercise", "owner", "tag", "connection", "age")


class CaseFilterForm(ScopedForm):
    """The case list's filters, which are its URL. What makes no sense is ignored, never an error page."""

    q = forms.CharField(max_length=200, required=False, label="Text", widget=forms.TextInput(attrs={"type": "search"}))
    state = forms.ChoiceField(choices=STATES, required=False, label="State")
    phase = forms.ChoiceField(choices=with_blank(Phase.choices, "Every phase"), required=False)
    severity = forms.ChoiceField(choices=with_blank(Severity.choices, "Every severity"), required=False)
    mine = forms.BooleanField(required=False, label="Mine")
    overdue = forms.BooleanField(required=False, label="Overdue")
    exercise = forms.ChoiceField(
        choices=[("", "With exercises"), ("0", "Without exercises"), ("1", "Exercises only")],
        required=False,
        label="Exercises",
    )
    detected_from = forms.DateField(required=False, label="Detected from", widget=forms.DateInput({"type": "date"}))
    detected_to = forms.DateField(required=False, label="Detected to", widget=forms.DateInput({"type": "date"}))
    owner = forms.CharField(
        max_length=150, required=False, label="Lead", widget=forms.TextInput(attrs={"placeholder": "User name"})
    )
    tag = forms.CharField(max_length=40, required=False, widget=forms.TextInput(attrs={"list": "known-tags"}))
    connection = forms.CharField(
        max_length=100,
        required=False,
        label="Tenant",
        widget=forms.TextInput(attrs={"placeholder": "Name of its connection"}),
    )
    age = forms.TypedChoiceField(choices=AGES, coerce=int, empty_value=ANY_AGE, required=False, label="Opened")
    show = forms.MultipleChoiceField(
        choices=COLUMNS, required=False, label="More columns", widget=forms.CheckboxSelectMultiple
    )

    @property
    def asks_more(self) -> bool:
        """Whether one of the filters is used that stand folded away, so that a phone shows cases first."""
        return any(self.data.get(name) for name in FOLDED)
