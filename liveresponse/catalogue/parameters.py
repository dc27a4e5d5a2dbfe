"""What a person is asked before a collection starts, and which values are taken."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from msapi.commands import GetFile, RunScript
from msapi.errors import InvalidParameter

Value = int | str | bool
ParameterType = Literal["int", "path", "string", "choice", "bool"]
TYPE_LABELS: Final[dict[str, str]] = {
    "int": "Whole number",
    "path": "Path on the device",
    "string": "Text",
    "choice": "One of a list",
    "bool": "Yes or no",
}
LONGEST_PATH: Final = 1024
# PowerShell ends a quoted text at any of these, and the backtick escapes.
# https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules
_QUOTES: Final = re.compile('["\u201c\u201d\u201e`]')
_YES, _NO = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off", ""})


class ParameterError(Exception):
    """A value does not fit its parameter. The message says what would."""


@dataclass(frozen=True)
class Parameter:
    """One value. `if_yes` and `if_no` are what a bool puts into its place; `choices` are a choice's values."""

    name: str
    type: ParameterType
    title: str
    help: str
    required: bool
    default: Value | None
    minimum: int
    maximum: int
    max_length: int
    choices: tuple[str, ...]
    if_yes: str
    if_no: str

    @property
    def type_label(self) -> str:
        return TYPE_LABELS[self.type]

    def clean(self, given: object) -> Value:
        """The value to use. Raises ParameterError."""
        value = self.default if given in (None, "") and self.default is not None else given
        if self.type == "bool":
            return self._truth(value)
        if value in (None, ""):
            return self._nothing()
        if self.type == "int":
            return self._number(value)
        text = str(value).strip()
        if self.type == "choice":
            return self._chosen(text)
        return self._path(text) if self.type == "path" else self._text(text)

    def _nothing(self) -> Value:
        if self.required or self.type != "string":
            raise ParameterError(f"{self.title} is needed.")
        return ""

    def _truth(self, value: object) -> bool:
        text = str(value if value is not None else "").strip().lower()
        if text not in _YES | _NO:
            raise ParameterError(f"{self.title} is yes or no.")
        return text in _YES

    def _number(self, value: object) -> int:
        try:
            number = int(str(value)[:40])
        except ValueError:
            raise ParameterError(f"{self.title} must be a whole number.") from None
        if not self.minimum <= number <= self.maximum:
            raise ParameterError(f"{self.title} must be from {self.minimum} to {self.maximum}.")
        return number

    def _chosen(self, text: str) -> str:
        if text not in self.choices:
            raise ParameterError(f"{self.title} is one of {', '.join(self.choices)}.")
        return text

    def _path(self, text: str) -> str:
        if len(text) > LONGEST_PATH:
            raise ParameterError(f"{self.title} must not be longer than {LONGEST_PATH} characters.")
        try:
            GetFile(text)
        except InvalidParameter as error:
            raise ParameterError(str(error)) from error
        return self._unquoted(text)

    def _text(self, text: str) -> str:
        if len(text) > self.max_length:
            raise ParameterError(f"{self.title} must not be longer than {self.max_length} characters.")
        try:
            RunScript("script.ps1", text)
        except InvalidParameter as error:
            raise ParameterError(str(error).replace("The script's arguments", self.title)) from error
        return self._unquoted(text)

    def _unquoted(self, text: str) -> str:
        if _QUOTES.search(text):
            raise ParameterError(f"{self.title} must not hold double quotes or backticks: they would end the argument.")
        return text

    def placed(self, value: object) -> str:
        """The value as it stands in arguments and paths."""
        if self.type == "bool":
            return self.if_yes if value else self.if_no
        return str(value)


def parameter_from(data: dict[str, Any]) -> Parameter:
    """A parameter from its entry in a definition."""
    return Parameter(
        name=data["name"],
        type=data["type"],
        title=data["title"],
        help=data.get("help", ""),
        required=data.get("required", False),
        default=data.get("default"),
        minimum=data.get("minimum", 0),
        maximum=data.get("maximum", 1_000_000),
        max_length=data.get("max_length", 200),
        choices=tuple(data.get("choices", ())),
        if_yes=data.get("if_yes", ""),
        if_no=data.get("if_no", ""),
    )


def faults_of(data: dict[str, Any]) -> list[str]:
    """What is wrong with a parameter beyond its shape, in sentences."""
    one, found = parameter_from(data), []
    if one.type == "choice" and not one.choices:
        found.append("A choice needs its `choices`.")
    if one.minimum > one.maximum:
        found.append("Its smallest value is larger than its largest.")
    for text in (*one.choices, one.if_yes, one.if_no):
        try:
            RunScript("script.ps1", text)
        except InvalidParameter as error:
            found.append(str(error).replace("The script's arguments", f"“{text[:40]}”"))
    if one.default is not None and not found:
        try:
            one.clean(one.default)
        except ParameterError as error:
            found.append(f"Its default does not fit: {error}")
    return found
