"""Every operation of the API names the scope it needs, and a token without that scope does not open it."""

from typing import Any

from django.test import TestCase

from config.api import api
from ircase.models import Scope, User
from ircase.services.identity import people
from tests.cast import make_user

SCHEMA = api.get_openapi_schema()
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}
# What a path is about, by its first or its second part; the longest that fits decides. Reading needs `read` but here.
HUNT = ("/hunts", "/hunt-import", "/packs", "/notebooks", "/cases/{reference}/hunts", "/cases/{reference}/notebooks")
RESPOND = ("/cases/{reference}/standing-approvals",
           "/collection-definitions", "/response-actions", "/freezes", "/connections/{pk}/library",
           "/cases/{reference}/collections", "/cases/{reference}/collection-batches", "/cases/{reference}/actions",
           "/cases/{reference}/file-analyses", "/cases/{reference}/devices", "/cases/{reference}/files")  # fmt: skip
ADMINISTER = ("/people", "/teams", "/hooks", "/deliveries", "/feeds", "/supplies", "/site", "/retention-policies")
# Being ready is the team's daily work, though it is asked of a connection.
READINESS = {"tables": "hunt", "tries": "respond", "plan": "write", "settings": "write"}


def wanted(method: str, path: str) -> str | None:
    """The scope by hand; None where only the method decides and any changing scope is right."""
    short = path.removeprefix("/api/v1")
    if short.startswith(ADMINISTER):
        return "administer"
    if method == "GET":
        return "read"
    if short.startswith("/connections/{pk}/readiness/"):
        return READINESS[short.split("/")[4]]
    if short.startswith(HUNT):
        return "hunt"
    if short.startswith(RESPOND):
        return "respond"
    if short.startswith(("/connections", "/report-look")):
        return "administer"
    return None


class ScopeTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = make_user("walker", User.SiteRole.ANALYST)
        cls.tokens = {
            scope: people.create_token(user=cls.user, name=scope, scopes=[scope])[1] for scope in Scope.values
        } | {
            f"-{scope}": people.create_token(
                user=cls.user, name=f"-{scope}", scopes=[one for one in Scope.values if one != scope]
            )[1]
            for scope in Scope.values
        }

    def ask(self, method: str, path: str, token: str) -> Any:
        for name in ("uuid", "item", "cell"):
            path = path.replace(f"{{{name}}}", "00000000-0000-4000-8000-000000000000")
        for name in ("pk", "number", "revision"):
            path = path.replace(f"{{{name}}}", "999999")
        while "{" in path:
            path = path[: path.index("{")] + "none" + path[path.index("}") + 1 :]
        headers = {"Authorization": f"Bearer {self.tokens[token]}"}
        return self.client.generic(method, path, "{}", content_type="application/json", headers=headers)

    def test_every_operation_names_one(self) -> None:
        wrong = []
        for (method, path), operation in OPERATIONS.items():
            named, should = operation.get("x-scope"), wanted(method, path)
            if named not in Scope.values or (should and named != should) or (method != "GET" and named == "read"):
                wrong.append(f"{method} {path}: {named}, should be {should}")
        assert not wrong, "\n".join(wrong)

    def test_a_token_without_it_is_refused_and_one_with_nothing_else_is_not(self) -> None:
        wrong = []
        for (method, path), operation in OPERATIONS.items():
            scope = operation["x-scope"]
            refused = self.ask(method, path, f"-{scope}")
            if refused.status_code != 403 or f"lacks the scope {scope}" not in refused.content.decode():
                wrong.append(f"{method} {path} without {scope}: {refused.status_code}")
            let_in = self.ask(method, path, scope)
            if "lacks the scope" in let_in.content.decode() or let_in.status_code == 401:
                wrong.append(f"{method} {path} with {scope}: {let_in.status_code}")
        assert not wrong, "\n".join(wrong)

    def test_a_scope_gives_no_right_that_the_person_lacks(self) -> None:
        assert self.ask("GET", "/api/v1/people", "administer").status_code == 403
        assert self.ask("GET", "/api/v1/me", "read").status_code == 200
