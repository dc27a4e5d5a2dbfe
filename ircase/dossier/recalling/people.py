"""Who did what where the case came from: each of them becomes an account here that nobody can sign in to."""

from typing import Any, Final

from django.contrib.auth.hashers import make_password

from ircase.dossier.reading import text
from ircase.models import CaseImport, PersonElsewhere, User

MOST: Final = 500
"""An export that names more people has the rest of them stood for by one account."""


class People:
    """The people of one export, by what it calls them. One who is called as somebody here is not that person."""

    def __init__(self, job: CaseImport) -> None:
        self._job = job
        self._known: dict[tuple[str, str], User] = {}

    def of(self, value: Any) -> User | None:
        """None where the export names nobody."""
        if not isinstance(value, dict):
            return None
        key = (text(value, "username", 150), text(value, "name", 150))
        if key not in self._known and len(self._known) >= MOST:
            key = ("", "Others")
        if key not in self._known:
            self._known[key] = self._new(*key)
        return self._known[key]

    def somebody(self) -> User:
        """Who stands where a row needs a person and names none."""
        found = self.of({"username": "", "name": "Somebody"})
        assert found is not None
        return found

    def _new(self, username: str, name: str) -> User:
        shown = f"{name or username} ({username})" if username else name
        user = User.objects.create(
            username=f"elsewhere-{self._job.uuid.hex}-{len(self._known) + 1}",
            first_name=f"{shown[:135]}, elsewhere",
            is_active=False,
            password=make_password(None),
        )
        PersonElsewhere.objects.create(user=user, brought_in=self._job, username=username, name=name)
        return user
