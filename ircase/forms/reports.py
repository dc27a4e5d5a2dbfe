"""A report as people ask for it, their answers for an authority, and the organisation's look."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from ircase import access
from ircase.forms.access import LinesField
from ircase.models import Case, ReportKind, ReportLook, Tlp
from ircase.redaction import Level, Redaction, RedactionError
from ircase.report import chapters, fields, kinds, regimes
from ircase.report.lifeshape import FactRow
from ircase.services.reporting.notifying import LONGEST
from ircase.services.reports import Wanted

if TYPE_CHECKING:
    _LookForm = forms.ModelForm[ReportLook]
else:
    _LookForm = forms.ModelForm

_STAGES = {"initial": "First", "update": "Update", "final": "Final"}
_NAMED = (Level.FULL, Level.NAMES, Level.ALL)


class BuildForm(forms.Form):
    """`kind` is chosen before: what it asks for is shown with it. Only a lead is offered words and a wider TLP."""

    kind = forms.ChoiceField(choices=ReportKind.choices, widget=forms.HiddenInput, required=False)
    regime = forms.ChoiceField(label="Law", required=False)
    stage = forms.ChoiceField(label="Stage", choices=list(_STAGES.items()), required=False)
    level = forms.ChoiceField(
        label="What is masked",
        choices=[(level.value, level.label) for level in _NAMED],
        required=False,
        help_text="A name is the same word in every document of the case, as in host-01.",
    )
    tlp = forms.ChoiceField(label="For readers up to", required=False, help_text="What is marked stricter is left out.")
    words = LinesField(label="Words of your own to mask", help_text="One a line, as in the organisation's name.")
    language = forms.ChoiceField(label="Language", required=False)
    comments = forms.BooleanField(label="Print the comments as an appendix", required=False)
    notebook = forms.MultipleChoiceField(
        label="Notebooks to print", required=False, widget=forms.CheckboxSelectMultiple
    )
    seal = forms.BooleanField(label="Seal the PDF as evidence of the case", required=False)

    def __init__(self, data: Any = None, *, case: Case, kind: str, initial: dict[str, str] | None = None) -> None:
        super().__init__(data, initial={"kind": kind, **(initial or {})})
        leads = access.may(case, access.LEAD)
        order = list(Tlp.values)
        wider = order if leads else order[: order.index(case.tlp) + 1]
        self._choose(
            "tlp", [(tlp, "Everybody who may see the case" if tlp == Tlp.RED else Tlp(tlp).label) for tlp in wider]
        )
        self._choose("regime", [(one.id, one.title) for one in regimes.regimes().values()])
        self._choose("language", list(kinds.LANGUAGES.items()))
        self._choose("notebook", [(one.uuid, f"{one.title} ({one.note})") for one in chapters.choices(case)])
        self._leave_out(case, kind, leads)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def _leave_out(self, case: Case, kind: str, leads: bool) -> None:
        gone = [] if kind == ReportKind.NOTIFICATION else ["regime", "stage"]
        gone += [] if kind == ReportKind.TECHNICAL else ["comments", "notebook"]
        gone += [] if leads else ["words"]
        gone += [] if case.is_open or self.is_bound else ["seal"]  # who asks all the same is told why not
        gone += [] if len(kinds.LANGUAGES) > 1 else ["language"]
        field = self.fields["notebook"]
        if isinstance(field, forms.MultipleChoiceField) and not field.choices:
            gone.append("notebook")
        for name in gone:
            self.fields.pop(name, None)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        try:
            self.redaction = Redaction.of(
                found.get("level") or Level.FULL, tlp=found.get("tlp") or Tlp.RED, words=found.get("words") or ()
            )
        except RedactionError as error:
            raise ValidationError(str(error)) from error
        return found

    def wanted(self) -> Wanted:
        """What was asked for, once the form is valid."""
        found = self.cleaned_data
        return Wanted(
            kind=found.get("kind") or ReportKind.TECHNICAL,
            regime=found.get("regime") or "",
            stage=found.get("stage") or "",
            language=found.get("language") or "en",
            redaction=self.redaction,
            seal=bool(found.get("seal")),
            notebooks=found.get("notebook") or (),
            comments=bool(found.get("comments")),
        )


class AnswersForm(forms.Form):
    """One text for each field that an authority asks for; what the case knows already stands beside it."""

    def __init__(self, data: Any = None, *, rows: tuple[FactRow, ...], written: dict[str, str]) -> None:
        super().__init__(data)
        for row in rows:
            known = row.answer if row.field not in written else ""
            said = f"Article {row.article}." if row.article else ""
            said += f" The case says: {known[:300]}" if known else ""
            self.fields[row.field] = forms.CharField(
                label=row.label,
                required=False,
                max_length=LONGEST,
                initial=written.get(row.field, ""),
                help_text=said.strip(),
                widget=forms.Textarea(attrs={"rows": 2}),
            )


class LookForm(_LookForm):
    """The organisation's own. Texts may name fields (ircase.report.fields)."""

    picture = forms.FileField(
        label="Logo", required=False, help_text="PNG or JPEG, at most 1,000 kB. It is drawn anew; an SVG is refused."
    )
    drop_logo = forms.BooleanField(label="Take the logo away", required=False)

    class Meta:
        model = ReportLook
        fields = ("organisation", "accent", "cover", "footer", "disclaimer", "contact")
        widgets = {name: forms.Textarea(attrs={"rows": 3}) for name in ("cover", "disclaimer", "contact")}

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        for name in ("cover", "footer", "disclaimer", "contact"):
            try:
                fields.check(found.get(name) or "")
            except fields.UnknownFieldError as error:
                self.add_error(name, str(error))
        return found
