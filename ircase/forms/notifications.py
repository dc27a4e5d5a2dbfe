"""How a person wants to be told, and hooks."""

from collections.abc import Iterator
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from ircase.forms.fields import ScopedForm
from ircase.models import CaseRole, Hook, NoticeCode, NoticeSettings, Timing, User
from ircase.services.telling import hooks
from ircase.services.telling.choosing import Wish
from ircase.telling import rules

WEEK: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class ChoicesForm(ScopedForm):
    """For each kind of news and each channel: when."""

    def __init__(self, *args: Any, person: User, chosen: NoticeSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code in NoticeCode:
            usual = _usual(person, code)
            options = [("", f"As usual ({usual})"), *((t.value, t.label) for t in Timing if t)]
            for channel in rules.PERSONAL:
                name = f"{code.value}_{channel.value}"
                self.fields[name] = forms.ChoiceField(choices=options, required=False, label=channel.label)
                self.initial[name] = chosen.choices.get(code.value, {}).get(channel.value, "")

    def rows(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """What it is about, and its field for each channel."""
        for code in NoticeCode:
            yield code.label, [self[f"{code.value}_{channel.value}"] for channel in rules.PERSONAL]

    def choices(self) -> dict[str, dict[str, str]]:
        return {
            code.value: {
                channel.value: self.cleaned_data[f"{code.value}_{channel.value}"] for channel in rules.PERSONAL
            }
            for code in NoticeCode
        }


def _usual(person: User, code: NoticeCode) -> str:
    """The usual in words, for whoever leads a case, too, where that differs."""
    plain = rules.usual(person, "", code)
    lead = rules.usual(person, CaseRole.LEAD, code)
    words = plain.label.lower()
    return words if lead == plain or not person.opens_cases else f"{words}; {lead.label.lower()} where you lead"


class NotificationsForm(ScopedForm):
    """Everything else. The Teams address is never shown again: it is a secret."""

    teams = forms.CharField(
        max_length=2000, required=False, label="Address of your Teams workflow",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    teams_forget = forms.BooleanField(required=False, label="Forget the address that is kept")
    digest_hour = forms.TypedChoiceField(
        coerce=int, choices=[(h, f"{h:02d}:00") for h in range(24)], label="Digest at", help_text="In your time zone."
    )
    digest_days = forms.TypedMultipleChoiceField(
        coerce=int, choices=list(enumerate(WEEK)), widget=forms.CheckboxSelectMultiple, label="Digest on"
    )
    quiet = forms.BooleanField(required=False, label="Nothing outside the app in quiet hours")
    quiet_from = forms.TimeField(label="Quiet from", widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}))
    quiet_until = forms.TimeField(
        label="Quiet until", help_text="In your time zone; over midnight where it is earlier than the beginning.",
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )  # fmt: skip
    alarm_passes = forms.BooleanField(required=False, label="Break-glass and other alarms come in quiet hours too")
    clock_passes = forms.BooleanField(required=False, label="Deadlines come in quiet hours too")
    every_run = forms.BooleanField(
        required=False, label="Tell me of everything I started when it ends",
        help_text="Else of what took longer than two minutes.",
    )  # fmt: skip
    every_case = forms.BooleanField(
        required=False, label="Tell me when any case that I may read changes its phase, closes or opens again"
    )

    def __init__(self, *args: Any, chosen: NoticeSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields:
            if hasattr(chosen, name):
                self.initial[name] = getattr(chosen, name)
        self.initial["digest_days"] = list(rules.days_of(chosen))
        if chosen.teams_encrypted:
            self.fields["teams"].help_text = f"One is kept, at {hooks.host_of(chosen)}. Empty: it stays."
        else:
            self.fields["teams"].help_text = "Of a workflow that posts to your chat or channel when a webhook comes."
            del self.fields["teams_forget"]

    def clean_teams(self) -> str:
        url = str(self.cleaned_data["teams"]).strip()
        if url and (problem := hooks.problem_of(url)):
            raise ValidationError(problem)
        return url

    def wish(self, choices: dict[str, dict[str, str]]) -> Wish:
        fields = {name: value for name, value in self.cleaned_data.items() if name not in ("teams", "teams_forget")}
        fields["digest_days"] = tuple(fields["digest_days"])
        url: str | None = self.cleaned_data["teams"] or None
        if url is None and self.cleaned_data.get("teams_forget"):
            url = ""
        return Wish(choices=choices, teams=url, **fields)


class HookForm(ScopedForm):
    """An address that is told. It is never shown again whole: a Teams address is a secret, a webhook's may hold one."""

    kind = forms.ChoiceField(choices=Hook.Kind.choices, label="Kind")
    name = forms.CharField(max_length=100, label="Name")
    url = forms.CharField(
        max_length=2000, required=False, label="Address",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    codes = forms.MultipleChoiceField(
        choices=NoticeCode.choices, widget=forms.CheckboxSelectMultiple, label="Is told of"
    )
    enabled = forms.BooleanField(required=False, label="Is told", initial=True)

    def __init__(self, *args: Any, hook: Hook, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hook = hook
        if hook.pk is not None:
            del self.fields["kind"]
            self.initial.update(name=hook.name, codes=hook.codes, enabled=hook.enabled)
            self.fields["url"].help_text = f"Now at {hooks.host_of(hook)}. Empty: it stays."
        else:
            self.fields["url"].required = True
            self.fields["url"].help_text = "It begins with https:// and lies on the public internet."

    def filled(self) -> Hook:
        """The hook with what was entered, not saved."""
        for name in ("kind", "name", "codes", "enabled"):
            if name in self.cleaned_data:
                setattr(self.hook, name, self.cleaned_data[name])
        return self.hook

    def address(self) -> str:
        """The new address, "" where it stays."""
        return str(self.cleaned_data["url"]).strip()
