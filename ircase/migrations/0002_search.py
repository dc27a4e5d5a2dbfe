"""What each database needs beside the rows of the search: an inverted index over their tokens."""

from typing import Any

from django.db import migrations, transaction
from django.db.utils import DatabaseError

# The tokens come ready made (ircase.search.words): FTS5 only has to part them at spaces.
_SQLITE = (
    """CREATE VIRTUAL TABLE ircase_search_words USING fts5(words, content='ircase_searchentry', content_rowid='id',
    prefix='2 3', tokenize="unicode61 remove_diacritics 0 tokenchars '.@:+-=_/'")""",
    """CREATE TRIGGER ircase_search_added AFTER INSERT ON ircase_searchentry BEGIN
    INSERT INTO ircase_search_words(rowid, words) VALUES (new.id, new.words); END""",
    """CREATE TRIGGER ircase_search_removed AFTER DELETE ON ircase_searchentry BEGIN
    INSERT INTO ircase_search_words(ircase_search_words, rowid, words) VALUES ('delete', old.id, old.words); END""",
    """CREATE TRIGGER ircase_search_changed AFTER UPDATE OF words ON ircase_searchentry BEGIN
    INSERT INTO ircase_search_words(ircase_search_words, rowid, words) VALUES ('delete', old.id, old.words);
    INSERT INTO ircase_search_words(rowid, words) VALUES (new.id, new.words); END""",
)
_SQLITE_BACK = (
    "DROP TRIGGER ircase_search_added",
    "DROP TRIGGER ircase_search_removed",
    "DROP TRIGGER ircase_search_changed",
    "DROP TABLE ircase_search_words",
)
# An index for each kind: a common word's list in one index of all would have to be joined with the million of the log.
# Kinds that are not named share the last one.
_KINDS = (
    "case", "indicator", "asset", "event", "note", "comment", "decision", "item", "proof", "evidence", "activity", "hunt",
    "cell", "library", "table", "log",
)  # fmt: skip
_WORDS = "CREATE INDEX search_words_{0} ON ircase_searchentry USING gin (words) WHERE kind {1}"
_POSTGRESQL = (
    *(_WORDS.format(kind, f"= '{kind}'") for kind in _KINDS),
    _WORDS.format("other", f"NOT IN ({', '.join(map(repr, _KINDS))})"),
)
_POSTGRESQL_BACK = tuple(f"DROP INDEX search_words_{kind}" for kind in (*_KINDS, "other"))
# For parts of words in titles; the search works without it, only slower for those.
_TRIGRAM = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    """CREATE INDEX search_title_parts ON ircase_searchentry USING gin (upper(title) gin_trgm_ops)
    WHERE kind NOT IN ('log', 'table')""",
)


def _make(apps: Any, editor: Any) -> None:
    for statement in _SQLITE if editor.connection.vendor == "sqlite" else _POSTGRESQL:
        editor.execute(statement)
    if editor.connection.vendor == "postgresql":
        _make_trigrams(editor)


def _make_trigrams(editor: Any) -> None:
    """Where the extension is installed and this account may switch it on."""
    try:
        with transaction.atomic(using=editor.connection.alias):
            for statement in _TRIGRAM:
                editor.execute(statement)
    except DatabaseError:
        return


def _remove(apps: Any, editor: Any) -> None:
    for statement in _SQLITE_BACK if editor.connection.vendor == "sqlite" else _POSTGRESQL_BACK:
        editor.execute(statement)
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP INDEX IF EXISTS search_title_parts")


class Migration(migrations.Migration):
    dependencies = [("ircase", "0001_initial")]
    operations = [migrations.RunPython(_make, _remove)]
