"""Case tables that are second views of rows in other tables: patterns in KQL leave them out, and lose no row by it."""

import tempfile
from pathlib import Path

from ircase.models import Case, CaseTable, User
from ircase.services.analysis import tables
from kql import Column, query, write_parquet
from tests.cast import CastTestCase, make_evidence

COLUMNS = (Column("EventID", "int"),)


def keep(case: Case, actor: User, content: str, wildcard: dict[str, bool]) -> list[CaseTable]:
    """A piece of evidence whose one row stands in each of these tables."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "rows.ndjson"
        lines.write_text(f'{{"EventID": {content}}}\n', encoding="utf-8")
        made = []
        for name, listed in wildcard.items():
            path = Path(folder) / f"{name}.parquet"
            info = write_parquet(lines, COLUMNS, path)
            made.append(tables.NewTable(name, path, COLUMNS, info.rows, None, None, "test", wildcard=listed))
        return tables.keep(evidence=make_evidence(case, actor, content.encode()), tables=made)


def ids(case: Case, text: str) -> list[int]:
    with query(text, tables.tables_of(case)) as result:
        return sorted(row[0] for row in result)


class SecondViewTests(CastTestCase):
    def test_a_pattern_reads_each_row_once_and_a_name_reads_the_table(self) -> None:
        first, second = keep(self.case, self.bob, "13", {"Event": True, "WindowsEvent": False})
        assert (first.wildcard, second.wildcard) == (True, False)
        assert ids(self.case, "union *") == [13]
        assert ids(self.case, "WindowsEvent") == [13]

    def test_rows_that_stand_nowhere_else_are_never_left_out(self) -> None:
        keep(self.case, self.bob, "13", {"Event": True, "WindowsEvent": False})
        keep(self.case, self.bob, "14", {"WindowsEvent": True})
        assert ids(self.case, "union *") == [13, 13, 14]
