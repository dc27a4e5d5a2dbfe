"""Fields that several forms share."""

from typing import TYPE_CHECKING, Any

from django import forms

from ircase.models import User

_LOCAL = "%Y-%m-%dT%H:%M:%S"


def flat(text: str) -> str:
    """Browsers send line ends as CR LF whatever they were given."""
    return text.replace("\r\n", "\n")


def overtaken(theirs: str) -> str:
    """What a person reads beside a field of theirs that a colleague changed while they wrote."""
    return f"Somebody changed this meanwhile. Theirs: “{theirs[:2000]}”. Yours is kept above: merge, save."


class ScopedForm(forms.Form):
    """Several forms stand on one page: their fields' ids begin with the form's name, so that labels find theirs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", f"{type(self).__name__.removesuffix('Form').lower()}_%s")
        super().__init__(*args, **kwargs)


class MomentField(forms.DateTimeField):
    """A time in the person's zone, with seconds. ISO 8601 with an offset or Z is accepted too, whatever the zone."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(format=_LOCAL, attrs={"type": "datetime-local", "step": "1"})
        super().__init__(widget=widget, **kwargs)


class LongTextField(forms.CharField):
    """Several lines of plain text or markdown."""

    def __init__(self, *, rows: int = 4, max_length: int = 20_000, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, widget=forms.Textarea(attrs={"rows": rows}), **kwargs)


if TYPE_CHECKING:
    _PersonChoice = forms.ModelChoiceField[User]
else:
    _PersonChoice = forms.ModelChoiceField


class PersonField(_PersonChoice):
    """Somebody with an account that is in use, by name."""

    def __init__(self, **kwargs: Any) -> None:
        people = User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")
        super().__init__(queryset=people, **kwargs)

    def label_from_instance(self, person: Any) -> str:
        return f"{person.name} ({person.username})" if person.name != person.username else person.username


def with_blank(choices: list[tuple[str, str]], label: str) -> list[tuple[str, str]]:
    """Choices of a filter: everything first."""
    return [("", label), *choices]
