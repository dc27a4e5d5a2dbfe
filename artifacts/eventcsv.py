"""Event logs that PowerShell's Get-EventLog wrote as CSV: the fields are pulled out of the message text.

English, German and French: the words stand in mappings/dfir.yaml.

Sixteen columns, no event data (``ReplacementStrings`` is only a type name), times local in the device's culture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from typing import Any

import yaml

from artifacts.csvfiles import CsvBroken
from artifacts.culture import Judgement, Order, judged, local_text, read_local
from artifacts.mapping import FOLDER
from artifacts.records import Record

_COLUMNS = frozenset(("eventid", "machinename", "entrytype", "replacementstrings", "instanceid", "timegenerated"))
_SAMPLES = 20_000
_LINE = re.compile(r"(?P<indent>\s*)(?P<label>[^:\t]{1,60}):(?:\s+(?P<value>.*))?\Z")
_SECURITY = ("Microsoft-Windows-Security-Auditing", "Microsoft-Windows-Eventlog")
# https://learn.microsoft.com/en-us/dotnet/api/system.diagnostics.eventlogentrytype
_LEVELS = {"error": 2, "warning": 3, "information": 4, "successaudit": 0, "failureaudit": 0}


def is_event_csv(header: Iterable[str]) -> bool:
    return {name.casefold() for name in header} >= _COLUMNS


def time_order(rows: Iterable[Mapping[str, Any]], collected: date | None) -> Judgement:
    """The culture of the TimeGenerated column, judged by up to 20,000 rows."""
    samples = set()
    with suppress(CsvBroken):  # the reading proper says it
        for row in rows:
            samples.add(str(_cell(row, "TimeGenerated")))
            if len(samples) >= _SAMPLES:
                break
    return judged(samples, collected=collected)


def record_of(row: Mapping[str, Any], order: Order | None) -> Record | None:
    """The event of one row; its time is local, and None where the culture could not be told."""
    number = re.fullmatch(r"\d{1,9}", str(_cell(row, "EventID")).strip())
    if number is None:
        return None
    provider, message = str(_cell(row, "Source")), str(_cell(row, "Message"))
    written = str(_cell(row, "TimeGenerated"))
    local = read_local(written, order) if order else None
    index = str(_cell(row, "Index"))
    return Record(
        provider=provider,
        event_id=int(number.group()),
        channel="Security" if provider in _SECURITY else "",
        computer=str(_cell(row, "MachineName")),
        data=message_fields(message),
        level=_LEVELS.get(str(_cell(row, "EntryType")).casefold()),
        record_id=int(index) if index.isdigit() and len(index) < 19 else None,
        user_name=str(_cell(row, "UserName")),
        message=message,
        time=local_text(local) if local else None,
        time_source="TimeGenerated (local, offset unknown)" if local else f"unread: {written}"[:80],
    )


def message_fields(message: str) -> dict[str, Any]:
    """EventData fields from a message; one in a language whose words are not listed gives none."""
    known, words = _labels(), _words()
    fields: dict[str, Any] = {}
    section = ""
    for line in message.splitlines()[:200]:
        match = _LINE.match(line.rstrip())
        if match is None:
            continue
        label, value = match["label"].strip().replace("\u2019", "'"), (match["value"] or "").strip()
        label = words.get(label.casefold(), label)
        if not value and not match["indent"]:
            section = label
            continue
        name = known.get(f"{section if match['indent'] else ''}/{label}")
        if name and value:
            fields.setdefault(name, value)
    return fields


@cache
def _labels() -> Mapping[str, str]:
    document = yaml.safe_load((FOLDER / "dfir.yaml").read_text(encoding="utf-8"))
    return {str(label): str(name) for label, name in document["message"].items()}


@cache
def _words() -> Mapping[str, str]:
    """What sections and labels of other languages are in English, without case and with straight apostrophes."""
    document = yaml.safe_load((FOLDER / "dfir.yaml").read_text(encoding="utf-8"))
    return {
        str(word).replace("\u2019", "'").casefold(): str(english)
        for words in document["languages"].values()
        for word, english in words.items()
    }


def _cell(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    return next((value for key, value in row.items() if key.casefold() == name.casefold()), "")
