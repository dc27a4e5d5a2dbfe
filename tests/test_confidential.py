"""The journey of a confidential case: who is no member learns nothing of it, by any door.

Through the real URLs and not through a browser: every door of tests/permissions.yaml is tried, which a browser would
take hours for, and the answers and the queries behind them are compared byte by byte.

Every word of the case is a rare token, and so are its reference and the uuids of all that is in it. Each reply to a
stranger is searched for all of them, but for those that the stranger sent.
"""

import json
import logging
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection, models
from django.http import HttpResponse
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ircase.models import ApiToken, Case, CaseRole, Delivery, IncomingIncident, Indicator, Notice, User
from ircase.search import index
from ircase.services import cases
from ircase.services.analysis import findings
from ircase.services.casework import linking
from ircase.services.identity import people
from tests.cast import make_case, make_connection, make_user
from tests.ircase.test_dossier_coverage import belonging
from tests.test_permissions import API, FORM, OF_A_CASE, OPERATIONS, PAGES, TABLE, body_of, undone
from tests.world import World, make_world

UNKNOWN = "IR-2026-XAAAAAA"
# Free texts of people, by the names that models give them.
TEXTS = frozenset(
    {
        "title", "description", "summary", "lessons", "body", "note", "what", "why", "alternatives", "told",
        "situation", "next_steps", "result", "reason", "outcome", "sentence", "basis", "deliver", "end_words",
        "article", "law", "text", "answer", "moved", "verdict_reason", "guidance", "duty",
    }
)  # fmt: skip
SHARED = "203.0.113.77"
"""An address that stands in both cases: knowing it tells nothing."""


def tokenise(case: Case) -> list[str]:
    """Write a token into every free text of the case and of all that belongs to it; the tokens."""
    made: list[str] = []

    def token() -> str:
        made.append(f"zq{uuid.uuid4().hex[:14]}")
        return made[-1]

    for model in sorted(all_models(), key=lambda one: one._meta.label):
        rows = rows_of(model, case)
        for field in model._meta.concrete_fields:
            if isinstance(field, models.CharField | models.TextField) and field.name in TEXTS and not field.choices:
                for pk in list(rows.values_list("pk", flat=True)):
                    model._base_manager.filter(pk=pk).update(**{field.name: token()})
    return made


def rows_of(model: type[models.Model], case: Case) -> models.QuerySet[Any]:
    found: models.QuerySet[Any] = model._base_manager.all()
    return found.filter(pk=case.pk) if model is Case else found.filter(**{path_to_case(model): case})


@cache
def all_models() -> frozenset[type[models.Model]]:
    return frozenset(belonging())


def path_to_case(model: type[models.Model]) -> str:
    """The foreign keys that lead from a model to its case, by the shortest way."""
    ways = [(field.name, field.related_model) for field in model._meta.concrete_fields if field.remote_field]
    for depth in range(5):
        for way, there in ways:
            if there is Case:
                return way
        assert depth < 4, model
        ways = [
            (f"{way}__{field.name}", field.related_model)
            for way, there in ways
            if there in all_models()
            for field in there._meta.concrete_fields
            if field.remote_field
        ]
    raise AssertionError(model)


def uuids_of(case: Case) -> Iterator[str]:
    for model in all_models():
        names = [field.name for field in model._meta.concrete_fields if isinstance(field, models.UUIDField)]
        rows = rows_of(model, case)
        for values in rows.values_list(*names) if names else ():
            yield from (str(value) for value in values if value)


def uuids_of_deliveries(case: Case) -> list[uuid.UUID]:
    return list(Delivery.objects.filter(case=case).values_list("uuid", flat=True))


class ConfidentialTests(TestCase):
    secret: Case
    own: Case
    tokens: list[str]
    worlds: dict[str, World]
    keys: dict[str, str]

    @classmethod
    def setUpTestData(cls) -> None:
        roles = {
            "lead": User.SiteRole.ANALYST, "asker": User.SiteRole.ANALYST, "ned": User.SiteRole.ANALYST,
            "outsider": User.SiteRole.GUEST, "viewer": User.SiteRole.GUEST, "carol": User.SiteRole.MANAGER,
            "administrator": User.SiteRole.ADMINISTRATOR,
        }  # fmt: skip
        persons = {name: make_user(name, role) for name, role in roles.items()}
        tenant = make_connection()
        cls.worlds = {}
        for name, lead in (("secret", "lead"), ("own", "ned")):
            case = make_case(persons[lead], connection=tenant, confidential=name == "secret", title=f"zqfirst{name}")
            cases.set_member(case=case, actor=persons[lead], user=persons["asker"], role=CaseRole.ANALYST)
            case = Case.objects.visible_to(persons[lead]).get(pk=case.pk)
            if name == "own":
                # The world's incident is of one case: the other's own shares its entities, not itself.
                IncomingIncident.objects.all().update(incident_id="8")
            cls.worlds[name] = make_world(case, asker=persons["asker"])
            findings.add_indicator(case=case, actor=persons[lead], kind="ip", value=SHARED)
            setattr(cls, name, case)
        linking.link(case=cls.secret, actor=persons["lead"], other=cls.own, kind="duplicate", reason="zqlinked")
        before = list(Indicator.objects.filter(case=cls.secret).values_list("pk", flat=True))
        cls.tokens = [*tokenise(cls.secret), "zqfirstsecret", "zqlinked"]
        assert before
        cls.secret.refresh_from_db()
        index.index_case(cls.secret)
        shared = set(uuids_of(cls.own))
        cls.tokens += [cls.secret.reference, *sorted(set(uuids_of(cls.secret)) - shared)]
        assert len(cls.tokens) > 100
        cls.keys = {name: people.create_token(user=user, name="walk")[1] for name, user in persons.items()}
        cls.persons = persons

    persons: dict[str, User]

    def setUp(self) -> None:
        # That a token was used is noted once a minute: a query that has nothing to do with what is asked.
        ApiToken.objects.update(last_used_at=timezone.now() + timedelta(hours=1))
        logging.disable(logging.ERROR)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.clients = {name: Client(raise_request_exception=False) for name in self.persons}
        for name, user in self.persons.items():
            self.clients[name].force_login(user)
        self.stranger = Client(raise_request_exception=False)

    # --- what is said ------------------------------------------------------------------------------------------------
    def told(self, reply: HttpResponse, sent: str = "") -> list[str]:
        """The tokens in a reply that were not in what was asked."""
        body = b"".join(reply.streaming_content) if reply.streaming else reply.content  # type: ignore[attr-defined]
        text = body.decode("utf-8", "replace") + str(dict(reply.headers))
        return [token for token in self.tokens if token in text and token not in sent]

    def arguments(self, row: str, world: World) -> dict[str, Any]:
        return {key: world.value(row, key) for key in PAGES[row][1].pattern.converters}

    def api(self, who: str, key: str, world: World, more: str = "", swap: tuple[str, str] = ("", "")) -> HttpResponse:
        method, path = key.split(" ")
        for part in [p[1:-1] for p in path.split("/") if p.startswith("{")]:
            path = path.replace(f"{{{part}}}", str(world.value(f"api:{key}", part)))
        content = OPERATIONS[key].get("requestBody", {}).get("content", {}).get("application/json")
        body = json.dumps(world.body(key) or body_of(content["schema"])) if content else ""
        with undone():
            return self.stranger.generic(
                method, API + path.replace(*swap) + more, body, content_type="application/json" if content else FORM,
                headers={"Authorization": f"Bearer {self.keys[who]}"},
            )  # fmt: skip

    def test_no_page_of_all_says_a_word_of_it(self) -> None:
        """Every page that a stranger may open: those of no case, and those of a case of their own that is like it."""
        own, wrong = self.worlds["own"], []
        for row, methods in TABLE["pages"].items():
            if "GET" not in methods or row not in PAGES or "sign_out" in row:
                continue
            try:
                address = reverse(PAGES[row][0], kwargs=self.arguments(row, own))
            except LookupError:
                continue
            for who in ("ned", "outsider", "carol", "administrator"):
                for query in self.queries(who):
                    with undone():
                        reply = self.clients[who].get(address + query)
                        found = self.told(reply, query)
                    found = [one for one in found if not self.is_letter(who, row, one)]
                    if found or (reply.status_code >= 500 and row != "ircase:readyz"):  # no Redis here: not ready
                        wrong.append(f"{who} {row} {query[:60]}: {reply.status_code} {self.named(found)}")
        assert wrong == [], "\n".join(wrong)

    def is_letter(self, who: str, door: str, token: str) -> bool:
        """An administrator sees that a message could not be delivered, not what it says nor of which case."""
        lists = ("ircase:hooks", "GET /deliveries")
        return who == "administrator" and door in lists and token in map(str, uuids_of_deliveries(self.secret))

    def queries(self, who: str) -> list[str]:
        """What somebody who guesses would ask for; for the one who sees most of all, nothing as well."""
        word = next(token for token in self.tokens if token.startswith("zq"))
        names = ("q", "text", "search", "name", "value", "actor", "title", "term")
        guesses = [f"{name}={word}" for name in names]
        guesses += [f"{name}={self.secret.reference}" for name in ("case", "like", "into", "other", "reference")]
        return [f"?{'&'.join(guesses)}", *([""] if who == "ned" else [])]

    def named(self, found: Iterable[str]) -> list[str]:
        """Which models the tokens stand in, for who mends it."""
        names = []
        for token in list(found)[:4]:
            for model in all_models():
                for field in model._meta.concrete_fields:
                    if isinstance(field, models.CharField | models.TextField | models.UUIDField):
                        try:
                            if model._base_manager.filter(**{field.name: token}).exists():
                                names.append(f"{model.__name__}.{field.name}")
                        except Exception:  # noqa: BLE001, S112 - a token that is no uuid
                            continue
        return names or list(found)[:4]

    def test_no_operation_of_all_says_a_word_of_it(self) -> None:
        own, wrong = self.worlds["own"], []
        for key in TABLE["api"]:
            if key not in OPERATIONS or not key.startswith("GET"):
                continue
            for who in ("ned", "outsider", "carol", "administrator"):
                for query in self.queries(who):
                    try:
                        reply = self.api(who, key, own, query)
                    except LookupError:
                        break
                    found = [one for one in self.told(reply, query) if not self.is_letter(who, key, one)]
                    if found or reply.status_code >= 500:
                        wrong.append(f"{who} {key} {query[:60]}: {reply.status_code} {self.named(found)}")
        assert wrong == [], "\n".join(wrong)

    def test_search_finds_nothing_of_it_whatever_is_asked(self) -> None:
        words = [token for token in self.tokens if token.startswith("zq")][::7]
        asked = [*words, SHARED, f"case:{self.secret.reference}", "is:confidential", "confidential:yes", "zq*",
                 f"kind:note {words[0]}", f"-{words[0]}", f'"{words[0]}"', f"tag:{words[0]}"]  # fmt: skip
        wrong = []
        for name in ("ircase:search", "ircase:palette", "ircase:case_list"):
            for text in asked:
                for who in ("ned", "outsider", "carol"):
                    reply = self.clients[who].get(reverse(name), {"q": text})
                    if found := self.told(reply, text):
                        wrong.append(f"{who} {name} {text}: {self.named(found)}")
        assert wrong == [], "\n".join(wrong)
        # The words are there to be found by who may.
        reply = self.clients["lead"].get(reverse("ircase:search"), {"q": words[0]})
        assert self.told(reply, words[0]), "the test's own words are not in the index"

    # --- the same door for what is not there -------------------------------------------------------------------------
    def asked(self, knock: Any) -> tuple[int, str, list[str]]:
        with CaptureQueriesContext(connection) as captured:
            reply = knock()
        return (
            reply.status_code,
            self.same(reply.content.decode("utf-8", "replace")),
            [self.same(one["sql"]) for one in captured],
        )

    def same(self, text: str) -> str:
        """Without what the two questions differ in by themselves."""
        text = text.replace(self.secret.reference, "REF").replace(UNKNOWN, "REF")
        text = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "UUID", text)
        text = re.sub(r'(csrfmiddlewaretoken" value="|csrf-?token"[^"]*"|nonce-?=?"?)[\w+/=-]+', "CSRF", text)
        text = re.sub(r"X-CSRFToken[^}]*", "CSRF", text)
        return re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^']*'", "TIME", re.sub(r"s\d+_x\d+", "SAVEPOINT", text))

    def test_an_invisible_and_an_unknown_case_take_the_same_path_and_the_same_queries(self) -> None:
        secret, wrong, tried = self.worlds["secret"], [], 0
        for row, methods in TABLE["pages"].items():
            if row not in PAGES or not set(methods.values()) <= OF_A_CASE:
                continue
            there = self.arguments(row, secret)
            pairs = {"reference": UNKNOWN}
            not_there = {
                key: pairs.get(
                    key, uuid.uuid4() if isinstance(value, uuid.UUID) and "reference" not in there else value
                )
                for key, value in there.items()
            }
            for method in methods:
                for who in ("ned", "outsider"):
                    one, two = (self.knock(who, method, PAGES[row][0], some) for some in (there, not_there))
                    tried += 1
                    if one != two or one[0] != 404:
                        wrong.append(f"{who} {method} {row}: {one[0]} {two[0]} {self.difference(one, two)}")
        assert tried > 400
        assert wrong == [], "\n".join(wrong)

    def knock(self, who: str, method: str, name: str, arguments: dict[str, Any]) -> tuple[int, str, list[str]]:
        with undone():
            return self.asked(
                lambda: self.clients[who].generic(method, reverse(name, kwargs=arguments), "", content_type=FORM)
            )

    @staticmethod
    def difference(one: tuple[int, str, list[str]], two: tuple[int, str, list[str]]) -> str:
        if one[2] != two[2]:
            return f"{len(one[2])} and {len(two[2])} queries: {sorted(set(one[2]) ^ set(two[2]))[:2]}"[:700]
        return "the pages differ" if one[1] != two[1] else ""

    def test_the_api_too(self) -> None:
        secret, wrong, tried = self.worlds["secret"], [], 0
        swap = (self.secret.reference, UNKNOWN)
        for key, profile in TABLE["api"].items():
            if key not in OPERATIONS or profile not in OF_A_CASE or "{reference}" not in key:
                continue
            for who in ("ned", "outsider"):
                one = self.asked(lambda w=who, k=key: self.api(w, k, secret))
                two = self.asked(lambda w=who, k=key: self.api(w, k, secret, swap=swap))
                tried += 1
                if one != two or one[0] != 404:
                    wrong.append(f"{who} {key}: {one[0]} {two[0]} {self.difference(one, two)}")
        assert tried > 200
        assert wrong == [], "\n".join(wrong)

    def test_naming_it_reads_as_naming_nothing(self) -> None:
        """Where a person may name a case or a thing of one: links, merges, comments, hand-over of incidents."""
        own = self.own.reference
        forms: list[tuple[str, str, dict[str, Any]]] = [
            ("links", "POST", {"other": "{}", "kind": "related", "reason": "A test"}),
            ("merge", "POST", {"into": "{}", "reason": "A test", "sure": "on"}),
            ("merge", "GET", {"into": "{}"}),
        ]
        for name, method, fields in forms:
            replies = []
            for reference in (self.secret.reference, UNKNOWN):
                values = {key: value.format(reference) for key, value in fields.items()}
                call = self.clients["ned"].post if method == "POST" else self.clients["ned"].get
                with undone():
                    reply = call(reverse(f"ircase:{name}", args=[own]), values, follow=True)  # type: ignore[operator]
                    assert self.told(reply, reference) == [], name
                    replies.append((reply.status_code, self.same(reply.content.decode())))
            assert replies[0] == replies[1], name
        for key, body in (
            (f"/cases/{own}/links", {"kind": "related", "reason": "A test", "other": ""}),
            (f"/cases/{own}/merge", {"into": "", "reason": "A test"}),
        ):
            seen = []
            for reference in (self.secret.reference, UNKNOWN):
                sent = {name: value or reference for name, value in body.items()}
                with undone():
                    seen.append(self.asked(lambda k=key, s=sent: self.stranger.post(
                        API + k, s, content_type="application/json",
                        headers={"Authorization": f"Bearer {self.keys['ned']}"},
                    ))[:2])  # fmt: skip
            assert seen[0] == seen[1], key

    def test_nobody_outside_is_told(self) -> None:
        strangers = [self.persons[name] for name in ("ned", "outsider", "carol", "administrator")]
        assert not Notice.objects.filter(case=self.secret, person__in=strangers).exists()
