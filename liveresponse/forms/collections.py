"""What a person types to ask for a collection."""

from typing import Any

from django import forms

from ircase.models import Asset, Case
from liveresponse.catalogue import Definition, Parameter


class RequestForm(forms.Form):
    """One collection on one device. The device comes from the case's assets, or is typed."""

    device = forms.CharField(label="Device", max_length=255, help_text="Its DNS name as Defender knows it.")
    reason = forms.CharField(
        label="Why", max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Shown to who approves it, and in the report.",
    )  # fmt: skip

    def __init__(self, case: Case, definition: Definition, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.definition = definition
        names = case.assets.filter(kind=Asset.Kind.DEVICE).values_list("name", flat=True)
        self.devices = list(names[:200])
        if self.devices:
            self.fields["device"].widget.attrs["list"] = "case-devices"
            self.fields["device"].initial = self.devices[0]
        for parameter in definition.parameters:
            self.fields[parameter.name] = self._field(parameter)
        self.order_fields(["device", *(p.name for p in definition.parameters), "reason"])

    def _field(self, parameter: Parameter) -> forms.Field:
        common: dict[str, Any] = {
            "label": parameter.title, "help_text": parameter.help, "initial": parameter.default,
            "required": parameter.required or parameter.type != "string",
        }  # fmt: skip
        if parameter.type == "int":
            return forms.IntegerField(min_value=parameter.minimum, max_value=parameter.maximum, **common)
        if parameter.type == "bool":
            return forms.BooleanField(**{**common, "required": False})
        if parameter.type == "choice":
            return forms.ChoiceField(choices=[(value, value) for value in parameter.choices], **common)
        longest = 1024 if parameter.type == "path" else parameter.max_length
        return forms.CharField(max_length=longest, **common)

    @property
    def parameters(self) -> dict[str, Any]:
        return {parameter.name: self.cleaned_data[parameter.name] for parameter in self.definition.parameters}
