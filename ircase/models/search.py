"""What the search knows: one row per thing that can be found, and the views that people keep."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Lookup
from django.utils import timezone

from ircase.models.cases import Case
from ircase.models.evidence import CaseTable
from ircase.models.jobs import Job, JobQuerySet

# The FTS5 table that SQLite keeps beside the rows (migrations/0002_search.py).
FTS_TABLE = "ircase_search_words"
_LAST_POSITION = 16_383  # of a tsvector: https://www.postgresql.org/docs/current/textsearch-limitations.html
TAG = RegexValidator(r"^[a-z0-9][a-z0-9_.:-]{0,39}$", "A tag is 1 to 40 small letters, digits, and _ . : - inside.")


class WordsField(models.TextField):  # type: ignore[type-arg]
    """The tokens of a row in order, as `ircase.search.words` makes them. Written as a sequence of text, never read.

    On PostgreSQL a tsvector, on SQLite text that FTS5 indexes: neither database splits text by rules of its own.
    """

    def db_type(self, connection: Any) -> str:
        return "tsvector" if connection.vendor == "postgresql" else "text"

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, str) or value is None:
            return value or ""
        return _lexemes(value) if connection.vendor == "postgresql" else " ".join(value)

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s::tsvector" if connection.vendor == "postgresql" else "%s"


def _lexemes(tokens: Sequence[str]) -> str:
    """A tsvector as text. Tokens hold no quote and no backslash; doubled all the same."""
    quoted = (token.replace("\\", "\\\\").replace("'", "''") for token in tokens)
    return " ".join(f"'{token}':{min(place, _LAST_POSITION)}" for place, token in enumerate(quoted, 1))


@WordsField.register_lookup
class Matches(Lookup):
    """`words__matches=expression`, an `ircase.search.words.Expression`."""

    lookup_name = "matches"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        if connection.vendor == "postgresql":
            lhs, params = self.process_lhs(compiler, connection)
            return f"{lhs} @@ %s::tsquery", [*params, self.rhs.tsquery()]
        alias = compiler.quote_name_unless_alias(self.lhs.alias)
        key = compiler.quote_name_unless_alias("id")
        return (
            f"{alias}.{key} IN (SELECT rowid FROM {FTS_TABLE} WHERE {FTS_TABLE} MATCH %s)",
            [self.rhs.fts5()],
        )


class SearchEntry(models.Model):
    """One thing that can be found, or a part of a long one. `case` empty: it is everybody's (the hunt library).

    `subject` is its uuid, or its number as a uuid where it has none. `status` and `owner` are what the fields of the
    query language of these names ask. Written by `ircase.search.index` alone.
    """

    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16)
    subject = models.UUIDField()
    part = models.PositiveIntegerField(default=0)
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    words = WordsField(editable=False)
    status = models.CharField(max_length=16, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    place = models.CharField(max_length=140, blank=True, help_text="Its page, where those of its kind differ.")
    at = models.DateTimeField(help_text="When it happened or was made.")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject", "part"], name="search_subject_once")]
        indexes = [
            models.Index(fields=["kind", "-at", "-id"], name="search_newest"),
            models.Index(fields=["case", "kind", "-at"], name="search_of_case"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.title}"


class TableIndexing(Job):
    """
    QUEUED -> RUNNING -> DONE | FAILED

    Reads the text cells of one case table into the search. `left_out` says in words what the search does not know.
    """

    table = models.OneToOneField(CaseTable, on_delete=models.CASCADE, related_name="indexing")
    rows = models.PositiveBigIntegerField(default=0, help_text="Rows that were read.")
    values = models.PositiveBigIntegerField(default=0, help_text="Different texts that were kept.")
    left_out = models.CharField(max_length=300, blank=True)

    objects = JobQuerySet["TableIndexing"].as_manager()

    def __str__(self) -> str:
        return f"search over {self.table_id}: {self.state}"


class SavedView(models.Model):
    """A query or the filters of a list under a name: only what the address holds, so a shared one reveals nothing."""

    class Page(models.TextChoices):
        SEARCH = "search", "Search"
        CASES = "cases", "Cases"
        MY_WORK = "my_work", "My work"
        DASHBOARD = "board", "Dashboard"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=8, choices=Page.choices)
    name = models.CharField(max_length=80)
    asked = models.CharField(max_length=2000, blank=True, help_text="The address's query.")
    shared = models.BooleanField(default=False)
    pinned_by = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="pinned_views")
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["person", "page", "name"], name="saved_view_once")]

    def __str__(self) -> str:
        return self.name


class CaseTag(models.Model):
    """A word on a case. The log holds who put it there and who took it off."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=40, validators=[TAG])
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["case", "name"], name="case_tag_once")]
        indexes = [models.Index(fields=["name", "case"], name="case_tag_by_name")]

    def __str__(self) -> str:
        return self.name
