"""Writes ``docs/artifacts.md`` from the mappings: which event id becomes which row and which column, and why.

``python -m artifacts.document`` writes the file; a test proves that it is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from artifacts.mapping import Action, Rule, described, load_rules, raw_only

PATH = Path(__file__).resolve().parent.parent / "docs" / "artifacts.md"
_HEAD = Path(__file__).with_name("document_head.md")


def text() -> str:
    """The whole document."""
    rules = [rule for found in load_rules().values() for rule in found]
    rules.sort(key=lambda rule: (rule.provider, rule.event_id, rule.table, rule.title))
    parts = [_HEAD.read_text(encoding="utf-8").rstrip(), "", *_overview(rules), *_raw_only()]
    for provider, group in groupby(rules, key=lambda rule: rule.provider):
        parts += ["", f"## {provider}"]
        for rule in group:
            parts += _section(rule)
    return "\n".join(parts) + "\n"


def _overview(rules: list[Rule]) -> Iterator[str]:
    yield "## All events at a glance"
    yield ""
    yield "| provider | event | what | table | ActionType |"
    yield "|---|---|---|---|---|"
    for rule in rules:
        yield f"| {rule.provider} | {rule.event_id} | {rule.title} | {rule.table} | {_action(rule.action)} |"


def _raw_only() -> Iterator[str]:
    yield ""
    yield "## Events that stay in the raw log"
    yield ""
    yield "Microsoft publishes no ActionType for these, and none is invented: they stand in `Event` or `SecurityEvent`."
    yield ""
    yield "| provider | event | what | source |"
    yield "|---|---|---|---|"
    for entry in raw_only():
        yield f"| {entry['provider']} | {entry['id']} | {entry['title']} | <{entry['source']}> |"


def _section(rule: Rule) -> Iterator[str]:
    yield ""
    yield f"### {rule.event_id}: {rule.title}"
    yield ""
    yield f"One row of `{rule.table}`, ActionType {_action(rule.action)}. Source: <{rule.source}>"
    if rule.when:
        conditions = " and ".join(f"`{name}` is {' or '.join(f'`{v}`' for v in sorted(vs))}" for name, vs in rule.when)
        yield f"Only where {conditions} (without case)."
    if rule.note:
        yield f"{rule.note}"
    if rule.columns or rule.additional:
        yield ""
        yield "| column | from |"
        yield "|---|---|"
    for column, source in rule.columns:
        yield f"| {column} | {described(source)} |"
    for name, source in rule.additional:
        yield f"| AdditionalFields.{name} | {described(source)} |"


def _action(action: Action) -> str:
    if action.fixed is not None:
        return f"`{action.fixed}`"
    by_word: dict[str, list[str]] = {}
    for value, word in action.words.items():
        by_word.setdefault(word, []).append(value)
    words = [f"`{word}` where `{action.by}` is {', '.join(values)}" for word, values in by_word.items()]
    if action.otherwise:
        words.append(f"else `{action.otherwise}`")
    return "; ".join(words)


def main() -> int:
    PATH.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
