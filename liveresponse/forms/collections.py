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
        if parameter.type == "int":
            return forms.IntegerField(
                label=parameter.title,
                min_value=parameter.minimum,
                max_value=parameter.maximum,
                initial=parameter.default,
            )
        return forms.CharField(label=parameter.title, max_length=1024, initial=parameter.default)

    @property
    def parameters(self) -> dict[str, Any]:
        return {parameter.name: self.cleaned_data[parameter.name] for parameter in self.definition.parameters}
