"""Sigma rules, converted by pySigma and its Kusto backend; both work without a network.

https://sigmahq.io/docs/basics/rules.html and https://github.com/AttackIQ/pySigma-backend-kusto
"""

import functools
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hunting.importing.data import text_of, texts
from hunting.importing.drafts import About, Draft, Reading
from hunting.importing.facts import DEFENDER, LOG_ANALYTICS
from hunting.importing.model import Format, ImportRefused
from hunting.importing.words import techniques

# A rule is data, but some of its words multiply: each dash of a windash value by five, brackets in a condition by the
# grammar's backtracking.
MAX_CONDITION: Final = 2_000
MAX_BRACKETS: Final = 8
MAX_DASHES: Final = 4
MAX_VALUES: Final = 2_000
_PIPELINES: Final = (
    ("sigma.pipelines.microsoftxdr", "microsoft_xdr_pipeline", DEFENDER, "Defender XDR"),
    ("sigma.pipelines.sentinelasim", "sentinel_asim_pipeline", LOG_ANALYTICS, "Sentinel ASIM"),
    ("sigma.pipelines.azuremonitor", "azure_monitor_pipeline", LOG_ANALYTICS, "Azure Monitor"),
)


def is_sigma(document: Any) -> bool:
    """Whether a YAML document is a Sigma rule, a correlation or a part of a collection."""
    if not isinstance(document, dict):
        return False
    return ("detection" in document and ("logsource" in document or "title" in document)) or (
        "correlation" in document and "title" in document
    )


def read_sigma(document: Mapping[str, Any], place: str, line: int) -> Reading:
    """The rule as KQL, in the first dialect that has its log source and its fields."""
    try:
        query, source, dialect = _convert(document)
    except ImportRefused as error:
        return Reading(Format.SIGMA, (Draft(place, line, "", About(), refusal=str(error)),))
    about = _about(document, source)
    changes = (f"The Sigma rule was converted to KQL for {dialect}.",)
    return Reading(Format.SIGMA, (Draft(place, line, query, about, changes=changes),))


def _about(document: Mapping[str, Any], source: str) -> About:
    logsource = document.get("logsource")
    parts = (
        (text_of(logsource.get(k)) for k in ("product", "category", "service")) if isinstance(logsource, dict) else ()
    )
    return About(
        title=text_of(document.get("title")),
        description=text_of(document.get("description")),
        techniques=techniques(" ".join(texts(document.get("tags"))).replace("attack.", " ")),
        references=tuple(texts(document.get("references"))),
        author=text_of(document.get("author")),
        severity=text_of(document.get("level")),
        false_positives=tuple(texts(document.get("falsepositives"))),
        details=tuple((k, text_of(document.get(k))) for k in ("id", "status", "date", "modified") if k in document)
        + (("logsource", " ".join(p for p in parts if p)),),
        sources=(source,),
    )


def _convert(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """The KQL, its source, and the dialect's name. Raises ImportRefused."""
    if "correlation" in document:
        raise ImportRefused("It is a correlation rule of Sigma; these are not converted yet.")
    _check(document)
    convert = _converter()
    if convert is None:
        raise ImportRefused("Sigma rules need the packages pysigma and pysigma-backend-kusto, which are not installed.")
    reasons: dict[str, str] = {}
    for module, pipeline, source, dialect in _PIPELINES:
        try:
            return convert(document, module, pipeline, _table(document, dialect)), source, dialect
        except ImportRefused as error:
            reasons[dialect] = str(error)
    if len(set(reasons.values())) == 1:
        raise ImportRefused(f"The rule has no counterpart in KQL: {next(iter(reasons.values()))}")
    said = " ".join(f"{dialect}: {reason}" for dialect, reason in reasons.items())
    raise ImportRefused(f"The rule has no counterpart in KQL. {said}")


def _table(document: Mapping[str, Any], dialect: str) -> str | None:
    """The table of Windows' security log: Azure Monitor's pipeline knows it by some event ids only."""
    logsource = document["logsource"]
    security = text_of(logsource.get("product")) == "windows" and text_of(logsource.get("service")) == "security"
    return "SecurityEvent" if security and dialect == "Azure Monitor" else None


def _check(document: Mapping[str, Any]) -> None:
    detection = document.get("detection")
    if not isinstance(detection, dict) or not isinstance(document.get("logsource"), dict):
        raise ImportRefused("A Sigma rule has a logsource and a detection; this one lacks one of them.")
    conditions = list(texts(detection.get("condition")))
    if not conditions:
        raise ImportRefused("The rule's detection has no condition.")
    for condition in conditions:
        if len(condition) > MAX_CONDITION or _depth(condition) > MAX_BRACKETS:
            raise ImportRefused(
                f"The rule's condition is longer than {MAX_CONDITION:,} characters or nested too deeply."
            )
        if "|" in condition:
            raise ImportRefused("The rule's condition aggregates (with |), which Sigma itself has given up.")
    values = list(_values(detection, ""))
    if len(values) > MAX_VALUES:
        raise ImportRefused(f"The rule has more than {MAX_VALUES:,} values.")
    for key, value in values:
        if "windash" in key and len(re.findall(r"\B[-/]\b", value)) > MAX_DASHES:
            raise ImportRefused(
                f"A value with windash has more than {MAX_DASHES} dashes, and each multiplies it by five."
            )


def _depth(condition: str) -> int:
    """Brackets and negations that may stand inside each other."""
    deep = now = 0
    for character in condition:
        now += (character == "(") - (character == ")")
        deep = max(deep, now)
    return max(deep, max((len(m.split()) for m in re.findall(r"(?:\bnot\s+)+", condition)), default=0))


def _values(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)
    else:
        yield key, str(value)


_SHAPES: Final = (
    ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, NotImplementedError,
    RecursionError, re.error,
)  # fmt: skip
_Converter = Callable[[Mapping[str, Any], str, str, str | None], str]


@functools.cache
def _converter() -> _Converter | None:
    """pySigma, loaded when the first rule comes: its tables take most of a second."""
    try:
        rules = importlib.import_module("sigma.rule")
        backends = importlib.import_module("sigma.backends.kusto")
        faults = importlib.import_module("sigma.exceptions").SigmaError
    except ImportError:
        return None

    def convert(document: Mapping[str, Any], module: str, pipeline: str, table: str | None) -> str:
        made = getattr(importlib.import_module(module), pipeline)(query_table=table)
        try:
            rule = rules.SigmaRule.from_dict(dict(document))
            found = backends.KustoBackend(processing_pipeline=made).convert_rule(rule)
        except faults as error:
            raise ImportRefused(_short(str(error))) from error
        except _SHAPES as error:
            # pySigma meets values of a wrong shape with whatever Python says.
            raise ImportRefused(f"pySigma cannot read the rule ({_short(str(error))}).") from error
        if len(found) != 1:
            raise ImportRefused(f"The rule has {len(found)} conditions, and becomes as many queries.")
        return str(found[0])

    return convert


def _short(message: str) -> str:
    """The first sentence, for a pipeline's messages go on to list its tables."""
    first = re.split(r"\.\s", message.strip().split("\n")[0], maxsplit=1)[0]
    return (first if len(first) <= 240 else f"{first[:239]}…").rstrip(".:") + "."
