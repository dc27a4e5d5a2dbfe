"""Schemathesis walks every operation: nothing answers 500, nothing answers what its description does not say.

Derandomised, so that a find of today is one of tomorrow. IRCASE_API_EXAMPLES sets how many requests an operation gets.
What is asked of Microsoft or of a worker stays undone here: the connection's hosts answer nobody, no task is sent, and
each request is taken back."""

import json
import os
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
import urllib3
from django.test import Client, TestCase, override_settings
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from config.api import api
from ircase.models import ApiToken, Case, CaseRole, User
from ircase.services import cases
from ircase.services.identity import people
from tests.cast import make_case, make_connection, make_user
from tests.test_permissions import undone
from tests.world import World, make_world

EXAMPLES = int(os.environ.get("IRCASE_API_EXAMPLES", "4"))
API = "/api/v1"
ASKED = (
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)
ONLY = os.environ.get("IRCASE_API_ONLY", "")


@override_settings(UPLOAD_RESUMABLE_MAX_BYTES=2**20)  # what fits this disk is not what is asked here
@pytest.mark.timeout(1200)  # hundreds of requests each; minutes where the machine is busy
class ConformanceTests(TestCase):
    world: World
    tokens: dict[str, str]

    @classmethod
    def setUpTestData(cls) -> None:
        load_all_checks()
        roles = {"outsider": User.SiteRole.GUEST, "viewer": User.SiteRole.GUEST, "lead": User.SiteRole.ANALYST,
                 "analyst": User.SiteRole.ANALYST, "administrator": User.SiteRole.ADMINISTRATOR}  # fmt: skip
        persons = {name: make_user(name, role) for name, role in roles.items()}
        lead, analyst = persons["lead"], persons["analyst"]
        case = make_case(lead, connection=make_connection())
        cases.set_member(case=case, actor=lead, user=analyst, role=CaseRole.ANALYST)
        cls.world = make_world(Case.objects.visible_to(lead).get(pk=case.pk), asker=analyst)
        cls.tokens = {name: people.create_token(user=user, name="walk")[1] for name, user in persons.items()}
        ApiToken.objects.update(last_used_at=timezone.now())

    def test_a_lead(self) -> None:
        self.walk("lead", GenerationMode.POSITIVE, EXAMPLES)

    def test_an_analyst(self) -> None:
        self.walk("analyst", GenerationMode.POSITIVE, max(2, EXAMPLES // 3))

    def test_an_administrator(self) -> None:
        self.walk("administrator", GenerationMode.POSITIVE, max(2, EXAMPLES // 3))

    def test_requests_that_fit_nothing(self) -> None:
        self.walk("lead", GenerationMode.NEGATIVE, max(2, EXAMPLES // 2))

    def walk(self, who: str, mode: GenerationMode, examples: int) -> None:
        document = json.loads(json.dumps(api.get_openapi_schema()))
        schema = schemathesis.openapi.from_dict(document)
        wrong: list[str] = []
        for found in schema.get_all_operations():
            operation = found.ok()
            if ONLY in f"{operation.method} {operation.path}":
                self.ask(operation, who, mode, examples, wrong)
        assert not wrong, f"{len(wrong)} operations:\n" + "\n\n".join(wrong)

    def send(self, case: Any, headers: dict[str, str]) -> requests.Response:
        """Through Django's own client, so that it happens in the transaction of the test."""
        asked = requests.Request(**case.as_transport_kwargs(base_url="http://testserver", headers=headers)).prepare()
        assert asked.url is not None and asked.method is not None
        body, sent = asked.body or b"", {name: str(value) for name, value in asked.headers.items()}
        kind = sent.pop("Content-Type", "application/octet-stream")
        sent.pop("Content-Length", None)
        path = asked.url.removeprefix("http://testserver")
        client = Client(raise_request_exception=False)
        said = client.generic(asked.method, path, body, content_type=kind, headers=sent)
        reply = requests.Response()
        reply.status_code, reply.request, reply.url = said.status_code, asked, asked.url
        reply.headers.update(dict(said.items()))
        reply._content = said.getvalue()
        reply.raw = urllib3.HTTPResponse(status=said.status_code, headers=list(said.items()))
        return reply

    def ask(self, operation: Any, who: str, mode: GenerationMode, examples: int, wrong: list[str]) -> None:
        key = f"{operation.method.upper()} {operation.path.removeprefix(API)}"
        names = [part[1:-1] for part in key.split("/") if part.startswith("{")]
        known = {name: str(self.world.value(f"api:{key}", name)) for name in names}

        asked: list[Any] = []

        @hypothesis.settings(
            max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def once(case: Any) -> None:
            asked.append(case)
            if mode is GenerationMode.POSITIVE or len(asked) % 2:
                case.path_parameters = known  # else an address of nothing that there is
            headers = {"Authorization": f"Bearer {self.tokens[who]}"}
            for name in ("If-Match", "Idempotency-Key", "If-None-Match"):
                case.headers.pop(name, None)  # of what is random there nothing is learned but a 400
            with undone():
                reply = self.send(case, headers)
                if reply.status_code != 405:  # then it was another address
                    case.validate_response(reply, checks=list(ASKED), headers=headers)

        try:
            once()
        except AssertionError as failure:
            wrong.append(f"{key}: {str(failure)[:1500]}")
        except BaseExceptionGroup as failures:
            wrong.append(f"{key}: " + " | ".join(str(one)[:1200] for one in failures.exceptions[:3]))
        except hypothesis.errors.Unsatisfiable:
            pass  # nothing can be sent wrongly there
