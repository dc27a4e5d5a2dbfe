"""docs/api.md holds: its requests are sent as they stand there, its tables are those of the code."""

import re
import shlex
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from ircase.api.manner import errors
from ircase.models import Scope
from ircase.services.identity import people
from tests.ircase.test_api import ApiTestCase

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.S)


class ExampleTests(ApiTestCase):
    """Each example is sent; what stands behind its # is the status."""

    def send(self, block: str) -> Any:
        command, _, comment = block.partition("\n# ")
        variables = {"IRCASE": "/api/v1", "TOKEN": people.create_token(user=self.bob, name="docs")[1],
                     "CASE": self.case.reference}  # fmt: skip
        for line in command.replace("\\\n", " ").splitlines():
            if found := re.match(r"(\w+)=\$\((.*?)\|", line):
                variables[found[1]] = self.curl(found[2], variables).headers["ETag"]
            else:
                reply = self.curl(line, variables)
        assert str(reply.status_code) == comment[:3], (block, reply.content)
        return reply

    def curl(self, line: str, variables: dict[str, str]) -> Any:
        for name, value in variables.items():
            line = line.replace(f"${name}", value.replace('"', '\\"'))
        words, headers, form, method, data, url = iter(shlex.split(line)), {}, {}, "GET", "", ""
        for word in words:
            if word == "-X":
                method = next(words)
            elif word == "-H":
                name, value = next(words).split(": ", 1)
                headers[name] = value
            elif word == "-d":
                data = next(words)
            elif word == "-F":
                name, value = next(words).split("=", 1)
                form[name] = SimpleUploadedFile(value[1:], b"a,b\n1,2\n") if value[0] == "@" else value
            elif word in ("-sD", "-o"):
                next(words)
            elif word.startswith("/api"):
                url = word
        if form:
            return self.client.post(url, form, headers=headers)
        kind = headers.pop("Content-Type", "application/json")
        return self.client.generic(method, url, data, content_type=kind, headers=headers)

    def test_all_five(self) -> None:
        assert len(BLOCKS) == 5
        opened, listed, changed, sealed, asked = (self.send(block) for block in BLOCKS)
        assert opened.json()["reference"].startswith("IR-")
        assert 'rel="first"' in listed.headers["Link"]
        assert changed.json()["severity"] == "critical"
        assert (sealed.json()["problems"], len(sealed.json()["sealed"])) == ([], 1)
        assert asked.json()["state"] == "queued"


class TableTests(ApiTestCase):
    def test_the_problems(self) -> None:
        rows = dict(re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", TEXT, re.M))
        assert {int(status): name for status, name in rows.items()} == {
            status: errors.KINDS[status].name for status in map(int, rows)
        }

    def test_the_scopes(self) -> None:
        assert re.findall(r"^\| `([a-z]+)` \|", TEXT, re.M)[: len(Scope.values)] == Scope.values
