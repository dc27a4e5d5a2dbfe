"""Plans of readiness, answers about settings, contacts, and exercises."""

from typing import Any

from django import forms

from ircase.exercises.scenarios import scenarios
from ircase.forms.fields import LongTextField, PersonField, ScopedForm
from ircase.models import Connection, Contact, ReadinessPlan, SettingAnswer, User


class PlanForm(ScopedForm):
    owner = PersonField(
        required=False, empty_label="Nobody yet", help_text="Is told what is red, and leads the case of the tries."
    )
    is_test = forms.BooleanField(
        required=False, label="Marked as a test", help_text="Exercises may run on it. Never for a tenant that matters."
    )
    probe_device = forms.CharField(
        required=False, max_length=255, label="Test device",
        help_text="Its full DNS name. The only device that is ever tried; choose one that nobody works on.",
    )  # fmt: skip
    probe = forms.ChoiceField(choices=ReadinessPlan.Probe.choices, label="How it is tried")
    probe_days = forms.IntegerField(min_value=1, max_value=365, label="A try holds for (days)")
    hunt_days = forms.IntegerField(min_value=1, max_value=365, label="A clean run of a hunt holds for (days)")
    gap_days = forms.IntegerField(min_value=1, max_value=30, label="A table without rows is a gap after (days)")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["owner"]
        assert isinstance(field, forms.ModelChoiceField)
        analysts = User.objects.filter(is_active=True, site_role=User.SiteRole.ANALYST)
        field.queryset = analysts.order_by("first_name", "last_name", "username")


class AnswerForm(ScopedForm):
    answer = forms.ChoiceField(choices=SettingAnswer.Answer.choices, widget=forms.RadioSelect)
    note = forms.CharField(required=False, max_length=500, help_text="What you saw, and since when it is so.")


class ContactForm(ScopedForm):
    name = forms.CharField(max_length=120)
    role = forms.CharField(max_length=120, help_text="As in 'Incident lead, on call' or 'Hosting provider'.")
    phone = forms.CharField(
        required=False, max_length=60, label="Telephone", widget=forms.TextInput(attrs={"inputmode": "tel"}),
        help_text="With the country's number. Kept encrypted.",
    )  # fmt: skip
    email = forms.EmailField(required=False, label="E-mail", help_text="Kept encrypted.")
    hours = forms.CharField(required=False, max_length=120, help_text="When they answer, with the zone.")
    note = forms.CharField(
        required=False, max_length=300, help_text="A customer number, a password of the hotline: no."
    )

    @staticmethod
    def initial_of(contact: Contact, phone: str, email: str) -> dict[str, str]:
        plain = {name: str(getattr(contact, name)) for name in ("name", "role", "hours", "note")}
        return plain | {"phone": phone, "email": email}


class BeginForm(ScopedForm):
    scenario = forms.ChoiceField(widget=forms.RadioSelect)
    connection = forms.ModelChoiceField(
        Connection.objects.none(), required=False, empty_label="None: played at the table",
        help_text="Connections that are marked as a test.",
    )  # fmt: skip
    players = forms.ModelMultipleChoiceField(
        User.objects.none(), required=False, widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text="They analyse on the case and see only what is released. You lead it, and see everything.",
    )  # fmt: skip
    by_clock = forms.BooleanField(
        required=False, label="By the clock", help_text="Injects come at their minute; else you release each by hand."
    )

    def __init__(self, *args: Any, host: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice, test, people = self.fields["scenario"], self.fields["connection"], self.fields["players"]
        assert isinstance(choice, forms.ChoiceField)
        assert isinstance(test, forms.ModelChoiceField)
        assert isinstance(people, forms.ModelMultipleChoiceField)
        choice.choices = [(one.id, one.title) for one in scenarios().values()]
        test.queryset = Connection.objects.filter(enabled=True, readiness__is_test=True)
        plays = (User.SiteRole.ANALYST, User.SiteRole.GUEST)
        others = User.objects.filter(is_active=True, site_role__in=plays).exclude(pk=host.pk)
        people.queryset = others.order_by("first_name", "last_name", "username")


class JudgeForm(ScopedForm):
    key = forms.CharField(max_length=64)
    met = forms.ChoiceField(choices=[("yes", "Met"), ("no", "Not met"), ("", "As the case shows")], required=False)
    note = forms.CharField(max_length=300, required=False)


class DebriefForm(ScopedForm):
    went_well = LongTextField(rows=5, required=False, label="What went well")
    to_improve = LongTextField(
        rows=5, required=False, label="What has to be better",
        help_text="Make the important ones improvements of the case, with an owner and a date.",
    )  # fmt: skip
