"""The cast: Alice leads, Bob analyses, Carol manages, Mallory is an outsider, Ada administers; and their work."""

import uuid
from datetime import timedelta
from typing import Any

from django.test import TestCase
from django.utils import timezone

from ircase import secrets
from ircase.models import Case, CaseRole, Connection, Evidence, Notice, User
from ircase.services import cases, evidence

PASSWORD = "correct horse battery"


def make_user(username: str, site_role: str, **more: Any) -> User:
    return User.objects.create_user(
        username, password=PASSWORD, site_role=site_role, first_name=username.title(), **more
    )


def make_connection(**more: Any) -> Connection:
    """A connection whose hosts answer nobody: app tests do not leave the process."""
    values: dict[str, Any] = {
        "name": "Contoso",
        "tenant_id": str(uuid.uuid4()),
        "client_id": str(uuid.uuid4()),
        "workspace_id": str(uuid.uuid4()),
        **more,
    }
    connection = Connection(secret_encrypted=secrets.encrypt("s3cret"), **values)
    connection.full_clean()
    connection.save()
    return connection


def make_case(lead: User, *, analysts: tuple[User, ...] = (), **more: Any) -> Case:
    """An open case led by `lead`; `my_role` is what `lead` would see."""
    values: dict[str, Any] = {"title": "Odd logons on WS-07", "severity": "high", **more}
    case = cases.open_case(actor=lead, **values)
    for analyst in analysts:
        cases.set_member(case=case, actor=lead, user=analyst, role=CaseRole.ANALYST)
    return Case.objects.visible_to(lead).get(pk=case.pk)


def make_evidence(case: Case, actor: User, content: bytes = b"hello", name: str = "note.txt", **more: Any) -> Evidence:
    stored = evidence.put(iter([content]))
    return evidence.seal(
        case=case, stored=stored, kind=Evidence.Kind.UPLOAD, name=name, manifest={"by": "hand"}, actor=actor, **more
    )


class CastTestCase(TestCase):
    """One ordinary case with Alice as lead and Bob as analyst, one confidential case of Alice alone."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.alice = make_user("alice", User.SiteRole.ANALYST)
        cls.bob = make_user("bob", User.SiteRole.ANALYST)
        cls.carol = make_user("carol", User.SiteRole.MANAGER)
        cls.mallory = make_user("mallory", User.SiteRole.GUEST)
        cls.ada = make_user("ada", User.SiteRole.ADMINISTRATOR)
        cls.connection = make_connection()
        cls.case = make_case(
            cls.alice, analysts=(cls.bob,), connection=cls.connection, detected=timezone.now() - timedelta(hours=2)
        )
        cls.secret_case = make_case(cls.alice, title="Quiet one", confidential=True)
        Notice.objects.all().delete()  # that Bob was put on his case is no news of any test

    def sign_in(self, user: User) -> None:
        self.client.force_login(user)
