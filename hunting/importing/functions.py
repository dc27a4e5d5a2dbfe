"""Functions as people share them: with `let` and no call after it, or saved, without the `let`.

https://learn.microsoft.com/en-us/kusto/query/functions/user-defined-functions
"""

import re
from typing import Final

from hunting.importing.facts import Facts, compared
from hunting.importing.guesses import camel, guess
from kql.errors import KqlError
from kql.syntax import tree
from kql.syntax.parser import parse

_SAVED: Final = re.compile(
    r"(?P<lead>(?:\s|//[^\n]*)*)"
    r"(?:\.(?:create|create-or-alter|alter)\s+function\s+(?:ifnotexists\s+)?(?:with\s*\([^)]{0,500}\)\s*)?)?"
    r"(?:(?P<name>[A-Za-z_]\w{0,127})\s*)?(?P<rest>\([^{}]{0,2000}\)\s*\{.*\})\s*;?\s*\Z",
    re.DOTALL,
)


def called(text: str, name: str = "") -> tuple[str, list[str]] | None:
    """A text that is nothing but functions, made into a query by a call of the last one; None for any other text.

    Arguments without a default become placeholders, which the reader of parameters then lifts. `name` is what a
    function without a name is called.
    """
    changes: list[str] = []
    saved = _SAVED.match(text)
    if saved:
        title = saved["name"] or camel(name) or "Saved"
        text = f"{saved['lead']}let {title} = {saved['rest']};"
        changes.append(f"The saved function became let {title} = …, with a call after it.")
    function = _last_function(text)
    if function is None:
        return None
    columns = compared(Facts(tree.Query((function,), tree.Constant(None, "bool"))))
    parameters = function.value.parameters if isinstance(function.value, tree.Function) else ()
    arguments = [_argument(text, p, columns.get(p.name, "")) for p in parameters]
    if None in arguments:
        return None
    call = f"{function.name}({', '.join(a for a in arguments if a)})"
    changes = changes or [f"The function {function.name} has a call after it."]
    return f"{text.rstrip().removesuffix(';')};\n{call}", changes


def _last_function(text: str) -> tree.Let | None:
    if not re.search(r"\blet\s", text) or "{" not in text:
        return None
    try:
        query = parse(f"{text.rstrip().removesuffix(';')};\nprint 1")
    except KqlError:
        return None
    last = query.lets[-1] if query.lets else None
    return last if last is not None and isinstance(last.value, tree.Function) else None


def _argument(text: str, parameter: tree.Parameter, column: str) -> str | None:
    """What the call gives for a parameter; None for a table, which nobody can fill in."""
    if parameter.type == "table":
        return None
    if parameter.default is not None:
        span = parameter.default.span
        return text[span.offset : span.offset + span.length]
    likely = guess(parameter.name, column)
    name = f"{{{likely.name or parameter.name}}}"
    kind = {"int": "long", "real": "long", "decimal": "long", "guid": "string"}.get(parameter.type, parameter.type)
    return f'"{name}"' if kind == "string" else f"{kind}({name})"
