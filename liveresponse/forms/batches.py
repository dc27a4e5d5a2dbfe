"""What a person fills in to ask for a collection on many devices."""

from typing import Any

from django import forms

from ircase.models import Case
from liveresponse.catalogue import Definition
from liveresponse.forms.collections import RequestForm
from liveresponse.models import Batch
from liveresponse.services import batches


class BatchForm(RequestForm):
    """The collection's parameters, and where its devices come from."""

    origin = forms.ChoiceField(label="Devices", widget=forms.RadioSelect)
    names = forms.CharField(
        label="Names or ids", required=False, max_length=300_000, strip=True,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="One on a line, or parted by commas: DNS names as Defender knows them, or its ids. 1,000 at most.",
    )  # fmt: skip
    tag = forms.CharField(label="Tag in Defender", required=False, max_length=200)
    table = forms.ChoiceField(label="Rows of the case", required=False)

    def __init__(self, case: Case, definition: Definition, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, definition, *args, **kwargs)
        del self.fields["device"]
        known = len(batches.case_devices(case))
        tables = batches.device_tables(case)
        choices = [(Batch.Origin.ASSETS, f"The case's devices ({known:,})")] if known else []
        choices += [(Batch.Origin.TABLE, "Devices in rows of the case")] if tables else []
        choices += [(Batch.Origin.TAG, "Devices with a tag"), (Batch.Origin.NAMES, "Names or ids")]
        origin, table = self.fields["origin"], self.fields["table"]
        assert isinstance(origin, forms.ChoiceField) and isinstance(table, forms.ChoiceField)
        origin.choices, origin.initial = choices, choices[0][0]
        table.choices = [
            (str(one.uuid), f"{one.evidence.exhibit} {one.name}: {batches.device_column(one)}, {one.row_count:,} rows")
            for one in tables
        ]
        if not tables:
            del self.fields["table"]
        self.order_fields(["origin", "names", "tag", "table", *(p.name for p in definition.parameters), "reason"])

    @property
    def source(self) -> dict[str, Any]:
        """As `request_batch` takes it."""
        data = self.cleaned_data
        names = [part for line in data["names"].splitlines() for part in line.replace(";", ",").split(",")]
        return {
            "origin": data["origin"],
            "names": names if data["origin"] == Batch.Origin.NAMES else (),
            "tag": data["tag"],
            "table": data.get("table", ""),
        }
