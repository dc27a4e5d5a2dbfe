"""A collection as the runner and the pages use it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from liveresponse.catalogue.parameters import Parameter, ParameterError, Value
from msapi.commands import GetFile, LiveResponseCommand, PutFile, RunScript
from msapi.errors import InvalidParameter

PLACE: Final = re.compile(r"\{([A-Za-z_]+)\}")
Approval = Literal["none", "script", "person"]
StepKind = Literal["put_file", "run_script", "get_file", "package"]
APPROVAL_WORDS: Final[dict[str, str]] = {
    "none": "Needs no approval.",
    "script": "Needs a second person's approval, or a standing one for each file it uses.",
    "person": "Needs a second person's approval every time.",
}


@dataclass(frozen=True)
class Step:
    """One machine action. `find` names what its transcript must hold, for the steps after it. The last step has the
    output: a file, an investigation package, or what a script printed (`printed`), as rows of `table`."""

    key: str
    title: str
    put_file: str
    run_script: str
    args: str
    get_file: str
    package: bool
    find: Mapping[str, re.Pattern[str]]
    output: bool
    printed: bool
    table: str

    @property
    def kind(self) -> StepKind:
        if self.package:
            return "package"
        return "put_file" if self.put_file else "run_script" if self.run_script else "get_file"

    @property
    def file(self) -> str:
        """The file of the tenant's library that the step uses, "" where none."""
        return self.put_file or self.run_script

    def command(self, values: Mapping[str, object]) -> LiveResponseCommand:
        """What is sent to the device; `values` are texts by name. Raises InvalidParameter where one has characters that
        the service refuses. A package is no Live Response command."""
        if self.put_file:
            return PutFile(self.put_file)
        if self.run_script:
            return RunScript(self.run_script, fill(self.args, values, _in_arguments))
        if self.get_file:
            return GetFile(fill(self.get_file, values))
        raise TypeError(f"Step {self.key} collects a package; nothing is sent through Live Response.")


@dataclass(frozen=True)
class Sent:
    """What a step sends: the call below Defender's address, and its body."""

    title: str
    path: str
    body: Mapping[str, Any]

    @property
    def json(self) -> str:
        """The body as it is written, for people."""
        return json.dumps(self.body, indent=2, ensure_ascii=False)

    @property
    def words(self) -> str:
        """The command in one line."""
        for command in self.body.get("Commands", ()):
            return f"{command['type']} " + ", ".join(f"{p['key']}={p['value']}" for p in command["params"])
        return "CollectInvestigationPackage"


@dataclass(frozen=True)
class Definition:
    """`content` is what the file holds, whole: a job keeps it, so that a later edit changes nothing that runs."""

    id: str
    version: int
    title: str
    description: str
    platforms: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    changes: str
    approval: Approval
    time_limit: timedelta
    parser: str
    source: str
    source_commit: str
    content: Mapping[str, Any]

    @property
    def needs_approval(self) -> bool:
        return self.approval != "none"

    @property
    def takes_standing(self) -> bool:
        """Whether a lead's yes in advance to each file is enough."""
        return self.approval == "script"

    @property
    def approval_words(self) -> str:
        return APPROVAL_WORDS[self.approval]

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the tenant's library that it uses, each once, in order."""
        return tuple(dict.fromkeys(step.file for step in self.steps if step.file))

    @property
    def script(self) -> str:
        """The first script that runs, "" where none does."""
        return next((step.run_script for step in self.steps if step.run_script), "")

    def clean(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Every parameter with its value. Raises ParameterError, also for a name that is no parameter."""
        unknown = set(given) - {parameter.name for parameter in self.parameters}
        if unknown:
            raise ParameterError(f"{self.title} has no parameter {', '.join(sorted(unknown))}.")
        return {p.name: p.clean(given.get(p.name)) for p in self.parameters}

    def placed(self, values: Mapping[str, object]) -> dict[str, str]:
        """The parameters' values as they stand in arguments and paths."""
        return {p.name: p.placed(values[p.name]) for p in self.parameters if p.name in values}

    def preview(self, values: Mapping[str, object], *, machine: str = "<device id>") -> list[Sent]:
        """Exactly what would be sent, step by step; what only a transcript can tell, and a value that is not given,
        stands as {name}. Raises InvalidParameter.
        """
        open_places = [name for step in self.steps for name in step.find] + [p.name for p in self.parameters]
        placed = {**{name: f"{{{name}}}" for name in open_places}, **self.placed(values)}
        return [self._sent(number, step, placed, machine) for number, step in enumerate(self.steps, 1)]

    def _sent(self, number: int, step: Step, placed: Mapping[str, object], machine: str) -> Sent:
        comment, base = f"IRCase <id of the collection> step {number}", f"/api/machines/{machine}"
        if step.package:
            return Sent(step.title, f"{base}/collectInvestigationPackage", {"Comment": comment})
        body = {"Commands": [step.command(placed).as_json()], "Comment": comment}
        return Sent(step.title, f"{base}/runliveresponse", body)


def fill(text: str, values: Mapping[str, object], put: Callable[[str], str] = str) -> str:
    """`{Name}` by its value. Not str.format: a value or a path may hold braces of its own."""
    return PLACE.sub(lambda match: put(str(values[match[1]])), text)


def _in_arguments(value: str) -> str:
    """A value between double quotes. One more backslash at its end keeps the quote from being escaped, and where it is
    not read as an escape Windows takes two for one. Raises InvalidParameter for what would end the quotes."""
    if any(mark in value for mark in '"\u201c\u201d\u201e`'):
        raise InvalidParameter(f"“{value[:60]}” holds a quote or a backtick and cannot be an argument.")
    return value + "\\" if value.endswith("\\") else value


PLATFORMS: Final = ("Windows", "Linux", "macOS")
_LINUX: Final = ("linux", "ubuntu", "debian", "redhat", "centos", "suse", "fedora", "oracle", "amazon", "rocky", "alma")


def platform_of(os_platform: str) -> str:
    """Defender's `osPlatform` (Windows11, WindowsServer2022, Ubuntu, macOS, …) as one of PLATFORMS; "" where unknown.

    https://learn.microsoft.com/defender-endpoint/api/machine
    """
    name = os_platform.strip().lower()
    if name.startswith("windows"):
        return "Windows"
    if name.startswith("mac"):
        return "macOS"
    return "Linux" if name.startswith(_LINUX) else ""
