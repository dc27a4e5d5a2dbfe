"""The style guide: every component with invented values. A page for DEBUG only; nothing in the product imports this."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET

from frontend.jsontree import nodes

VALUES = Path(__file__).with_name("styleguide.yaml")
NOON = dt.datetime(2026, 11, 20, 16, 41, 12, tzinfo=dt.UTC)
SHA256 = "9f2c4be1a70d53c86e0f1b2d3c4a5968778695a4b3c2d1e0f00112233445e41a"
QUERY = """DeviceProcessEvents
| where Timestamp > ago(SearchWindow) and DeviceName =~ DeviceName_
| where FileName in~ ("powershell.exe", "pwsh.exe") and ProcessCommandLine has_any ("-enc", "FromBase64String")
| summarize Events = count(), FirstSeen = min(Timestamp) by DeviceName, AccountName, FileName
| order by FirstSeen asc"""


@dataclass(frozen=True, slots=True)
class SampleUser:
    """As much of a user as the components ask for."""

    first_name: str
    last_name: str
    is_authenticated: bool = True
    administers: bool = True

    def get_full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()

    def get_username(self) -> str:
        """Sign-in name."""
        return f"{self.first_name}.{self.last_name}@contoso.example".lower()


ALICE = SampleUser("Alice", "Lindqvist")
BOB = SampleUser("Bob", "Okafor")


class SampleForm(forms.Form):
    """One field of each kind, some of them wrong."""

    title = forms.CharField(max_length=200, help_text="One line that a manager understands.")
    severity = forms.ChoiceField(choices=[("low", "Low"), ("medium", "Medium"), ("high", "High")])
    device = forms.CharField(required=False, label="Device name")
    window = forms.IntegerField(label="Search window (hours)", min_value=1, max_value=720)
    description = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    role = forms.ChoiceField(
        choices=[("viewer", "Viewer"), ("analyst", "Analyst"), ("lead", "Lead")], widget=forms.RadioSelect
    )
    confidential = forms.BooleanField(required=False, help_text="Only members will know that this case exists.")


class SampleUpload(forms.Form):
    """A file field."""

    file = forms.FileField(label="Evidence file", help_text="EVTX, CSV, NDJSON, or a zip of them.")


class SamplePage:
    """Page 3 of 13, as Django's `Page` would say it."""

    number, start_index, end_index = 3, 201, 300
    has_previous = has_next = has_other_pages = True
    previous_page_number, next_page_number = 2, 4
    paginator = {"count": 1234, "num_pages": 13}


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The style guide. Mount it only when DEBUG is on."""
    return render(request, "styleguide.html", sample_context())


def sample_context() -> dict[str, Any]:
    """Values for every component."""
    filled = {"title": "", "severity": "high", "window": "9000", "description": "Seen by the SOC.", "role": "analyst"}
    return {
        **_written(),
        "rows": [_case_row(number) for number in range(142, 147)],
        "grid_rows": [_grid_row(number) for number in range(1, 13)],
        "tree": nodes(JSON),
        "form": SampleForm(filled),
        "upload": SampleUpload(),
        "chart": bars([("Mon", 4), ("Tue", 7), ("Wed", 3), ("Thu", 9), ("Fri", 14)]),
        "line": line([3, 5, 4, 8, 6, 9, 12, 7, 10, 14, 9, 11]),
        "legend": [{"label": name.title(), "class": f"sev-{name}"} for name in SEVERITIES],
        "page": SamplePage(),
        "alice": ALICE,
        "bob": BOB,
        "now": NOON,
        "sha": SHA256,
        "query": QUERY,
        "sort": "-opened",
        "severities": SEVERITIES,
        "states": STATES,
    }


SEVERITIES = ["informational", "low", "medium", "high", "critical"]
STATES = [
    *("queued", "running", "done", "failed", "cancelled", "truncated", "partial"),
    *("requested", "approved", "submitted", "fetching", "expired", "refused"),
    *("sealed", "verified", "altered", "missing", "unchecked", "open", "closed", "overdue"),
    *("rejected", "withdrawn", "skipped", "healthy", "degraded", "down"),
    *("confirmed", "suspected", "suspicious", "malicious", "inconclusive", "no_data", "benign", "clean", "recovered"),
]
JSON = {
    "ActionType": "RegistryValueSet",
    "Count": 3,
    "Signed": False,
    "Parent": None,
    "AdditionalFields": {"Hashes": [SHA256, SHA256], "Empty": {}, "Depth": {"a": {"b": [1, 2.5]}}},
}


def _written() -> dict[str, Any]:
    """The values of styleguide.yaml, with the people in place of their names."""
    values: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    people = {"alice": ALICE, "bob": BOB}
    for task in values["tasks"]:
        task["owner"] = people.get(task.get("owner"))
    return values


def _grid_row(number: int) -> dict[str, Any]:
    command = "powershell.exe -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcA" * 3
    moment = f"2026-11-20T16:{number:02}:12.4417Z"
    cells = [moment, "fin-lt-0231.contoso.example", "powershell.exe", str(4100 + number), command, None]
    return {"number": number, "url": "#row", "cells": cells}


def _case_row(number: int) -> dict[str, Any]:
    severity = SEVERITIES[number % 5]
    return {
        "id": f"case-{number}",
        "cells": [
            {"text": f"IR-2026-0{number}", "url": "#", "mono": True},
            {"text": "Remote desktop from the internet to a finance laptop", "sub": "Alice Lindqvist"},
            {"severity": severity},
            {"tlp": "amber+strict", "optional": True},
            {"state": "open" if number % 2 else "closed"},
            {"at": NOON - dt.timedelta(days=number - 141)},
            {"text": str(number % 7), "num": True, "optional": True},
        ],
    }


def bars(values: list[tuple[str, int]]) -> SafeString:
    """A small bar chart, written the way that charts are written: attributes for the PDF, classes for the screen."""
    top = max(value for _, value in values)
    marks = []
    for index, (label, value) in enumerate(values):
        x, height = 20 + index * 60, round(110 * value / top)
        marks.append(
            f'<rect class="series-1" fill="#2a6fdb" x="{x}" y="{130 - height}" width="36" height="{height}" rx="3">'
        )
        marks.append(f"<title>{label}: {value}</title></rect>")
        marks.append(f'<text class="value" x="{x + 18}" y="{124 - height}" text-anchor="middle">{value}</text>')
        marks.append(f'<text x="{x + 18}" y="146" text-anchor="middle">{label}</text>')
    axis = '<path class="axis" stroke="#ccc" d="M10 130.5H320"/>'
    return mark_safe(f'<svg viewBox="0 0 330 152" role="img" aria-label="Cases per day">{axis}{"".join(marks)}</svg>')


def line(values: list[int]) -> SafeString:
    """A small line chart with its area."""
    top = max(values)
    points = [f"{10 + index * 28} {130 - round(100 * value / top)}" for index, value in enumerate(values)]
    path, last = " L".join(points), 10 + (len(values) - 1) * 28
    grid = "".join(f'<path class="grid-line" stroke="#ddd" d="M10 {y}.5H320"/>' for y in (30, 80, 130))
    shapes = (
        f'<path class="area series-3" fill="#0b8a8a" d="M{path} L{last} 130 L10 130Z"/>'
        f'<path class="line series-3" stroke="#0b8a8a" fill="none" d="M{path}"/>'
    )
    return mark_safe(f'<svg viewBox="0 0 330 140" role="img" aria-label="Events per hour">{grid}{shapes}</svg>')
