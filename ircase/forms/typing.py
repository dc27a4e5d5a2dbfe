"""How a file of rows is read: its layout, the names and types of its columns, the zone of its times."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from django import forms
from django.forms.boundfield import BoundField
from django.http import QueryDict

from artifacts.choices import ENCODINGS, TYPES, Choice, ColumnChoice, Dialect
from artifacts.culture import Order
from artifacts.naming import column_name, identifier
from artifacts.shapes import Shape, ShapeColumn
from ircase.forms.people import zone_choices
from kql.types import KqlType

DELIMITERS = (
    (",", "Comma"), (";", "Semicolon"), ("\\t", "Tab"), ("|", "Vertical bar"), (" ", "Space"), (":", "Colon"),
    ("^", "Caret"), ("~", "Tilde"), ("\x01", "Control-A"),
)  # fmt: skip
QUOTES = (('"', 'Double quote "'), ("'", "Single quote '"), ("none", "Nothing is quoted"))
HEADERS = (("yes", "Names"), ("no", "Data"))
ORDER_LABELS = (
    ("", "Not said yet"), ("dmy", "Day, month, year"), ("mdy", "Month, day, year"), ("ymd", "Year, month, day"),
)  # fmt: skip
MAX_SKIP = 100_000


@dataclass(frozen=True)
class ColumnRow:
    """A column on the form: its fields, and the first values that the file has for it."""

    column: ShapeColumn
    keep: BoundField
    name: BoundField
    type: BoundField
    examples: tuple[str, ...]


class LayoutForm(forms.Form):
    """Delimiter, quote, encoding, header and lines to pass over, as far as the format has them."""

    delimiter = forms.ChoiceField(choices=DELIMITERS)
    quote = forms.ChoiceField(choices=QUOTES)
    encoding = forms.ChoiceField(choices=[(name, name.upper()) for name in ENCODINGS])
    header = forms.ChoiceField(choices=HEADERS, label="What the first line holds")
    skip = forms.IntegerField(min_value=0, max_value=MAX_SKIP, label="Lines to pass over", initial=0)

    def __init__(self, data: QueryDict | None = None, *, shape: Shape) -> None:
        self.shape = shape
        super().__init__(data, initial=_layout_initial(shape.dialect), auto_id="layout_%s")
        has = {"csv": set(self.fields), "xlsx": {"header", "skip"}}.get(shape.kind, set())
        for name in set(self.fields) - has:
            del self.fields[name]
        self._offer("delimiter")
        self._offer("encoding")

    def _offer(self, name: str) -> None:
        """What was found is a choice even where it is a rare one."""
        field, value = self.fields.get(name), self.initial.get(name)
        if isinstance(field, forms.ChoiceField) and value not in {key for key, _ in _pairs(field)}:
            field.choices = [(value, repr(value)), *_pairs(field)]

    def dialect(self) -> Dialect:
        said, found = self.cleaned_data, self.shape.dialect
        if not self.fields:
            return found
        changed = replace(found, header=said["header"] == "yes", skip=said["skip"])
        if self.shape.kind != "csv":
            return changed
        return replace(
            changed,
            delimiter="\t" if said["delimiter"] == "\\t" else said["delimiter"],
            quote="" if said["quote"] == "none" else said["quote"],
            encoding=said["encoding"],
        )


def _pairs(field: forms.ChoiceField) -> list[tuple[Any, Any]]:
    return list(cast(Iterable[tuple[Any, Any]], field.choices))


def _layout_initial(dialect: Dialect) -> dict[str, Any]:
    encodings = {"utf-8-sig": "utf-8", "utf-32": "utf-16"}
    return {
        "delimiter": "\\t" if dialect.delimiter == "\t" else dialect.delimiter,
        "quote": dialect.quote or "none",
        "encoding": encodings.get(dialect.encoding, dialect.encoding),
        "header": "no" if dialect.header is False else "yes",
        "skip": dialect.skip,
    }


class TypesForm(forms.Form):
    """Name and type of every column, the zone and day order of times that leave them open, and the row's time."""

    table = forms.CharField(max_length=120, help_text="Letters, digits and _: its name in KQL.")
    zone = forms.ChoiceField(required=False, label="Time zone of times that name none")
    order = forms.ChoiceField(required=False, choices=ORDER_LABELS, label="Order of dates such as 03/04/2026")
    time_column = forms.ChoiceField(
        required=False, label="When did the row happen", help_text="It also stands in Timestamp, where hunts look."
    )

    def __init__(self, data: QueryDict | None = None, *, shape: Shape, choice: Choice | None) -> None:
        self.shape = shape
        chosen = {c.source: c for c in choice.columns} if choice else {}
        super().__init__(data, initial=_types_initial(shape, choice), auto_id="types_%s")
        cast(forms.ChoiceField, self.fields["zone"]).choices = [("", "Not said yet"), *zone_choices()]
        columns = [("", "No column says"), *((c.source, c.source) for c in shape.columns)]
        cast(forms.ChoiceField, self.fields["time_column"]).choices = columns
        for number, column in enumerate(shape.columns):
            self._add_column(number, column, chosen.get(column.source))

    def _add_column(self, number: int, column: ShapeColumn, chosen: ColumnChoice | None) -> None:
        kinds = [(kind, kind) for kind in TYPES]
        labelled = column.source[:60]
        self.fields[f"keep_{number}"] = forms.BooleanField(required=False, label=f"Keep {labelled}")
        self.fields[f"name_{number}"] = forms.CharField(
            max_length=120, label=f"Name of {labelled}", widget=forms.TextInput({"class": "input"})
        )
        self.fields[f"type_{number}"] = forms.ChoiceField(
            choices=kinds, label=f"Type of {labelled}", widget=forms.Select({"class": "input"})
        )
        self.initial[f"keep_{number}"] = chosen.keep if chosen else True
        self.initial[f"name_{number}"] = chosen.name if chosen else column.source
        guessed = "datetime" if column.naive else column.type
        self.initial[f"type_{number}"] = chosen.type if chosen else guessed

    def rows(self) -> Iterator[ColumnRow]:
        for number, column in enumerate(self.shape.columns):
            keep, name, kind = (self[f"{field}_{number}"] for field in ("keep", "name", "type"))
            values = [row[number] for row in self.shape.sample if number < len(row) and row[number]]
            yield ColumnRow(column, keep, name, kind, tuple(values[:3]))

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        kept = [n for n in range(len(self.shape.columns)) if said.get(f"keep_{n}")]
        if not kept:
            self.add_error(None, "Keep at least one column.")
        self._check_names(said, kept)
        times = [self.shape.columns[n] for n in kept if said.get(f"type_{n}") == "datetime"]
        if any(column.naive for column in times) and not said.get("zone"):
            self.add_error("zone", "These times name no zone. Say where the clock stood; UTC if it showed UTC.")
        if any(len(column.orders) > 1 for column in times) and not said.get("order"):
            self.add_error("order", "Day and month cannot be told apart here. Say which comes first.")
        return said

    def _check_names(self, said: dict[str, Any], kept: list[int]) -> None:
        seen: set[str] = set()
        for number in kept:
            name = said.get(f"name_{number}", "")
            if name.casefold() in seen:
                self.add_error(f"name_{number}", "Two columns have this name.")
            seen.add(name.casefold())

    def clean_table(self) -> str:
        return identifier(self.cleaned_data["table"])

    def choice(self) -> Choice:
        """What was said, as the loader takes it."""
        said = self.cleaned_data
        columns = tuple(
            ColumnChoice(
                column.source,
                column_name(said[f"name_{n}"], n + 1),
                cast(KqlType, said[f"type_{n}"]),
                bool(said[f"keep_{n}"]),
            )
            for n, column in enumerate(self.shape.columns)
        )
        names = {column.source: column.name for column in columns if column.keep and column.type == "datetime"}
        only = {orders[0] for c in self.shape.columns if len(orders := c.orders) == 1}
        order = cast("Order | None", said["order"] or (only.pop() if len(only) == 1 else None))
        return Choice(
            member=self.shape.member,
            table=said["table"],
            dialect=self.shape.dialect,
            columns=columns,
            zone=said["zone"],
            order=order,
            time_column=names.get(said["time_column"], ""),
        )


def _types_initial(shape: Shape, choice: Choice | None) -> dict[str, Any]:
    if choice is not None and choice.columns:
        sources = {column.name: column.source for column in choice.columns}
        return {
            "table": choice.table,
            "zone": choice.zone,
            "order": choice.order or "",
            "time_column": sources.get(choice.time_column, ""),
        }
    times = [column.source for column in shape.columns if column.naive or column.type == "datetime"]
    orders = [column.orders for column in shape.columns if column.orders]
    order = orders[0][0] if orders and len(orders[0]) == 1 else ""
    return {"table": shape.table, "zone": "", "order": order, "time_column": times[0] if times else ""}
