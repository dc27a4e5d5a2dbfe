"""tests/permissions.yaml against the truth: every URL and every API operation, as everybody, on two cases.

A URL, a method or an API operation that the table lacks fails here: nobody adds a door without saying whose it is.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, TestCase
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from config.api import api
from ircase.models import Case, CaseRole, User
from ircase.services import cases
from ircase.services.identity import people
from tests.cast import make_case, make_connection, make_user
from tests.world import World, make_world

TABLE = yaml.safe_load((Path(__file__).parent / "permissions.yaml").read_text(encoding="utf-8"))
PEOPLE: list[str] = TABLE["people"]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OURS = ("ircase", "hunting", "liveresponse")
OF_A_CASE = {"reads-case", "writes-case", "leads-case", "shares-case"}
API = "/api/v1"


def expected(profile: str, who: str, *, hidden: bool) -> str:
    """The table's cell. A confidential case is there for its members alone, and some doors of it are closer."""
    profile = TABLE["confidential"].get(profile, profile) if hidden else profile
    if hidden and who == "manager" and profile in OF_A_CASE:
        return "404"
    return str(TABLE["profiles"][profile][PEOPLE.index(who)])


def outcome(reply: HttpResponse) -> str:
    if reply.status_code == 401 or (reply.status_code == 302 and reply.headers["Location"].startswith("/sign-in/")):
        return "sign-in"
    if reply.status_code in (403, 404):
        return str(reply.status_code)
    return "ok" if reply.status_code < 400 or reply.status_code in (400, 409, 410, 413, 422) else str(reply.status_code)


def urls() -> Iterator[tuple[str, URLPattern]]:
    def walk(found: list[Any], namespace: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in found:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, pattern.namespace or namespace)
            else:
                yield f"{namespace}:{pattern.name}", pattern

    yield from walk(get_resolver().url_patterns, "")


SCHEMA = api.get_openapi_schema()


def pages() -> dict[str, tuple[str, URLPattern]]:
    """Row of the table -> URL name and pattern. A second pattern of a name is called `name+argument`."""
    found: dict[str, tuple[str, URLPattern]] = {}
    for name, pattern in urls():
        if name.split(":")[0] in OURS:
            more = ",".join(key for key in pattern.pattern.converters if key != "reference")
            found[f"{name}+{more}" if name in found else name] = (name, pattern)
    return found


PAGES = pages()
OPERATIONS = {
    f"{method.upper()} {path.removeprefix(API)}": operation
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside is taken back, so that every door is tried on the same world."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def body_of(schema: dict[str, Any]) -> Any:
    """A small value that fits a JSON schema of ours, so that the access check is reached."""
    if "$ref" in schema:
        return body_of(SCHEMA["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for choice in ("anyOf", "allOf", "oneOf"):
        if choice in schema:
            return body_of(schema[choice][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        required = schema.get("required", [])
        return {name: body_of(part) for name, part in schema.get("properties", {}).items() if name in required}
    formats = {"date-time": "2026-01-02T03:04:05Z", "uuid": "00000000-0000-4000-8000-000000000000"}
    values = {"string": formats.get(schema.get("format", ""), "text"), "integer": 1, "number": 1, "boolean": True}
    return values.get(schema.get("type", ""), [])


def say(wrong: list[str], what: str) -> None:
    assert not wrong, f"{what}:\n" + "\n".join(wrong)


class PermissionTests(TestCase):
    clients: dict[str, Client]
    cookies: dict[str, str]
    stranger: Client
    tokens: dict[str, str]
    worlds: dict[str, World]

    @classmethod
    def setUpTestData(cls) -> None:
        roles = {
            "outsider": User.SiteRole.GUEST,
            "viewer": User.SiteRole.GUEST,
            "analyst": User.SiteRole.ANALYST,
            "lead": User.SiteRole.ANALYST,
            "manager": User.SiteRole.MANAGER,
            "administrator": User.SiteRole.ADMINISTRATOR,
        }
        persons = {name: make_user(name, role) for name, role in roles.items()}
        connection = make_connection()
        cls.worlds = {}
        for kind in ("ordinary", "confidential"):
            case = make_case(persons["lead"], connection=connection, confidential=kind == "confidential")
            for name, role in (("viewer", CaseRole.VIEWER), ("analyst", CaseRole.ANALYST)):
                cases.set_member(case=case, actor=persons["lead"], user=persons[name], role=role)
            case = Case.objects.visible_to(persons["lead"]).get(pk=case.pk)
            cls.worlds[kind] = make_world(case, asker=persons["analyst"])
        cls.tokens = {name: people.create_token(user=user, name="walk")[1] for name, user in persons.items()}
        cls.stranger = Client(raise_request_exception=False)
        cls.clients = {name: Client(raise_request_exception=False) for name in PEOPLE}
        for name, user in persons.items():
            cls.clients[name].force_login(user)
        cls.cookies = {name: client.cookies.output(header="") for name, client in cls.clients.items()}

    def setUp(self) -> None:
        logging.disable(logging.ERROR)  # a thousand refusals are meant here
        self.addCleanup(logging.disable, logging.NOTSET)

    def page(self, who: str, method: str, name: str, world: World) -> HttpResponse:
        row, (name, pattern) = name, PAGES[name]
        arguments = {key: world.value(row, key) for key in pattern.pattern.converters}
        with undone():
            client, form = self.clients[who], world.form(name)
            client.cookies = SimpleCookie(self.cookies[who])  # whoever signed out in the last try is back
            return client.generic(method, reverse(name, kwargs=arguments), form, content_type=FORM)

    def call(self, who: str, key: str, world: World) -> HttpResponse:
        method, path = key.split(" ")
        for part in [p[1:-1] for p in path.split("/") if p.startswith("{")]:
            path = path.replace(f"{{{part}}}", str(world.value(f"api:{key}", part)))
        content = OPERATIONS[key].get("requestBody", {}).get("content", {}).get("application/json")
        body = json.dumps(world.body(key) or body_of(content["schema"])) if content else ""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        with undone():
            return self.stranger.generic(
                method, API + path, body, content_type="application/json" if content else FORM, headers=headers
            )

    def walk(self, kind: str) -> list[str]:
        world, wrong = self.worlds[kind], []
        hidden = kind == "confidential"
        doors = [
            *(
                (f"{method} {name}", profile, lambda who, m=method, n=name: self.page(who, m, n, world))
                for name, methods in TABLE["pages"].items()
                if name in PAGES
                for method, profile in methods.items()
            ),
            *(
                (f"API {key}", profile, lambda who, k=key: self.call(who, k, world))
                for key, profile in TABLE["api"].items()
                if key in OPERATIONS
            ),
        ]
        for label, profile, knock in doors:
            if hidden and profile not in OF_A_CASE:
                continue
            for who in PEOPLE:
                try:
                    seen, should = outcome(knock(who)), expected(profile, who, hidden=hidden)
                except LookupError as missing:
                    wrong.append(f"{label}: {missing.args[0]}")
                    break
                if seen != should and not ("readyz" in label and seen == "503"):
                    wrong.append(f"{label} as {who} on the {kind} case: {seen}, the table says {should}")
        return wrong

    def test_every_page_stands_in_the_table_and_every_row_is_a_page(self) -> None:
        say(sorted(set(PAGES) - set(TABLE["pages"])), "URLs that the table lacks")
        say(sorted(set(TABLE["pages"]) - set(PAGES)), "rows without a URL")

    def test_every_operation_stands_in_the_table_and_every_row_is_an_operation(self) -> None:
        say(sorted(set(OPERATIONS) - set(TABLE["api"])), "operations that the table lacks")
        say(sorted(set(TABLE["api"]) - set(OPERATIONS)), "rows without an operation")

    def test_a_page_takes_no_method_that_the_table_lacks(self) -> None:
        wrong = []
        for name, methods in TABLE["pages"].items():
            who = "administrator" if "administers" in methods.values() else "lead"
            for method in set(METHODS) - set(methods) if name in PAGES and name not in DJANGOS_OWN else ():
                try:
                    status = self.page(who, method, name, self.worlds["ordinary"]).status_code
                except LookupError as missing:
                    status = missing.args[0]
                if status != 405:
                    wrong.append(f"{method} {name}: {status}")
        say(wrong, "doors that open otherwise than the table says")

    def test_everybody_on_an_ordinary_case(self) -> None:
        say(self.walk("ordinary"), "doors that open otherwise than the table says")

    def test_everybody_on_a_confidential_case(self) -> None:
        say(self.walk("confidential"), "doors that open otherwise than the table says")

    def test_djangos_own_administration_is_for_administrators(self) -> None:
        wrong = []
        for name, pattern in urls():
            if not name.startswith("admin:") or not pattern.name or name in ADMIN_EXCEPTIONS:
                continue
            if pattern.pattern.converters:
                continue
            path = reverse(name)
            seen = {who: outcome(client.get(path)) for who, client in self.clients.items()}
            should = {who: str(TABLE["profiles"]["administers"][PEOPLE.index(who)]) for who in PEOPLE}
            if name.endswith("_add") and name != "admin:ircase_preparationitem_add":
                should["administrator"] = "403"
            wrong += [f"{name} as {who}: {seen[who]}" for who in PEOPLE if seen[who] != should[who]]
        say(wrong, "doors that open otherwise than the table says")

    def test_djangos_own_administration_shows_no_case_to_an_administrator_who_is_no_member(self) -> None:
        for kind in ("case", "evidence", "custodyentry", "casetable", "parsejob", "approval"):
            page = self.clients["administrator"].get(reverse(f"admin:ircase_{kind}_changelist"))
            assert page.status_code == 200
            assert self.worlds["ordinary"].case.reference not in page.content.decode(), kind
            assert page.context["cl"].result_count == 0, kind
        log = self.clients["administrator"].get(reverse("admin:ircase_logentry_changelist"))
        assert {entry.chain for entry in log.context["cl"].result_list} == {"site"}


FORM = "application/x-www-form-urlencoded"
DJANGOS_OWN = {"ircase:sign_in"}  # LoginView also takes PUT as POST; signed-in people are sent on whatever they do
# Doors of Django's own that are not pages of data: out, and the script of its translations.
ADMIN_EXCEPTIONS = {"admin:logout", "admin:jsi18n", "admin:login", "admin:autocomplete", "admin:password_change",
"admin:password_change_done", "admin:app_list"}  # fmt: skip
